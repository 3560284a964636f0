"""Every app server, with and without websockets, in the stack of production: stopped, started and replaced under load."""

import contextlib
import http.client
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from clients import Plan
from containers import docker, state
from documents import commands
from load import FIGURES, bounded
from projects import add_app, copier, data, program
from sockets import Crowd
from stack import KNOWN, Stack, request, stack
from tools import change, eventually, run, started

pytestmark = pytest.mark.unit("site")

SERVERS = ["gunicorn", "granian", "uwsgi", "uvicorn", "daphne", "hypercorn"]

# They speak WSGI, and have a service beside them for websockets.
WSGI = {"gunicorn", "granian", "uwsgi"}

# The codes with which servers close websockets when they stop; 1006 is a connection without a close frame.
CLOSED = {1001, 1006, 1012}


@dataclass(frozen=True)
class Site:
    """The stack of a project with an app server, on two processors."""

    server: str
    websockets: bool
    stack: Stack

    def __str__(self) -> str:
        return f"{self.server} {'with' if self.websockets else 'without'} websockets"

    @property
    def services(self) -> list[str]:
        """What serves the site."""
        return ["app", "ws"] if self.websockets and self.server in WSGI else ["app"]

    def containers(self, service: str) -> list[str]:
        """Return the ids of the containers of a service that run."""
        return self.stack.compose("ps", "--quiet", service).split()

    def crowd(self, *, posts: bool = False) -> Crowd:
        """Return clients that ask for pages, half of them by POST if so, and have websockets where there are some."""
        sockets = FIGURES.sockets if self.websockets else 0
        return Crowd(Plan(self.stack.url, rate=FIGURES.rate, posts=posts, sockets=sockets))

    def scale(self, replicas: int) -> None:
        """Let each service have so many containers, and wait until the proxy knows them."""
        wanted = [part for service in self.services for part in ("--scale", f"{service}={replicas}")]
        self.stack.compose("up", "--detach", "--wait", "--no-deps", *wanted, *self.services)
        time.sleep(KNOWN)

    def processes(self, expected: int = 1) -> set[int]:
        """Return the ids of the processes that answer, by asking for much at once.

        Each request has a connection of its own: those that the proxy keeps may never reach a new process.

        Args:
            expected: how many there should be: nothing spreads requests evenly, and one of three may get none of a few.
        """
        # uWSGI speaks its own protocol, and the proxy keeps no connections to it.
        url = self.stack.url if self.server == "uwsgi" else f"http://{self.stack.address('app')}:8000"

        def ask(_: int) -> int:
            # While workers are replaced, some connections are reset: the clients of a crowd count what is lost.
            with contextlib.suppress(OSError, ValueError, http.client.HTTPException):
                asked = request(url, "/probe/slow/?seconds=0.1", headers={"Host": "localhost"})
                return int(json.loads(asked.text)["process"])
            return 0

        found: set[int] = set()
        with ThreadPoolExecutor(24) as pool:
            for _ in range(5):
                found.update(filter(None, pool.map(ask, range(240))))
                if len(found) >= expected:
                    break
        return found

    def replaced(self, first: set[int]) -> bool:
        """Return whether none of these processes answers, but others."""
        now = self.processes()
        return bool(now) and not first & now

    @contextlib.contextmanager
    def ends(self) -> Iterator[list[int]]:
        """Collect the exit codes of containers that end while the block lasts."""
        codes: list[int] = []
        project = f"label=com.docker.compose.project={self.stack.env['APP_NAME']}"
        command = ["docker", "events", "--filter", project, "--filter", "event=die"]
        shown = ["--format", '{{index .Actor.Attributes "exitCode"}}']
        with started("events", [*command, *shown], self.stack.folder) as (_, log):
            yield codes
            time.sleep(0.5)
            codes.extend(map(int, log.read_text().split()))

    def check(self, crowd: Crowd, codes: list[int], times: int, what: str) -> None:
        """Print what came of a crowd and of its servers, and check what always holds.

        Args:
            crowd: its figures.
            codes: those of containers that ended.
            times: how often each websocket was closed, at least.
            what: what was done meanwhile.
        """
        gaps = ", ".join(f"{gap * 1000:.0f} ms" for gap in crowd.gaps()) or "none"
        print(f"\n{self}: {what}: away: {gaps}; {crowd}; exit codes: {codes}")
        # Docker kills hypercorn, which waits for open websockets without a limit (docs/hypercorn.md).
        killed = {137} if self.server == "hypercorn" and self.websockets else set()
        assert set(codes) <= {0} | killed, self.stack.compose("logs", "--tail", "50", *self.services)
        # 503 is the page of the proxy for what it does not repeat.
        assert {sample.status for sample in crowd.samples} <= {0, 200, 502, 503, 504}
        assert set(crowd.codes()) <= CLOSED
        if self.websockets:
            assert len(crowd.closures) >= FIGURES.sockets * times
            bounded("websockets are back", max((closure.back for closure in crowd.closures), default=0), FIGURES.back)
            assert crowd.echoes


