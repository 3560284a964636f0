"""The stack of production, run for real: started, released, broken and put under load. ``./run soak`` does more of it."""

import contextlib
import hashlib
import json
import re
import secrets
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import copier, eventually, free_port, run
from containers import container, docker
from load import FIGURES, Load, Sample, SlowClients, ask, medians, percentile, together
from notes import add_notes
from stack import Answer, Stack, request, stack

# Every service, and those that run all the time.
SERVICES = ["app", "migrate", "nginx", "db", "redis"]
RUNNING = ["app", "nginx", "db", "redis"]

LIVE = "/health/live"
NOTES = "/notes/"

# Megabytes of the disks that are filled, in multiples of a page of memory.
DISKS = {"media": "16m", "db": "160m"}

# The content of every table, and of every file, in a line each.
TABLES = """
SELECT format('SELECT %L, count(*), md5(coalesce(string_agg(t::text, chr(10) ORDER BY t::text), '''')) FROM %I t',
tablename, tablename) FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename \\gexec
"""


@dataclass(frozen=True)
class Built:
    """A project whose images are built, for any number of stacks."""

    folder: Path
    env: dict[str, str]


def images(stack: Stack | Built) -> dict[str, str]:
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


def address(site: Stack, service: str, network: str = "front") -> str:
    """Return the address of a container."""
    networks = site.inspect(service)["NetworkSettings"]["Networks"]
    found: str = networks[f"{site.env['APP_NAME']}_{network}"]["IPAddress"]
    return found


def ready(site: Stack, at: str = "") -> tuple[int, list[str]]:
    """Ask the site itself whether it is ready. Returns the status, and what fails."""
    answer = request(f"http://{at or address(site, 'app')}:8000", "/health/ready", timeout=30)
    return answer.status, json.loads(answer.text)["failing"]


def contents(site: Stack) -> str:
    """Return the rows and the checksum of every table, and the checksum of every file of the media."""
    sql = "psql --no-psqlrc -At --username postgres --dbname my_site"
    tables = run("docker", "exec", "-i", site.container("db"), "sh", "-c", f"echo \"$0\" | {sql}", TABLES, cwd=site.folder)
    code = (
        "import hashlib, pathlib\nfor path in sorted(pathlib.Path('data/media').rglob('*')):\n"
        "    print(path, hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else '')"
    )
    return tables + site.compose("run", "--rm", "--no-deps", "app", "python", "-c", code)


def links(site: Stack, path: str = "/") -> list[str]:
    """Return the static files that a page links, in its order."""
    return re.findall(r'(?:href|src)="(/static/[^"]+)"', site.request(path).text)


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


def gaps(samples: list[Sample], good: int = 200) -> str:
    """Describe the answers of a path in a line: runs of one status, with their seconds."""
    found: list[tuple[int, float, int]] = []
    for sample in samples:
        if found and found[-1][0] == sample.status:
            found[-1] = (sample.status, found[-1][1], found[-1][2] + 1)
        else:
            found.append((sample.status, sample.began, 1))
    return ", ".join(f"{count} × {status}" for status, _, count in found) or f"none {good}"


def test_a_database_that_stops_takes_no_process_along(running: Stack) -> None:
    at = address(running, "app")
    with Load(running.url, [LIVE, NOTES], rate=10) as load:
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
    print(f"pages: {gaps(load.of(NOTES))}; /health/live: {load.statuses(LIVE)}, p99 {percentile(load.of(LIVE), 0.99):.2f} s")
    assert set(load.statuses(LIVE)) == {200}
    assert percentile(load.of(LIVE), 1) < 4, "the health check would give up"
    assert set(load.statuses(NOTES)) == {200, 503}
    assert back <= 10
    assert set(load.statuses(NOTES, good.began + good.seconds)) == {200}, "a stale connection"
    assert ready(running, at) == (200, [])


