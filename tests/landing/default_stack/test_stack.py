"""The stack of production, run for real: started, released, broken and put under load. ``./run soak`` does more of it."""

import hashlib
import json
import re
import secrets
import shutil
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path

import pytest
from containers import container, docker, kill_main
from load import FIGURES, Load, Sample, bounded, percentile, together
from notes import NOTES, note, notes
from projects import copier
from stack import DEVELOPMENT_FILES, Stack, failing, ready, sign_in, stack
from tools import eventually, run

LIVE = "/health/live"


def links(site: Stack, path: str = "/") -> list[str]:
    """Return the static files that a page links, in its order."""
    return re.findall(r'(?:href|src)="(/static/[^"]+)"', site.request(path).text)


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
    style = package / "pages/static/pages/site.css"
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
        running.build(APP_IMAGE_TAG="2.0.0")
        print(f"the second release is built in {time.monotonic() - began:.1f} s")
    finally:
        for path, text in kept.items():
            path.write_text(text)
    running.compose("up", "--detach", "--wait", APP_IMAGE_TAG="2.0.0")
    second = links(running)
    (old,) = [link for link in first if re.match(r"/static/pages/site\.\w+\.css", link)]
    (new,) = [link for link in second if re.match(r"/static/pages/site\.\w+\.css", link)]
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
        stored = running.execute("proxy", "sha256sum", f"/usr/share/nginx{link}.gz").split()[0]
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
    bounded("the slowest /health/live without its database, before the health check gives up", percentile(load.of(LIVE), 1), 4)
    assert set(load.statuses(NOTES)) == {200, 503}
    bounded("pages after the database is back", back, 10)
    assert set(load.statuses(NOTES, good.began + good.seconds)) == {200}, "a stale connection"
    assert ready(running, at) == (200, [])


def test_without_redis_pages_go_on_and_people_stay_signed_in(running: Stack) -> None:
    code = (
        "from django.contrib.auth import get_user_model as m; m().objects.create_superuser('ada@example.com', 'correct-horse')"
    )
    running.manage("shell", "--verbosity", "0", "--command", code)
    at = running.address("app")
    cookies = sign_in(running, "ada@example.com", "correct-horse")
    signed_in = "/admin/password_change/"
    assert running.request(signed_in, headers={"Cookie": cookies}).status == 200
    with Load(running.url, ["/", "/accounts/login/", NOTES, LIVE], rate=5) as load:
        time.sleep(1)
        running.compose("stop", "cache")
        assert ready(running, at) == (200, []), "pages need no cache"
        assert set(failing(running.manage("doctor", code=1))) == {"cache", "websockets"}
        assert running.request(signed_in, headers={"Cookie": cookies}).status == 200
        sign_in(running, "ada@example.com", "correct-horse")
        time.sleep(FIGURES.outage / 2)
        running.compose("start", "cache")
        command = ("exec", "--no-TTY", "app", "sh", "-c", "python src/manage.py doctor || true")
        back = eventually(lambda: not failing(running.compose(*command)), "the cache does not come back")
        assert running.request(signed_in, headers={"Cookie": cookies}).status == 200
    slowest = max(percentile(load.of(path), 1) for path in load.paths)
    print(
        f"without Redis: { ({p: load.statuses(p) for p in load.paths}) }, slowest {slowest:.1f} s, doctor ok {back:.1f} s after start"
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
    before = running.inspect("app")["RestartCount"]
    began = time.monotonic()
    kill_main(running.container("app"))
    eventually(lambda: running.inspect("app")["RestartCount"] == before + 1, "it does not start again", 10)
    running.wait(NOTES, patience=15)
    seconds = time.monotonic() - began
    bounded("the site after it was killed with -9", seconds, 10)


def test_large_uploads_at_once_are_no_harm(running: Stack) -> None:
    content = secrets.token_bytes(2**20) * 90
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda number: note(running, f"large {number}", content).status, range(4)))
    print(f"4 uploads of 90 MB at once: {answers}")
    assert answers == [200] * 4
    assert running.execute("proxy", "find", "/var/cache/nginx/buffers", "-type", "f") == ""


def test_the_files_of_compose_and_of_the_proxy_are_clean(running: Stack) -> None:
    assert running.compose("config", "--quiet") == ""
    assert running.compose("config", "--quiet", COMPOSE_FILE=DEVELOPMENT_FILES) == ""
    printed = running.execute("proxy", "nginx", "-t")
    assert "test is successful" in printed
    assert "warn" not in printed


def test_the_proxy_cannot_reach_what_is_behind_the_site(running: Stack) -> None:
    assert running.execute("proxy", "getent", "hosts", "app")
    for service, port in (("db", 5432), ("cache", 6379)):
        running.execute("app", "python", "-c", f"import socket; socket.create_connection(('{service}', {port}), 3)")
        running.execute("proxy", "getent", "hosts", service, code=2)
        there = running.address(service, "back")
        printed = running.compose(
            *("exec", "--no-TTY", "proxy", "curl", "--silent", "--show-error", "--connect-timeout", "3"),
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


def test_compose_says_in_one_line_that_the_password_is_missing(running: Stack) -> None:
    for command in (["config"], ["up", "--detach"]):
        printed = running.compose(*command, code=1, DB_PASSWORD="").strip()
        assert len(printed.splitlines()) == 1
        assert re.search(r"DB_PASSWORD is missing a value: .*write a random one into \.env", printed)


@pytest.fixture(scope="module")
def server(
    stack_images: dict[str, str], template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Stack, str]]:
    """A server with no source and the images by their names, and the network of Docker that its proxy joins."""
    network = f"test-{secrets.token_hex(4)}"
    made = tmp_path_factory.mktemp("made") / "project"
    copier("copy", "--defaults", "--data", f"proxy_network={network}", template, made, cwd=made.parent)
    folder = tmp_path_factory.mktemp("server")
    for name in ("compose.yml", "compose.site.yml"):
        shutil.copy(made / name, folder)
    shutil.copytree(made / "docker/db", folder / "docker/db")
    key, password = secrets.token_urlsafe(48), secrets.token_urlsafe(48)
    (folder / ".env").write_text(f"SECRET_KEY={key}\nDB_PASSWORD={password}\nALLOWED_HOSTS=localhost,127.0.0.1\n")
    docker("network", "create", network)
    try:
        with stack(folder, **stack_images) as site:
            # Without a worker, which would have no broker here.
            site.compose("up", "--detach", "--no-build", "proxy")
            yield site, network
    finally:
        docker("network", "rm", network)


def test_a_server_without_the_source_runs_the_images(server: tuple[Stack, str]) -> None:
    site, _ = server
    files = sorted(str(path.relative_to(site.folder)) for path in site.folder.rglob("*") if path.is_file())
    assert files == [
        ".env",
        "compose.site.yml",
        "compose.yml",
        "docker/db/backup.sh",
        "docker/db/init.sql",
        "docker/db/restore.sh",
    ]
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
    image = site.inspect("proxy")["Config"]["Image"]
    asked = ["run", "--rm", "--network", network, "--entrypoint"]
    assert "204" in docker(*asked, "curl", image, "--silent", "--include", "http://proxy:8080/health/proxy")
    docker(*asked, "getent", image, "hosts", "app", code=2)


# Processes of the site, WEB_CONCURRENCY, and the connections of each, WEB_THREADS.
PROCESSES, POOL = 2, 4


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