# Servers that replace all workers on SIGHUP without closing their sockets.
RELOADING = ["gunicorn", "uvicorn"]

# Servers that count requests, and after how many a worker is replaced: fewer than in a project.
RECYCLING = {
    "gunicorn": (
        "docker/app/gunicorn.conf.py",
        "max_requests = 10_000 if workers > 1 else 0\nmax_requests_jitter = 2_000",
        "max_requests = 400\nmax_requests_jitter = 100",
    ),
    "uwsgi": (
        "docker/app/uwsgi.ini",
        "max-requests = 10000\nmax-requests-delta = 1000",
        "max-requests = 400\nmax-requests-delta = 100",
    ),
}

# Bytes of memory of a server with three workers, at most.
MEMORY = 400 * 2**20

COMBINATIONS = [(server, websockets) for server in SERVERS for websockets in (True, False)]


def of(*combinations: tuple[str, bool]) -> pytest.MarkDecorator:
    """Try with these alone what hardly differs elsewhere; ``./run soak`` tries their servers without websockets too."""
    servers = {server for server, _ in combinations}
    thorough = [combination for combination in COMBINATIONS if combination[0] in servers]
    return pytest.mark.parametrize("site", thorough if FIGURES.thorough else combinations, indirect=True, ids=name)


def name(combination: tuple[str, bool]) -> str:
    """Name a server, with or without websockets, in the names of tests."""
    server, websockets = combination
    return f"{server}, websockets" if websockets else server


