"""The stack of production, run for real: started, released, broken and put under load. ``./run soak`` does more of it."""

import contextlib
import hashlib
import json
import re
import secrets
import shutil
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path

import pytest
from conftest import copier, eventually, run
from containers import container, docker
from load import FIGURES, Load, Sample, SlowClients, percentile, together
from notes import add_notes
from stack import Answer, Stack, request, sign_in, stack

# Every service.
SERVICES = ["app", "ws", "migrate", "worker", "beat", "nginx", "db", "redis"]

LIVE = "/health/live"
NOTES = "/notes/"

# What a slow client asks for: a page, a form, and an answer that it reads slowly.
SLOW_PATHS = {"headers": "/", "body": NOTES, "reader": "/notes/large/"}

# Processes of the site, and the connections of each.
PROCESSES, POOL = 1, 4

# The disks that are filled.
DISKS = {"media": "16m", "db": "160m"}

# The content of every table, and of every file, in a line each.
TABLES = """
SELECT format('SELECT %L, count(*), md5(coalesce(string_agg(t::text, chr(10) ORDER BY t::text), '''')) FROM %I t',
tablename, tablename) FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename \\gexec
"""


def images(stack: Stack) -> dict[str, str]:
    """Return the variables that name the images."""
    return {name: stack.env[name] for name in ("APP_IMAGE_NAME", "APP_IMAGE_TAG")}


