"""Websockets in the stack of production: what one of them may do, many of them, and what happens without their server."""

import asyncio
import contextlib
import json
import statistics
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import test_pages
from clients import Plan
from conftest import change, copier, data, eventually
from containers import docker
from load import FIGURES, percentile
from playwright.sync_api import Browser, Page, WebSocket
from probe import add_probe
from sockets import Crowd, connected
from stack import KNOWN, Stack, request, sign_in, stack

browser = test_pages.browser

# Seconds after which the proxy takes a websocket for idle, instead of 60, and between heartbeats, instead of 20.
IDLE, HEARTBEAT = 9, 3

# Bytes of a message, and messages a second: the defaults of docs/settings.md.
MAX_SIZE, MAX_RATE = 65_536, 20

PASSWORD = "correct horse battery"  # noqa: S105 - of the test


@pytest.fixture(scope="module")
def site(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack that these tests share. Each leaves all services up, as it found them."""
    project = tmp_path_factory.mktemp("websockets") / "project"
    answers = data({"celery_broker": "none", "frontend": "none"})
    copier("copy", "--quiet", "--defaults", *answers, template, project, cwd=project.parent)
    add_probe(project)
    with stack(project) as running:
        began = time.monotonic()
        running.compose("build", timeout=900)
        built = time.monotonic()
        running.compose("up", "--detach", "--wait")
        print(f"\nbuilt in {built - began:.0f} s, up in {time.monotonic() - built:.0f} s")
        yield running


def answer(socket: aiohttp.ClientWebSocketResponse, patience: float = 10) -> Coroutine[Any, Any, Any]:
    """Return the next message that is no heartbeat, or the code by which the websocket was closed."""

    async def wait() -> Any:
        while True:
            message = await socket.receive()
            if message.type is not aiohttp.WSMsgType.TEXT:
                return socket.close_code
            content = message.json()
            if not (isinstance(content, dict) and "heartbeat" in content):
                return content

    return asyncio.wait_for(wait(), patience)


def talk(site: Stack, path: str, *messages: str, headers: dict[str, str] | None = None) -> list[Any]:
    """Open a websocket, send messages as they are, and return an answer to each."""

    async def run() -> list[Any]:
        answers = []
        async with connected(site.url, path, headers) as socket:
            for message in messages:
                with contextlib.suppress(OSError):
                    await socket.send_str(message)
                answers.append(await answer(socket))
        return answers

    # The thread of a browser has a loop already.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, run()).result()


def test_a_message_comes_back_through_the_proxy(site: Stack) -> None:
    assert talk(site, "/ws/echo/", '{"text": "שלום 🎉"}', "[1, 2]") == [{"text": "שלום 🎉"}, [1, 2]]


@pytest.fixture
def quick(site: Stack) -> Iterator[None]:
    """Let time go by more quickly in the stack, for the proxy and for the heartbeats."""
    conf, variables = site.folder / "docker/nginx/site.conf.in", site.folder / ".env"
    kept = {file: file.read_text() for file in (conf, variables)}
    change(conf, "proxy_read_timeout 60s;", f"proxy_read_timeout {IDLE}s;")
    variables.write_text(f"{kept[variables]}WEBSOCKET_HEARTBEAT={HEARTBEAT}\n")
    try:
        site.compose("up", "--detach", "--wait", "--build", "nginx", "ws", timeout=600)
        yield
    finally:
        for file, content in kept.items():
            file.write_text(content)
        site.compose("up", "--detach", "--wait", "--build", "nginx", "ws", timeout=600)


@pytest.mark.usefixtures("quick")
def test_a_websocket_that_is_idle_stays_open(site: Stack) -> None:
    async def idle() -> tuple[Any, float]:
        async with connected(site.url, "/ws/echo/") as socket:
            began = time.monotonic()
            with contextlib.suppress(TimeoutError):
                return await answer(socket, FIGURES.idle * IDLE), 0
            seconds = time.monotonic() - began
            await socket.send_str('"still here"')
            return await answer(socket), seconds

    said, seconds = asyncio.run(idle())
    print(f"idle for {seconds:.0f} s, where the proxy waits for {IDLE} s: {said}")
    assert said == "still here"


def test_a_message_that_is_too_large_closes_with_1009(site: Stack) -> None:
    text = "a" * (MAX_SIZE - 2)
    assert talk(site, "/ws/echo/", json.dumps(text)) == [text]
    assert talk(site, "/ws/echo/", json.dumps(text + "a")) == [1009]
    began = time.monotonic()
    assert talk(site, "/ws/echo/", json.dumps("a" * 10_000_000)) == [1009]
    print(f"10 MB are refused after {time.monotonic() - began:.1f} s")


def test_too_many_messages_close_with_1008(site: Stack) -> None:
    async def hurry() -> tuple[list[Any], float]:
        async with connected(site.url, "/ws/echo/") as socket:
            began = time.monotonic()
            for number in range(10 * MAX_RATE):
                await socket.send_str(str(number))
            answers = [await answer(socket)]
            while answers[-1] != 1008:
                answers.append(await answer(socket))
            return answers, time.monotonic() - began

    answers, seconds = asyncio.run(hurry())
    passed = len(answers) - 1
    print(f"{passed} of {10 * MAX_RATE} messages at once are answered, within {seconds:.1f} s")
    assert answers[:-1] == list(range(passed))
    # What is there for two seconds, and what comes meanwhile.
    assert 2 * MAX_RATE <= passed <= (2 + seconds) * MAX_RATE + 1


@pytest.mark.parametrize(("message", "code"), [("no JSON", 1007), ("[" * 5000, 1007)])
def test_what_cannot_be_read_closes_with_a_code(message: str, code: int, site: Stack) -> None:
    assert talk(site, "/ws/echo/", message) == [code]


@pytest.mark.parametrize("origin", ["https://evil.example", "http://127.0.0.1.evil.example", "null"])
def test_a_page_of_somebody_else_opens_no_websocket(origin: str, site: Stack) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        talk(site, "/ws/echo/", headers={"Origin": origin})
    # Some servers know of themselves that nothing is no origin.
    assert refused.value.status in ({400, 403} if origin == "null" else {403})


def test_a_path_of_nothing_opens_no_websocket(site: Stack) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        talk(site, "/ws/nothing/")
    assert refused.value.status in {403, 404}


@pytest.mark.parametrize("path", ["/ws/echo/", "/ws/nothing/"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_is_no_websocket_gets_an_answer(method: str, path: str, site: Stack) -> None:
    headers = {"Host": "localhost"}
    began = time.monotonic()
    by_the_proxy = site.request(path, method, headers=headers)
    by_the_service = request(f"http://{site.address('ws')}:8002", path, method, headers=headers)
    seconds = time.monotonic() - began
    print(f"{method} {path}: {by_the_proxy.status} of the proxy, {by_the_service.status} of ws, in {seconds:.1f} s")
    assert by_the_proxy.status == 426
    assert 400 <= by_the_service.status < 500
    assert seconds < 5


def test_websockets_are_served_below_their_path_alone(site: Stack) -> None:
    headers = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "a" * 22 + "==",
    }
    assert site.request("/", headers=headers).status == 200
    assert site.request("/health/live", headers=headers).status == 200


def test_a_consumer_knows_who_is_signed_in(site: Stack) -> None:
    code = f"from django.contrib.auth import get_user_model as m; m().objects.create_superuser('ada', password='{PASSWORD}')"
    site.manage("shell", "--verbosity", "0", "--command", code)
    (stranger,) = talk(site, "/ws/probe/", "{}")
    (known,) = talk(site, "/ws/probe/", "{}", headers={"Cookie": sign_in(site, "ada", PASSWORD.replace(" ", "+"))})
    assert (stranger["user"], known["user"]) == ("", "ada")
    (forged,) = talk(site, "/ws/probe/", "{}", headers={"Cookie": "sessionid=abcdefghijklmnopqrstuvwxyz012345"})
    assert forged["user"] == ""


@pytest.mark.alone
def test_many_open_websockets_hardly_slow_down_pages(site: Stack) -> None:
    def measure() -> float:
        with Crowd(Plan(site.url, rate=FIGURES.rate)) as clients:
            time.sleep(FIGURES.window)
        assert clients.failures() == []
        return percentile(clients.samples, 0.99) * 1000

    measure()
    alone, beside = [], []
    for _ in range(FIGURES.windows):
        alone.append(measure())
        began = time.monotonic()
        with Crowd(Plan(site.url, sockets=FIGURES.crowd, every=0)) as crowd:
            opened = time.monotonic() - began
            beside.append(measure())
            assert crowd.state()["open"] == FIGURES.crowd
        assert crowd.closures == []
    memory = docker("stats", "--no-stream", "--format", "{{.MemUsage}}", site.container("ws"))
    before, after = statistics.median(alone), statistics.median(beside)
    print(
        f"p99 of pages {before:.0f} ms alone, {after:.0f} ms beside {FIGURES.crowd} websockets: {after / before:.2f} times; "
        f"these were open within {opened:.1f} s; ws has {memory}"
    )
    assert after < 2 * before


def lose_redis(site: Stack, away: Callable[[], object], back: Callable[[], object]) -> None:
    """Take Redis away and bring it back, while websockets are open."""
    with Crowd(Plan(site.url, sockets=FIGURES.sockets)) as crowd:
        time.sleep(1)
        began = time.monotonic()
        away()
        gone = time.monotonic()
        eventually(lambda: crowd.state()["open"] == 0, "websockets do not notice", 15)
        time.sleep(2)
        assert crowd.state()["open"] == 0
        assert site.request("/").status == 200
        returned = time.monotonic()
        back()
        crowd.gathered(30)
        seconds = time.monotonic() - returned
        time.sleep(1)
    noticed = [closure.at - began for closure in crowd.closures]
    print(
        f"Redis was away after {gone - began:.1f} s; noticed after {max(noticed):.1f} s; all back {seconds:.1f} s after it; {crowd}"
    )
    assert set(crowd.codes()) == {1013}
    assert len(crowd.closures) == FIGURES.sockets
    assert max(noticed) - (gone - began) <= 10


def test_redis_that_stops_closes_with_1013_and_clients_come_back(site: Stack) -> None:
    lose_redis(site, lambda: site.compose("stop", "redis"), lambda: site.compose("start", "redis"))


def test_redis_that_freezes_closes_with_1013_and_clients_come_back(site: Stack) -> None:
    redis = site.container("redis")
    lose_redis(site, lambda: docker("pause", redis), lambda: docker("unpause", redis))


def test_a_group_reaches_websockets_of_every_replica(site: Stack) -> None:
    site.compose("up", "--detach", "--wait", "--no-deps", "--scale", "app=3", "--scale", "ws=2", "app", "ws")
    time.sleep(KNOWN)

    async def gather() -> dict[str, list[Any]]:
        heard: dict[str, list[Any]] = {}
        async with contextlib.AsyncExitStack() as opened:
            sockets = {}
            for _ in range(20):
                socket = await opened.enter_async_context(connected(site.url, "/ws/group/"))
                sockets[(await answer(socket))["replica"]] = socket
            for number, socket in enumerate(sockets.values()):
                await socket.send_json({"number": number})
            for replica, socket in sockets.items():
                heard[replica] = [(await answer(socket))["number"] for _ in sockets]
        return heard

    try:
        heard = asyncio.run(gather())
        answered = {json.loads(site.request("/probe/").text)["replica"] for _ in range(12)}
        print(f"{len(answered)} replicas answer pages; of ws, {len(heard)} pass on to each other: {list(heard.values())}")
        assert len(answered) == 3
        assert [sorted(numbers) for numbers in heard.values()] == [[0, 1], [0, 1]]
    finally:
        site.compose("up", "--detach", "--wait", "--no-deps", "app", "ws")
        time.sleep(KNOWN)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A new page."""
    page = browser.new_page()
    yield page
    page.close()


class Watched:
    """The websockets of a page: what each of them is told."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.urls: list[str] = []
        self.told: list[list[str]] = []
        page.on("websocket", self._open)

    def _open(self, socket: WebSocket) -> None:
        told: list[str] = []
        self.urls.append(socket.url)
        self.told.append(told)
        socket.on("framereceived", lambda payload: told.append(str(payload)))

    def state(self, since: int = 0, patience: float = 30) -> float:
        """Wait until a websocket that was opened later is told the state of the components. Returns the seconds.

        Args:
            since: how many websockets there were before.
            patience: seconds after which it is given up.
        """
        began = time.monotonic()
        while not any('"html"' in text for told in self.told[since:] for text in told):
            assert time.monotonic() - began < patience, f"the page is told nothing: {self.told}"
            self.page.wait_for_timeout(50)
        return time.monotonic() - began


def test_the_start_page_is_told_its_state_and_survives_restarts(site: Stack, page: Page) -> None:
    watched = Watched(page)
    page.goto(site.url)
    page.evaluate("window.stays = true")
    print(f"\nthe state is there after {watched.state():.1f} s")
    for service in ("ws", "redis"):
        before = len(watched.told)
        began = time.monotonic()
        site.compose("restart", service)
        seconds = watched.state(before)
        print(
            f"{service} is restarted after {time.monotonic() - began - seconds:.1f} s, the state is there after {seconds:.1f} s more"
        )
        page.locator("[data-lost]").wait_for(state="hidden")
        page.locator("[data-component=cache][data-works=yes]").wait_for()
    assert page.evaluate("window.stays"), "the page was loaded again"
    assert set(watched.urls) == {site.url.replace("http", "ws") + "/ws/components/"}


def test_everything_works_below_a_prefix(site: Stack, page: Page) -> None:
    services = ["app", "ws", "nginx"]
    variables = site.folder / ".env"
    kept = variables.read_text()
    variables.write_text(f"{kept}URL_PREFIX=/shop\n")
    site.compose("up", "--detach", "--wait", "--no-deps", *services)
    try:
        site.wait("/shop/")
        watched = Watched(page)
        page.goto(f"{site.url}/shop/")
        watched.state()
        page.locator("[data-component=database][data-works=yes]").wait_for()
        assert set(watched.urls) == {site.url.replace("http", "ws") + "/shop/ws/components/"}
        (seen,) = talk(site, "/shop/ws/probe/", "{}")
        assert seen["login"] == "/shop/accounts/login/"
        assert site.status("/shop/ws/probe/") == 426
        assert site.status("/ws/probe/") == 404
    finally:
        variables.write_text(kept)
        site.compose("up", "--detach", "--wait", "--no-deps", *services)
        site.wait()