@pytest.fixture(scope="module", params=COMBINATIONS, ids=name)
def site(request: pytest.FixtureRequest, template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The stack that the tests of a server share, of two processors and three processes, with one container a service."""
    server, websockets = request.param
    answers = {"app_server": server, "websockets": websockets, "redis": websockets, "celery_broker": "none", "frontend": "none"}
    project = tmp_path_factory.mktemp("servers") / "project"
    copier("copy", "--quiet", "--defaults", *data(answers), template, project, cwd=project.parent)
    add_app(project, "probe")
    with (project / ".env").open("a") as variables:
        variables.write("WEB_CONCURRENCY=3\n")
    with stack(project, APP_CPUS="2") as running:
        began = time.monotonic()
        running.build()
        built = time.monotonic()
        running.compose("up", "--detach", "--wait", "--no-build", attempts=2)
        site = Site(server, websockets, running)
        print(f"\n{site}: built in {built - began:.0f} s, up in {time.monotonic() - built:.0f} s")
        yield site


def play(site: Site, number: int) -> str:
    """Run one of the commands of the page of a server, and return what it printed."""
    listed = commands(site.stack.folder / "docs" / f"{site.server}.md")
    return run("sh", "-c", listed[number], cwd=site.stack.folder, env=site.stack.env)


with_websockets = of(*[combination for combination in COMBINATIONS if combination[1]])


@with_websockets
def test_restarted_server_exits_with_0_and_is_back(site: Site) -> None:
    with site.ends() as codes, site.crowd() as crowd:
        for _ in range(FIGURES.restarts):
            for service in site.services:
                one = site.stack.container(service)
                time.sleep(1)
                # A server that is killed after its stop_grace_period exits with 137.
                docker("restart", one)
                site.stack.wait("/probe/", patience=20)
                crowd.gathered(20)
        time.sleep(1)
    assert len(codes) == FIGURES.restarts * len(site.services)
    site.check(crowd, codes, FIGURES.restarts, f"{FIGURES.restarts} × SIGTERM and start")
    assert len(crowd.gaps()) == FIGURES.restarts
    bounded("the site is away", max(crowd.gaps()), 2 * FIGURES.back)


# The others drop some (docs/daphne.md, docs/hypercorn.md).
@of(("gunicorn", True), ("granian", True), ("uwsgi", True), ("uvicorn", True))
def test_requests_in_progress_are_finished_before_the_server_stops(site: Site) -> None:
    ids = site.containers("app")
    with site.ends() as codes, ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(site.stack.request, f"/probe/slow/?seconds={seconds}") for seconds in (1, 2, 3, 3)]
        time.sleep(0.5)
        began = time.monotonic()
        docker("stop", *ids)
        seconds = time.monotonic() - began
        statuses = [answer.result().status for answer in answers]
    print(f"\n{site}: stopped in {seconds:.1f} s while four requests ran: {statuses}")
    docker("start", *ids)
    site.stack.wait("/probe/", patience=20)
    assert (statuses, codes) == ([200] * 4, [0])
    bounded("docker stop while four requests run", seconds, 15)


@with_websockets
def test_web_concurrency_is_the_number_of_workers(site: Site) -> None:
    before, after = (1, 1) if site.server == "daphne" else (3, 2)  # 2 is the default
    many = len(site.processes(before))
    change(site.stack.folder / ".env", "WEB_CONCURRENCY=3\n", "")
    with site.ends() as codes, site.crowd() as crowd:
        for _ in range(FIGURES.restarts):
            time.sleep(1)
            site.stack.compose("up", "--detach", "--wait", "--no-deps", "--force-recreate", *site.services)
            site.stack.wait("/probe/", patience=20)
            crowd.gathered(20)
        time.sleep(1)
    few = len(site.processes(after))
    site.check(crowd, codes, FIGURES.restarts, f"recreated {FIGURES.restarts} ×, with {few} processes instead of {many}")
    assert (many, few) == (before, after)
    bounded("the site is away", max(crowd.gaps(), default=0), 2 * FIGURES.back)


@with_websockets
def test_stopping_one_of_two_containers_fails_no_request(site: Site) -> None:
    site.scale(2)
    with site.ends() as codes, site.crowd(posts=True) as crowd:
        for number in range(FIGURES.restarts):
            time.sleep(1)
            ids = [site.containers(service)[number % 2] for service in site.services]
            docker("stop", *ids)
            crowd.gathered(20)
            time.sleep(KNOWN)
            docker("start", *ids)
            eventually(lambda: all(state(one)["Health"]["Status"] == "healthy" for one in ids), "the container is not healthy")  # noqa: B023
            time.sleep(KNOWN)
    site.check(crowd, codes, 0, f"one of two stopped {FIGURES.restarts} ×")
    failures = crowd.failures()
    if site.server != "gunicorn":
        # They accept connections that they do not answer, and nginx sends a POST once (the page of each server).
        failures = [sample for sample in failures if sample.method == "GET"]
    assert failures == []
    assert not site.websockets or crowd.closures


def test_rolling_restart_fails_no_request(site: Site) -> None:
    site.scale(1 if FIGURES.restarts == 1 else 2)
    with site.ends() as codes, site.crowd() as crowd:
        for _ in range(FIGURES.restarts):
            before = {service: site.containers(service) for service in site.services}
            began = time.monotonic()
            run("sh", "docker/rollout.sh", *site.services, cwd=site.stack.folder, env=site.stack.env)
            seconds = time.monotonic() - began
            for service, old in before.items():
                new = site.containers(service)
                assert len(new) == len(old)
                assert not set(new) & set(old)
        crowd.gathered(20)
    site.check(crowd, codes, FIGURES.restarts, f"rolled out {FIGURES.restarts} ×, the last in {seconds:.0f} s")
    assert crowd.failures() == []


# daphne is one process.
@of(*[(server, True) for server in SERVERS if server != "daphne"])
def test_killed_worker_is_replaced(site: Site) -> None:
    # Before the tests in which workers are replaced for another reason.
    site.scale(1)
    workers = int(site.stack.execute("app", "printenv", "WEB_CONCURRENCY"))
    before = site.processes(workers)
    assert len(before) == workers
    killed = min(before)
    site.stack.execute("app", "python", "-c", f"import os; os.kill({killed}, 9)")
    site.stack.wait("/probe/", patience=40)

    def replaced() -> bool:
        # hypercorn ends with its worker, and Docker restarts the container, in which ids begin again.
        now = site.processes(workers)
        return len(now) == workers and (site.server == "hypercorn" or (killed not in now and bool(now - before)))

    eventually(replaced, "no worker takes its place", 40)


@of(*[(server, True) for server in RELOADING])
def test_workers_replaced_by_sighup_fail_no_request(site: Site) -> None:
    with site.ends() as codes, site.crowd() as crowd:
        first = site.processes()
        if site.server == "gunicorn":
            play(site, 0)
        else:
            site.stack.compose("kill", "--signal", "HUP", "app")
        eventually(lambda: site.replaced(first), "the workers are still there after a SIGHUP", 40)
        second = site.processes()
    site.check(crowd, codes, 0, f"workers {first}, after a SIGHUP {second}")
    assert crowd.failures() == []
    assert codes == []


@of(("granian", True))
def test_granian_replaces_its_workers_by_the_command_of_its_page(site: Site) -> None:
    first = site.processes()
    play(site, 0)

    eventually(lambda: site.replaced(first), "the workers are still there", 40)


@of(*[(server, True) for server in RECYCLING])
def test_workers_replaced_after_some_requests_fail_no_request(site: Site) -> None:
    name, old, new = RECYCLING[site.server]
    change(site.stack.folder / name, old, new)
    site.stack.build("app")
    site.stack.compose("up", "--detach", "--wait", "--no-deps", "app")
    site.stack.wait("/probe/", patience=20)
    with site.ends() as codes, site.crowd() as crowd:
        first = site.processes()
        eventually(lambda: site.replaced(first), "no worker is replaced", 60)
    site.check(crowd, codes, 0, f"workers {first} are replaced")
    assert crowd.failures() == []
    assert codes == []


@with_websockets
def test_memory_of_a_server_is_bounded(site: Site) -> None:
    # Control groups of version 2, or 1.
    files = ["/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/memory/memory.usage_in_bytes"]
    used = site.stack.execute("app", "sh", "-c", f"cat {files[0]} 2>/dev/null || cat {files[1]}")
    print(f"\n{site}: {int(used) / 2**20:.0f} MB, page cache included")
    assert int(used) < MEMORY


def test_server_listens_on_its_port_only(site: Site) -> None:
    for service in site.services:
        printed = site.stack.execute(service, "python", "-c", program("ports"))
        # Docker's own name server is 127.0.0.11, at any port.
        heard = {tuple(line.split()) for line in printed.splitlines()}
        heard = {(address, port) for address, port in heard if address != "0B00007F"}
        # Another port for each service: recreated containers may swap their addresses.
        public = ("00000000", "8002" if service == "ws" else "8000")
        assert public in heard
        others = heard - {public}
        print(f"\n{site}: {service} listens on {public[1]}, and inside the container on {others or 'nothing'}")
        # uWSGI: its statistics, and HTTP for the health check.
        assert len(others) <= (2 if site.server == "uwsgi" and service == "app" else 0)
        assert {address for address, _ in others} <= {"0100007F"}


@of(("uwsgi", True))
def test_uwsgi_prints_its_statistics(site: Site) -> None:
    stats = json.loads(play(site, 0))
    # After others have changed the number of processes.
    assert len(stats["workers"]) in {2, 3}
    assert int(site.stack.execute("app", "cat", "/tmp/uwsgi.pid")) == stats["pid"]  # noqa: S108 - of the container