@pytest.fixture(scope="session")
def built(render: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The default project with an application that keeps notes, and its images. Its stack does not run."""
    folder = tmp_path_factory.mktemp("stack") / "project"
    shutil.copytree(render("default"), folder)
    add_notes(folder)
    # pdm wants an environment, of which these tests use nothing.
    (folder / ".venv").symlink_to(sys.prefix)
    with stack(folder) as found:
        began = time.monotonic()
        found.compose("build", timeout=900)
        print(f"\nthe images are built in {time.monotonic() - began:.0f} s")
        yield found


@pytest.fixture(scope="session")
def first_start(built: Stack) -> float:
    """Start the stack that tests share, on empty volumes. Returns the seconds to the first page."""
    began = time.monotonic()
    built.compose("up", "--detach")
    built.wait(NOTES)
    return time.monotonic() - began


@pytest.fixture
def running(built: Stack, first_start: float) -> Iterator[Stack]:
    """The stack that tests share. Each leaves it as it was, with all services up."""
    del first_start
    yield built
    with contextlib.suppress(AssertionError):
        eventually(lambda: built.status(NOTES) == 200 and ready(built)[0] == 200, "it is down", patience=1)
        return
    built.compose("up", "--detach", "--wait")


def multipart(text: str, content: bytes) -> tuple[bytes, dict[str, str]]:
    """Return the body of a form with a note and its file, and its headers."""
    boundary = secrets.token_hex(16)
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="text"\r\n\r\n{text}\r\n'.encode(),
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="note.bin"\r\n\r\n'.encode(),
        content,
        f"\r\n--{boundary}--\r\n".encode(),
    ]
    return b"".join(parts), {"Content-Type": f"multipart/form-data; boundary={boundary}"}


def note(site: Stack, text: str, content: bytes = b"content") -> Answer:
    """Keep a note with a file."""
    body, headers = multipart(text, content)
    return request(site.url, NOTES, "POST", body, headers, timeout=60)


def notes(site: Stack) -> dict[str, str]:
    """Return the notes and the addresses of their files."""
    found: dict[str, str] = json.loads(site.request(NOTES).text)
    return found


def ready(site: Stack, at: str = "") -> tuple[int, list[str]]:
    """Ask the site itself whether it is ready. Returns the status, and what fails."""
    answer = request(f"http://{at or site.address('app')}:8000", "/health/ready", timeout=30)
    return answer.status, json.loads(answer.text)["failing"]


def contents(site: Stack) -> str:
    """Return the rows and the checksum of every table, and the checksum of every file of the media."""
    sql = "psql --no-psqlrc -At --username postgres --dbname my_site"
    tables = run("docker", "exec", "-i", site.container("db"), "sh", "-c", f'echo "$0" | {sql}', TABLES, cwd=site.folder)
    listed = "cd /media && find . -type f -exec sha256sum {} + | sort"
    asked = [
        "docker",
        "compose",
        "--progress",
        "quiet",
        "run",
        "--rm",
        "--no-deps",
        "--entrypoint",
        "sh",
        "backup",
        "-c",
        listed,
    ]
    return tables + run(*asked, cwd=site.folder, env=site.env)


def links(site: Stack, path: str = "/") -> list[str]:
    """Return the static files that a page links, in its order."""
    return re.findall(r'(?:href|src)="(/static/[^"]+)"', site.request(path).text)


@pytest.mark.alone
def test_the_first_page_comes_soon_after_up_on_empty_volumes(first_start: float) -> None:
    print(f"up on empty volumes to the first page through the proxy: {first_start:.1f} s")
    assert first_start <= 25


def test_data_survives_containers(running: Stack) -> None:
    note(running, "stays", b"these bytes")
    file = notes(running)["stays"]
    assert running.request(file).body == b"these bytes"
    running.compose("down")
    began = time.monotonic()
    running.compose("up", "--detach")
    running.wait(NOTES)
    print(f"up with data to the first page: {time.monotonic() - began:.1f} s")
    assert notes(running)["stays"] == file
    before = running.container("db")
    running.compose("up", "--detach", "--force-recreate", "--no-deps", "--wait", "db")
    assert running.container("db") != before
    running.wait(NOTES)
    assert notes(running)["stays"] == file
    assert running.request(file).body == b"these bytes"


def test_a_release_never_serves_an_old_file_and_a_way_back_is_complete(running: Stack) -> None:
    package = running.folder / "src/my_site"
    style = package / "core/static/core/site.css"
    home = package / "welcome/templates/welcome/home.html"
    dropped = package / "welcome/static/welcome/welcome.css"
    kept = {path: path.read_text() for path in (style, home, dropped)}
    first = links(running)
    served = {link: running.request(link).body for link in first}
    try:
        style.write_text(kept[style] + "\n.of-the-second-release { color: rebeccapurple; }\n")
        home.write_text(re.sub(r".*welcome\.css.*\n", "", kept[home]))
        dropped.unlink()
        began = time.monotonic()
        running.compose("build", APP_IMAGE_TAG="2.0.0", timeout=900)
        print(f"the second release is built in {time.monotonic() - began:.1f} s")
    finally:
        for path, text in kept.items():
            path.write_text(text)
    running.compose("up", "--detach", "--wait", APP_IMAGE_TAG="2.0.0")
    second = links(running)
    (old,) = [link for link in first if re.match(r"/static/core/site\.\w+\.css", link)]
    (new,) = [link for link in second if re.match(r"/static/core/site\.\w+\.css", link)]
    assert new != old
    assert b"of-the-second-release" in running.request(new).body
    assert "welcome.css" not in re.sub(r"\.[0-9a-f]{12}\.", ".", " ".join(second))
    # Pages of the first release that are open still find their files, the dropped one too.
    for link, body in served.items():
        answer = running.request(link)
        assert (answer.status, answer.body) == (200, body), link
        assert "immutable" in answer.header("Cache-Control")
    running.compose("up", "--detach", "--wait")
    assert links(running) == first
    for link, body in served.items():
        answer = running.request(link)
        assert (answer.status, answer.body) == (200, body), link


def test_static_files_are_kept_by_browsers_for_ever_and_sent_compressed(running: Stack) -> None:
    for link in links(running):
        plain = running.request(link)
        assert plain.status == 200
        assert "immutable" in plain.header("Cache-Control")
        assert plain.header("Content-Encoding") == ""
        if not link.endswith((".css", ".js", ".svg")) or len(plain.body) <= 1024:
            continue
        packed = running.request(link, headers={"Accept-Encoding": "gzip"})
        assert packed.header("Content-Encoding") == "gzip"
        stored = running.execute("nginx", "sha256sum", f"/usr/share/nginx{link}.gz").split()[0]
        assert hashlib.sha256(packed.body).hexdigest() == stored, "it was not compressed in advance"
        unhashed = running.request(re.sub(r"\.[0-9a-f]{12}\.", ".", link))
        assert unhashed.status == 200
        assert unhashed.header("Cache-Control") == "no-cache"


def runs(samples: list[Sample]) -> str:
    """Describe answers in a line: how many of one status came after how many of another."""
    return ", ".join(f"{len(list(group))} × {status}" for status, group in groupby(sample.status for sample in samples))


def test_a_database_that_stops_takes_no_process_along(running: Stack) -> None:
    at = running.address("app")
    with Load(running.url, [LIVE, NOTES], rate=20, threads=8) as load:
        time.sleep(2)
        running.compose("stop", "db")
        stopped = time.monotonic()
        time.sleep(1)
        status, failing = ready(running, at)
        assert (status, failing) == (503, ["database"])
        page = running.request(NOTES)
        assert page.status == 503
        assert int(page.header("Retry-After")) > 0
        assert "Traceback" not in page.text
        time.sleep(FIGURES.outage)
        assert running.inspect("app")["State"]["Health"]["Status"] == "healthy"
        began = time.monotonic()
        running.compose("start", "db")
        eventually(lambda: any(s.status == 200 for s in load.of(NOTES, began)), "pages do not come back", 30)
        time.sleep(4)
    good = next(sample for sample in load.of(NOTES, began) if sample.status == 200)
    back = good.began + good.seconds - began
    waited = percentile([s for s in load.of(NOTES, stopped) if s.began + s.seconds < began], 0.99)
    print(f"without its database the site answers 503 within {waited:.1f} s; it is back {back:.1f} s after `start`")
    print(f"pages: {runs(load.of(NOTES))}; /health/live: {load.statuses(LIVE)}, p99 {percentile(load.of(LIVE), 0.99):.2f} s")
    assert set(load.statuses(LIVE)) == {200}
    assert percentile(load.of(LIVE), 1) < 4, "the health check would give up"
    assert set(load.statuses(NOTES)) == {200, 503}
    assert back <= 10
    assert set(load.statuses(NOTES, good.began + good.seconds)) == {200}, "a stale connection"
    assert ready(running, at) == (200, [])


def test_without_redis_pages_go_on_and_people_stay_signed_in(running: Stack) -> None:
    code = "from django.contrib.auth import get_user_model as m; m().objects.create_superuser('ada', password='correct-horse')"
    running.manage("shell", "--verbosity", "0", "--command", code)
    at = running.address("app")
    cookies = sign_in(running, "ada", "correct-horse")
    signed_in = "/admin/password_change/"
    assert running.request(signed_in, headers={"Cookie": cookies}).status == 200
    with Load(running.url, ["/", "/accounts/login/", NOTES, LIVE], rate=5) as load:
        time.sleep(1)
        running.compose("stop", "redis")
        assert ready(running, at) == (503, ["cache", "websockets"])
        assert running.request(signed_in, headers={"Cookie": cookies}).status == 200
        sign_in(running, "ada", "correct-horse")
        time.sleep(FIGURES.outage / 2)
        running.compose("start", "redis")
        back = eventually(lambda: ready(running, at)[0] == 200, "the cache does not come back")
        assert running.request(signed_in, headers={"Cookie": cookies}).status == 200
    slowest = max(percentile(load.of(path), 1) for path in load.paths)
    print(
        f"without Redis: { ({p: load.statuses(p) for p in load.paths}) }, slowest {slowest:.1f} s, ready {back:.1f} s after start"
    )
    assert all(set(load.statuses(path)) == {200} for path in load.paths)
    gone = "from django.contrib.auth import get_user_model as m; m().objects.all().delete()"
    running.manage("shell", "--verbosity", "0", "--command", gone)


def test_the_proxy_finds_the_site_at_a_new_address(running: Stack) -> None:
    before = running.address("app")
    network = f"{running.env['APP_NAME']}_front"
    running.compose("rm", "--stop", "--force", "app")
    with (
        container("redis:8", "--network", network),
        container("redis:8", "--network", network),
        Load(running.url, [NOTES], rate=10) as load,
    ):
        running.compose("up", "--detach", "--no-deps", "--wait", "app")
        healthy = time.monotonic()
        after = running.address("app")
        assert after != before
        running.wait(NOTES, patience=10)
        found = time.monotonic() - healthy
        time.sleep(max(0, 7 - found))
    print(f"the site moved from {before} to {after}; the proxy found it {found:.1f} s after its health check")
    assert set(load.statuses(NOTES, healthy + 5)) == {200}


def test_a_site_that_is_killed_comes_back_by_itself(running: Stack) -> None:
    code = (
        "import os, pathlib, re\nfor path in pathlib.Path('/proc').glob('[0-9]*/status'):\n"
        "    if re.search(r'^PPid:\\t1$', path.read_text(), re.M): os.kill(int(path.parent.name), 9)"
    )
    before = running.inspect("app")["RestartCount"]
    began = time.monotonic()
    docker("exec", "--detach", running.container("app"), "python", "-c", code)
    eventually(lambda: running.inspect("app")["RestartCount"] == before + 1, "it does not start again", 10)
    running.wait(NOTES, patience=15)
    seconds = time.monotonic() - began
    print(f"killed with -9, the site is back after {seconds:.1f} s")
    assert seconds <= 10


def test_connections_to_the_database_stay_within_the_pool(running: Stack) -> None:
    # Of the site alone: the worker and beat have connections of their own.
    address = running.address("app", "back")
    sql = f"SELECT count(*) FROM pg_stat_activity WHERE usename = 'my_site' AND client_addr = '{address}'"  # noqa: S608 - an address of Docker
    database = running.container("db")
    counted: list[int] = []
    done = threading.Event()

    def count() -> None:
        while not done.is_set():
            counted.append(int(docker("exec", database, "psql", "-At", "--username", "postgres", "--command", sql)))

    counter = threading.Thread(target=count)
    counter.start()
    began = time.monotonic()
    try:
        samples = together(running.url, [NOTES], FIGURES.requests, threads=16)
    finally:
        seconds = time.monotonic() - began
        done.set()
        counter.join()
    print(f"{len(samples)} requests in {seconds:.1f} s, p99 {percentile(samples, 0.99) * 1000:.0f} ms; connections: {counted}")
    assert {sample.status for sample in samples} == {200}
    assert 0 < max(counted) <= PROCESSES * POOL


@pytest.mark.alone
def test_slow_clients_do_not_slow_down_the_others(running: Stack) -> None:
    def measure() -> float:
        samples = together(running.url, [NOTES, "/accounts/login/"], 300, threads=2)
        assert {sample.status for sample in samples} == {200}
        return percentile(samples, 0.99)

    measure()
    # Turn by turn, and the middle of each: this machine does other things, too.
    alone, beside = [], []
    for _ in range(FIGURES.windows):
        alone.append(measure())
        with SlowClients(running.url, FIGURES.slow_clients, SLOW_PATHS):
            time.sleep(1)
            beside.append(measure())
    before, after = statistics.median(alone), statistics.median(beside)
    print(
        f"p99 {before * 1000:.0f} ms alone, {after * 1000:.0f} ms beside {FIGURES.slow_clients} slow clients: "
        f"{after / before:.2f} times"
    )
    assert after < 2 * before
    assert running.inspect("nginx")["RestartCount"] == 0


def test_large_uploads_at_once_are_no_harm(running: Stack) -> None:
    content = secrets.token_bytes(2**20) * 90
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda number: note(running, f"large {number}", content).status, range(4)))
    print(f"4 uploads of 90 MB at once: {answers}")
    assert answers == [200] * 4
    assert running.execute("nginx", "find", "/var/cache/nginx/buffers", "-type", "f") == ""


def test_every_container_may_do_what_it_must_and_no_more(running: Stack) -> None:
    for service in SERVICES:
        found = running.inspect(service)
        config, host = found["Config"], found["HostConfig"]
        assert config["User"] in {"1000:1000", "101", "postgres", "redis"}, service
        assert host["ReadonlyRootfs"], service
        assert host["CapDrop"] == ["ALL"], service
        assert not host["CapAdd"], service
        assert not host["Privileged"], service
        assert host["SecurityOpt"] == ["no-new-privileges:true"], service
        assert 0 < host["Memory"] <= 2**30, service
        assert 0 < host["NanoCpus"] <= 10**9, service
        assert 0 < host["PidsLimit"] <= 256, service
        assert host["Init"], service
        assert host["LogConfig"] == {"Type": "json-file", "Config": {"max-file": "10", "max-size": "20m"}}, service
        assert host["RestartPolicy"]["Name"] == ("no" if service == "migrate" else "unless-stopped"), service
        if service == "migrate":
            assert config["Healthcheck"]["Test"] == ["NONE"]
            assert found["State"]["ExitCode"] == 0
        else:
            assert found["State"]["Health"]["Status"] == "healthy", service
        published = [port for ports in (host["PortBindings"] or {}).values() for port in ports]
        assert published == ([{"HostIp": "127.0.0.1", "HostPort": running.env["HTTP_PORT"]}] if service == "nginx" else [])


def test_the_files_of_compose_and_of_the_proxy_are_clean(running: Stack) -> None:
    assert running.compose("config", "--quiet") == ""
    assert running.compose("config", "--quiet", COMPOSE_FILE="compose.yml:compose.override.yml") == ""
    printed = running.execute("nginx", "nginx", "-t")
    assert "test is successful" in printed
    assert "warn" not in printed


def test_the_proxy_cannot_reach_what_is_behind_the_site(running: Stack) -> None:
    assert running.execute("nginx", "getent", "hosts", "app")
    for service, port in (("db", 5432), ("redis", 6379)):
        running.execute("app", "python", "-c", f"import socket; socket.create_connection(('{service}', {port}), 3)")
        running.execute("nginx", "getent", "hosts", service, code=2)
        there = running.address(service, "back")
        printed = running.compose(
            *("exec", "--no-TTY", "nginx", "curl", "--silent", "--show-error", "--connect-timeout", "3"),
            f"telnet://{there}:{port}",
            code=28,
        )
        assert "Connection timed out" in printed or "Timeout was reached" in printed or "timed out" in printed.lower()
    # What is behind the site has no way out.
    networks = run(
        "docker", "inspect", "--format", "{{json .NetworkSettings.Networks}}", running.container("db"), cwd=Path("/")
    )
    assert list(json.loads(networks)) == [f"{running.env['APP_NAME']}_back"]
    assert json.loads(docker("network", "inspect", f"{running.env['APP_NAME']}_back"))[0]["Internal"]


def failing(table: str) -> list[str]:
    """Return what the table of ``doctor`` calls failed."""
    return re.findall(r"^(\w+) +FAILED ", table, re.MULTILINE)


def test_doctor_names_exactly_the_service_that_is_down(running: Stack) -> None:
    table = running.manage("doctor")
    components = ["database", "cache", "broker", "websockets", "mail", "static", "proxy"]
    assert re.findall(r"^(\w+) +ok ", table, re.MULTILINE) == components
    # What a task returns is in the database.
    down = {"db": ["database", "broker"], "redis": ["cache", "websockets"], "broker": ["broker"], "nginx": ["proxy"]}
    for service, names in down.items():
        running.compose("stop", service)
        assert failing(running.manage("doctor", code=1)) == names
        running.compose("start", service)
        eventually(lambda: running.inspect(service)["State"]["Health"]["Status"] == "healthy", f"{service} is not back")  # noqa: B023
    running.manage("doctor")


def test_a_container_waits_for_its_database_and_says_so(running: Stack) -> None:
    nowhere = ["--env", "DATABASE_URL=postgres://my_site:secret-word@127.0.0.1:9/my_site", "--env", "DATABASE_WAIT=2"]
    for command in ([], ["python", "src/manage.py", "migrate"]):
        began = time.monotonic()
        printed = running.compose("run", "--rm", "--no-deps", *nowhere, "app", *command, code=1)
        seconds = time.monotonic() - began
        assert "waiting for the database at 127.0.0.1:9, 2 seconds at most" in printed
        assert "no database at 127.0.0.1:9 after 2 seconds" in printed
        assert "secret-word" not in printed
        assert "Traceback" not in printed
        print(f"without a database {command or 'gunicorn'} ends after {seconds:.1f} s")
        assert seconds < 10
    assert "Python 3" in running.compose("run", "--rm", "--no-deps", *nowhere, "app", "python", "-V")


@pytest.mark.parametrize(
    ("service", "variable", "value", "rule"),
    [
        ("nginx", "URL_PREFIX", "shop", "write it as /path"),
        ("nginx", "URL_PREFIX", "/shop/", "write it as /path"),
        ("nginx", "URL_PREFIX", "/a;b", "write it as /path"),
        ("nginx", "CLIENT_MAX_BODY_SIZE", "100MB", "such as 100M"),
        ("nginx", "TRUSTED_PROXIES", "proxy.example.com", "addresses or networks"),
        ("nginx", "TRUSTED_PROXIES", "172.16.0.0/12;", "addresses or networks"),
        ("nginx", "SECURE_HSTS_SECONDS", "year", "number of seconds"),
        ("app", "SECRET_KEY", "", "at least 50"),
        ("app", "URL_PREFIX", "shop", "such as /shop"),
        ("app", "CLIENT_MAX_BODY_SIZE", "100MB", "such as 100M"),
    ],
)
def test_a_wrong_variable_stops_its_service_with_one_line(
    service: str, variable: str, value: str, rule: str, running: Stack
) -> None:
    arguments = ["run", "--rm", "--no-deps", "--env", f"{variable}={value}", service]
    printed = running.compose(*arguments, code=1, timeout=60)
    (line,) = [line for line in printed.splitlines() if variable in line]
    print(line)
    assert rule in line
    assert "Traceback" not in printed


def test_a_site_without_its_key_stops_with_one_line(running: Stack) -> None:
    image = running.inspect("app")["Config"]["Image"]
    printed = docker("run", "--rm", "--env", "ALLOWED_HOSTS=localhost", image, code=1)
    assert len(printed.splitlines()) == 1
    assert 'Environment variable "SECRET_KEY" not set' in printed


def test_compose_says_in_one_line_that_the_password_is_missing(running: Stack) -> None:
    for command in (["config"], ["up", "--detach"]):
        printed = running.compose(*command, code=1, DB_PASSWORD="").strip()
        assert len(printed.splitlines()) == 1
        assert re.search(r"DB_PASSWORD is missing a value: .*write a random one into \.env", printed)


def test_replicas_that_start_at_once_migrate_once(built: Stack) -> None:
    with stack(built.folder, **images(built)) as empty:
        empty.compose("up", "--detach", "--wait", "db")
        began = time.monotonic()
        with ThreadPoolExecutor(FIGURES.replicas) as pool:
            outputs = list(pool.map(lambda _: empty.compose("run", "--rm", "--no-deps", "migrate"), range(FIGURES.replicas)))
        print(f"{FIGURES.replicas} replicas have migrated after {time.monotonic() - began:.1f} s")
        applied = re.findall(r"Applying (\S+)\.\.\. OK", "".join(outputs))
        assert len(applied) > 10
        assert len(applied) == len(set(applied))


def test_a_backup_brings_everything_back_and_a_bad_one_changes_nothing(built: Stack, tmp_path: Path) -> None:
    backups = tmp_path / "backups"
    backups.mkdir()
    backups.chmod(0o777)
    # Without the worker and beat, which write into the database by themselves.
    with stack(built.folder, **images(built), BACKUPS=str(backups)) as site:

        def pdm(*command: str, code: int = 0) -> str:
            return run("pdm", "run", *command, cwd=site.folder, env=site.env, code=code)

        site.compose("up", "--detach", "nginx")
        site.wait(NOTES)
        # While there are no media, too: their folder stays writable for the site.
        pdm("backup", "empty")
        for number in range(3):
            assert note(site, f"note {number}", secrets.token_bytes(100_000)).status == 200
        kept = contents(site)
        began = time.monotonic()
        print(pdm("backup", "first").splitlines()[-1], f"in {time.monotonic() - began:.1f} s")
        # By Compose alone, the time is its name.
        printed = site.compose("run", "--rm", "backup")
        assert re.search(r"backup: \d{4}-\d\d-\d\dT\S+Z, ", printed)
        assert "exists already" in site.compose("run", "--rm", "backup", "first", code=1)
        for name in ("../first", ".hidden", "a/b"):
            assert "cannot be the name" in site.compose("run", "--rm", "backup", name, code=2)
            assert "cannot be the name" in site.compose("run", "--rm", "restore", name, code=2)

        note(site, "later")
        changed = contents(site)
        assert changed != kept
        assert "--force replaces them" in pdm("restore", "first", code=1)
        # As the user of the backups, who alone may read them.
        spoil = """
            cd /backups && cp -r first damaged && cp -r first cut
            printf damage | dd of=damaged/database.dump bs=1 seek=2000 conv=notrunc
            cd cut && truncate --size=-2000 database.dump && sha256sum database.dump media.tar >SHA256SUMS
        """
        site.compose("run", "--rm", "--entrypoint", "sh", "backup", "-ec", spoil)
        assert "damaged is damaged" in site.compose("run", "--rm", "restore", "damaged", "--force", code=1)
        assert "the database is as it was" in site.compose("run", "--rm", "restore", "cut", "--force", code=1)
        assert contents(site) == changed
        assert notes(site)["later"]

        backups.chmod(0o555)
        line = site.compose("run", "--rm", "backup", "late", code=1).strip().splitlines()[-1]
        assert "not writable" in line
        backups.chmod(0o777)

        pdm("restore", "first", "--force")
        assert contents(site) == kept

        site.compose("down", "--volumes")
        site.compose("up", "--detach", "--wait", "db")
        assert contents(site) == ""
        assert "docker compose create" in pdm("restore", "first", code=1)
        site.compose("create")
        began = time.monotonic()
        pdm("restore", "first")
        print(f"restored in {time.monotonic() - began:.1f} s")
        site.compose("up", "--detach", "nginx")
        site.wait(NOTES)
        assert contents(site) == kept
        assert list(notes(site)) == ["note 0", "note 1", "note 2"]


@pytest.fixture(scope="session")
def server(built: Stack, template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stack, str]]:
    """A server with no source and the images by their names, and the network of Docker that its proxy joins."""
    network = f"test-{secrets.token_hex(4)}"
    made = tmp_path_factory.mktemp("made") / "project"
    copier("copy", "--defaults", "--data", f"proxy_network={network}", template, made, cwd=made.parent)
    folder = tmp_path_factory.mktemp("server")
    shutil.copy(made / "compose.yml", folder)
    shutil.copytree(made / "docker/db", folder / "docker/db")
    key, password = secrets.token_urlsafe(48), secrets.token_urlsafe(48)
    (folder / ".env").write_text(f"SECRET_KEY={key}\nDB_PASSWORD={password}\nALLOWED_HOSTS=localhost,127.0.0.1\n")
    docker("network", "create", network)
    try:
        with stack(folder, **images(built)) as site:
            # Without a worker, which would have no broker here.
            site.compose("up", "--detach", "--no-build", "nginx")
            yield site, network
    finally:
        docker("network", "rm", network)


def test_a_server_without_the_source_runs_the_images(server: tuple[Stack, str]) -> None:
    site, _ = server
    files = sorted(str(path.relative_to(site.folder)) for path in site.folder.rglob("*") if path.is_file())
    assert files == [".env", "compose.yml", "docker/db/backup.sh", "docker/db/init.sql", "docker/db/restore.sh"]
    site.wait(NOTES)
    site.manage("doctor")


def test_two_installations_run_side_by_side(server: tuple[Stack, str], running: Stack) -> None:
    site, _ = server
    site.wait(NOTES)
    note(site, "on the server")
    note(running, "here")
    assert "on the server" not in notes(running)
    assert "here" not in notes(site)


def test_the_proxy_alone_joins_a_network_that_exists(server: tuple[Stack, str]) -> None:
    site, network = server
    site.wait(NOTES)
    image = site.inspect("nginx")["Config"]["Image"]
    asked = ["run", "--rm", "--network", network, "--entrypoint"]
    assert "204" in docker(*asked, "curl", image, "--silent", "--include", "http://nginx:8080/health/proxy")
    docker(*asked, "getent", image, "hosts", "app", code=2)


def fill(site: Stack, text: Callable[[int], str], content: bytes) -> tuple[dict[str, str], Answer]:
    """Keep notes until one is refused. Returns those before it, and the answer to the last."""
    kept: dict[str, str] = {}
    for number in range(100):
        answer = note(site, text(number), content)
        if answer.status != 200:
            return kept, answer
        kept = json.loads(answer.text)
    pytest.fail("the disk does not become full")


def honest(answer: Answer) -> bool:
    """Say whether an answer tells of a moment, and nothing of what is inside."""
    return answer.status == 503 and int(answer.header("Retry-After")) > 0 and "Traceback" not in answer.text


def test_a_full_disk_is_answered_honestly_and_nothing_is_half(built: Stack, tmp_path: Path) -> None:
    disks = tmp_path / "disks.yml"
    owners = {"media": 1000, "db": 999}
    options = {
        name: {"driver_opts": {"type": "tmpfs", "device": "tmpfs", "o": f"size={size},uid={owners[name]},gid={owners[name]}"}}
        for name, size in DISKS.items()
    }
    disks.write_text(json.dumps({"volumes": options}))
    with stack(built.folder, **images(built), COMPOSE_FILE=f"{built.env['COMPOSE_FILE']}:{disks}") as site:
        site.compose("up", "--detach")
        site.wait(NOTES)
        volumes = [part for name in DISKS for part in ("--volume", f"{site.env['APP_NAME']}_{name}:/disks/{name}:nocopy")]
        # A disk of memory is there as long as somebody looks at it.
        with container("redis:8", "--user", "0", *volumes, command=("sleep", "600")) as holder:

            def stored() -> list[str]:
                return docker("exec", holder, "find", "/disks/media", "-type", "f", "-printf", "%f %s\n").splitlines()

            # A file that goes through the disk of the site, and small ones, which stay in its memory.
            large = note(site, "too large", secrets.token_bytes(20 * 2**20))
            kept, small = fill(site, lambda number: f"small {number}", secrets.token_bytes(2**20 + 1))
            print(f"media: {len(kept)} files of 1 MB fit, then {small.status}; a file of 20 MB: {large.status}")
            assert honest(large), site.compose("logs", "app")
            assert honest(small), site.compose("logs", "app")
            assert sorted(stored()) == sorted(f"{url.rpartition('/')[2]} {2**20 + 1}" for url in kept.values())
            assert notes(site) == kept
            logged = site.compose("logs", "--no-log-prefix", "app")
            assert "No space left on device" in logged
            docker("exec", holder, "sh", "-c", "rm /disks/media/*")
            assert note(site, "fits again").status == 200

            # The content of a row goes to the disk of the database; no more is left than it needs to go on.
            docker("exec", holder, "sh", "-c", "dd if=/dev/zero of=/disks/db/ballast bs=1M 2>/dev/null; true")
            kept, answer = fill(site, lambda number: f"row {number} {secrets.token_hex(50_000)}", b"")
            print(f"database: {len(kept)} rows, then {answer.status}")
            assert honest(answer)
            docker("exec", holder, "rm", "/disks/db/ballast")
            site.wait(NOTES)
            assert set(kept) <= set(notes(site))
            assert note(site, "row again").status == 200
            site.execute("db", "pg_amcheck", "--username", "postgres", "--install-missing", "--database", "my_site")
            assert site.manage("doctor")