def sign_in(site: Stack, name: str, password: str) -> str:
    """Sign in as a browser does. Returns the cookies."""
    page = site.request("/accounts/login/")
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)
    assert token is not None
    cookies = [value.split(";")[0] for key, value in page.headers if key == "set-cookie"]
    body = f"csrfmiddlewaretoken={token[1]}&username={name}&password={password}".encode()
    headers = {"Cookie": "; ".join(cookies), "Content-Type": "application/x-www-form-urlencoded"}
    answer = site.request("/accounts/login/", "POST", body, headers)
    assert answer.status == 302, answer.text
    return "; ".join([*cookies[:0], *(value.split(";")[0] for key, value in answer.headers if key == "set-cookie")])


def test_without_redis_pages_go_on_and_people_stay_signed_in(running: Stack) -> None:
    code = "from django.contrib.auth import get_user_model as m; m().objects.create_superuser('ada', password='correct-horse')"
    running.manage("shell", "--verbosity", "0", "--command", code)
    at = address(running, "app")
    cookies = sign_in(running, "ada", "correct-horse")
    signed_in = "/admin/password_change/"
    assert running.request(signed_in, headers={"Cookie": cookies}).status == 200
    with Load(running.url, ["/", "/accounts/login/", NOTES, LIVE], rate=5) as load:
        time.sleep(1)
        running.compose("stop", "redis")
        assert ready(running, at) == (503, ["cache"])
        assert running.request(signed_in, headers={"Cookie": cookies}).status == 200
        sign_in(running, "ada", "correct-horse")
        time.sleep(FIGURES.outage / 2)
        running.compose("start", "redis")
        back = eventually(lambda: ready(running, at)[0] == 200, "the cache does not come back")
        assert running.request(signed_in, headers={"Cookie": cookies}).status == 200
    slowest = max(percentile(load.of(path), 1) for path in load.paths)
    print(f"without Redis: {({p: load.statuses(p) for p in load.paths})}, slowest {slowest:.1f} s, ready {back:.1f} s after start")
    assert all(set(load.statuses(path)) == {200} for path in load.paths)
    running.manage("shell", "--verbosity", "0", "--command", code.split(";")[0] + "; m().objects.all().delete()")


def test_the_proxy_finds_the_site_at_a_new_address(running: Stack) -> None:
    before = address(running, "app")
    network = f"{running.env['APP_NAME']}_front"
    running.compose("rm", "--stop", "--force", "app")
    with (
        container("redis:8", "--network", network),
        container("redis:8", "--network", network),
        Load(running.url, [NOTES], rate=10) as load,
    ):
        running.compose("up", "--detach", "--no-deps", "--wait", "app")
        healthy = time.monotonic()
        after = address(running, "app")
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
    running.compose("exec", "--no-TTY", "app", "python", "-c", code, code=137)
    eventually(lambda: running.inspect("app")["RestartCount"] == before + 1, "it does not start again", 10)
    running.wait(NOTES, patience=15)
    seconds = time.monotonic() - began
    print(f"killed with -9, the site is back after {seconds:.1f} s")
    assert seconds <= 10


def test_connections_to_the_database_stay_within_the_pool(running: Stack) -> None:
    sql = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'my_site'"
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
    processes = int(running.inspect("app")["Config"]["Labels"].get("processes", 1))
    print(f"{len(samples)} requests in {seconds:.1f} s, p99 {percentile(samples, 0.99) * 1000:.0f} ms; connections: {counted}")
    assert {sample.status for sample in samples} == {200}
    assert max(counted) <= processes * 4


def test_slow_clients_do_not_slow_down_the_others(running: Stack) -> None:
    def measure() -> float:
        samples = together(running.url, [NOTES, "/accounts/login/"], 300, threads=2)
        assert {sample.status for sample in samples} == {200}
        return percentile(samples, 0.99)

    measure()
    without = medians(measure, FIGURES.windows)
    kinds = {"headers": "/", "body": NOTES, "reader": "/notes/large/"}
    with SlowClients(running.url, FIGURES.slow_clients, kinds) as slow:
        time.sleep(2)
        beside = medians(measure, FIGURES.windows)
        let_go = slow.let_go
    print(
        f"p99 {without * 1000:.0f} ms alone, {beside * 1000:.0f} ms beside {FIGURES.slow_clients} slow clients: "
        f"{beside / without:.2f} times; {let_go} connections were let go"
    )
    assert beside < 2 * without
    assert running.inspect("nginx")["RestartCount"] == 0
