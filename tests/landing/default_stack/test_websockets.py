"""Websockets in the stack of production: what one of them may do, many of them, and what happens without their server."""

import asyncio
import contextlib
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import aiohttp
import pytest
from browsers import Watched
from load import FIGURES, bounded
from playwright.sync_api import Browser, Page
from sockets import answer, connected
from stack import KNOWN, Stack, request, sign_in
from tools import change

# Seconds after which the proxy takes a websocket for idle, instead of 60, and between heartbeats, instead of 20.
IDLE, HEARTBEAT = 9, 3

# Bytes of a message, and messages a second: the defaults of docs/settings.md.
MAX_SIZE, MAX_RATE = 65_536, 20

# Close codes: of a dropped connection, and of runtime/websockets.py.
DROPPED, INVALID, TOO_MANY = 1006, 4400, 4429


@pytest.fixture
def site(running: Stack) -> Stack:
    """The stack that all tests of this folder share."""
    return running


PASSWORD = "correct horse battery"  # noqa: S105 - of the test


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


@pytest.mark.parametrize("consumer", ["echo", "stock"])
def test_message_is_echoed_through_the_proxy(consumer: str, site: Stack) -> None:
    assert talk(site, f"/ws/{consumer}/", '{"text": "שלום 🎉"}', "[1, 2]") == [{"text": "שלום 🎉"}, [1, 2]]


@pytest.fixture
def quick(site: Stack) -> Iterator[None]:
    """Shorten the timeout of the proxy and the heartbeats."""
    conf, variables = site.folder / "docker/proxy/site.conf.in", site.folder / ".env"
    kept = {file: file.read_text() for file in (conf, variables)}
    change(conf, "proxy_read_timeout 60s;", f"proxy_read_timeout {IDLE}s;")
    variables.write_text(f"{kept[variables]}WEBSOCKET_HEARTBEAT={HEARTBEAT}\n")
    try:
        # By a tag of its own: the images of the others stay as they are.
        site.build("proxy", APP_IMAGE_TAG="quick")
        site.compose("up", "--detach", "--wait", "--no-deps", "proxy", APP_IMAGE_TAG="quick")
        site.compose("up", "--detach", "--wait", "--no-deps", "ws")
        yield
    finally:
        for file, content in kept.items():
            file.write_text(content)
        site.compose("up", "--detach", "--wait", "--no-deps", "proxy", "ws")


@pytest.mark.usefixtures("quick")
def test_idle_websocket_stays_open(site: Stack) -> None:
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


def test_too_large_message_closes(site: Stack) -> None:
    text = "a" * (MAX_SIZE - 2)
    assert talk(site, "/ws/echo/", json.dumps(text)) == [text]
    # Daphne drops the connection without a code.
    assert talk(site, "/ws/echo/", json.dumps(text + "a")) == [DROPPED]
    began = time.monotonic()
    assert talk(site, "/ws/echo/", json.dumps("a" * 10_000_000)) == [DROPPED]
    print(f"10 MB are refused after {time.monotonic() - began:.1f} s")


def test_too_many_messages_close_with_4429(site: Stack) -> None:
    async def hurry() -> tuple[list[Any], float]:
        async with connected(site.url, "/ws/echo/") as socket:
            began = time.monotonic()
            # The socket may be closed before the last one is sent.
            with contextlib.suppress(aiohttp.ClientConnectionResetError):
                for number in range(10 * MAX_RATE):
                    await socket.send_str(str(number))
            answers = [await answer(socket)]
            while answers[-1] != TOO_MANY:
                answers.append(await answer(socket))
            return answers, time.monotonic() - began

    answers, seconds = asyncio.run(hurry())
    passed = len(answers) - 1
    print(f"{passed} of {10 * MAX_RATE} messages at once are answered, within {seconds:.1f} s")
    assert answers[:-1] == list(range(passed))
    # What is there for two seconds, and what comes meanwhile.
    assert 2 * MAX_RATE <= passed <= (2 + seconds) * MAX_RATE + 1


@pytest.mark.parametrize("message", ["no JSON", "[" * 5000])
def test_invalid_message_closes_with_4400(message: str, site: Stack) -> None:
    assert talk(site, "/ws/echo/", message) == [INVALID]


@pytest.mark.parametrize("origin", ["https://evil.example", "http://127.0.0.1.evil.example", "null"])
def test_other_origin_is_refused(origin: str, site: Stack) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        talk(site, "/ws/echo/", headers={"Origin": origin})
    # Some servers refuse the origin `null` by themselves.
    assert refused.value.status in ({400, 403} if origin == "null" else {403})


def test_unknown_path_is_refused(site: Stack) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        talk(site, "/ws/nothing/")
    assert refused.value.status in {403, 404}


@pytest.mark.parametrize("path", ["/ws/echo/", "/ws/nothing/"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_plain_request_to_a_websocket_gets_a_response(method: str, path: str, site: Stack) -> None:
    headers = {"Host": "localhost"}
    began = time.monotonic()
    by_the_proxy = site.request(path, method, headers=headers)
    by_the_service = request(f"http://{site.address('ws')}:8002", path, method, headers=headers)
    seconds = time.monotonic() - began
    print(f"{method} {path}: {by_the_proxy.status} of the proxy, {by_the_service.status} of ws, in {seconds:.1f} s")
    assert by_the_proxy.status == 426
    assert 400 <= by_the_service.status < 500
    bounded(f"{method} {path}, both", seconds, 5)


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
    code = f"from django.contrib.auth import get_user_model as m; m().objects.create_superuser('ada@example.com', password='{PASSWORD}')"
    site.manage("shell", "--verbosity", "0", "--command", code)
    (stranger,) = talk(site, "/ws/probe/", "{}")
    (known,) = talk(site, "/ws/probe/", "{}", headers={"Cookie": sign_in(site, "ada@example.com", PASSWORD)})
    assert (stranger["user"], known["user"]) == ("", "ada@example.com")
    (forged,) = talk(site, "/ws/probe/", "{}", headers={"Cookie": "sessionid=abcdefghijklmnopqrstuvwxyz012345"})
    assert forged["user"] == ""


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


def test_start_page_receives_states_also_after_restarts(site: Stack, page: Page) -> None:
    watched = Watched(page)
    page.goto(site.url)
    page.evaluate("window.stays = true")
    print(f"\nthe state is there after {watched.state():.1f} s")
    before = len(watched.told)
    site.compose("restart", "ws")
    print(f"after a restart of ws, the state is there after {watched.state(before):.1f} s")
    page.locator("p[data-lost]").wait_for(state="hidden")
    before = len(watched.told)
    began = time.monotonic()
    site.compose("stop", "cache")
    page.locator("[data-component=cache][data-works=no]").wait_for()
    site.compose("start", "cache")
    for component in ("cache", "websockets"):
        page.locator(f"[data-component={component}][data-works=yes]").wait_for()
    print(f"a restart of the cache is shown {time.monotonic() - began:.1f} s after its begin")
    assert len(watched.told) == before, "the websocket was closed"
    assert page.evaluate("window.stays"), "the page was loaded again"
    assert set(watched.urls) == {site.url.replace("http", "ws") + "/ws/components/"}


def test_everything_works_below_a_prefix(site: Stack, page: Page) -> None:
    services = ["app", "ws", "proxy"]
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
