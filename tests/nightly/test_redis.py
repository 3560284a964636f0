"""Pages and websockets while Redis is down, and after it is back."""

import asyncio
import time
from collections.abc import Callable

from aiohttp import ClientError
from clients import Plan
from containers import docker
from load import FIGURES
from sockets import Crowd, answer, connected
from stack import Stack
from tools import eventually

# Seconds after which everything works again by itself.
RECOVERY = 10


def is_delivered(site: Stack) -> bool:
    """Return whether a message that is sent to a group arrives."""

    async def send() -> bool:
        async with connected(site.url, "/ws/group/") as socket:
            await answer(socket, 2)
            await socket.send_str('"hello"')
            return bool(await answer(socket, 2) == "hello")

    try:
        return asyncio.run(send())
    except (ClientError, OSError, TimeoutError):
        return False


def lose_redis(default_stack: Stack, down: Callable[[], object], up: Callable[[], object]) -> None:
    """Take Redis down and bring it back while websockets are open."""
    assert is_delivered(default_stack)
    with Crowd(Plan(default_stack.url, sockets=FIGURES.sockets)) as crowd:
        down()
        began = time.monotonic()
        assert default_stack.request("/accounts/login/").status == 200
        page = time.monotonic() - began
        assert not is_delivered(default_stack)
        up()
        returned = time.monotonic()
        eventually(lambda: is_delivered(default_stack), "messages are not delivered", RECOVERY)
        recovered = time.monotonic() - returned
        crowd.gathered(30)
    print(f"without Redis a page takes {page:.1f} s; messages are delivered {recovered:.1f} s after it is back; {crowd}")


def test_pages_and_websockets_recover_after_redis_was_stopped(default_stack: Stack) -> None:
    lose_redis(default_stack, lambda: default_stack.compose("stop", "cache"), lambda: default_stack.compose("start", "cache"))


def test_pages_and_websockets_recover_after_redis_was_frozen(default_stack: Stack) -> None:
    redis = default_stack.container("cache")
    lose_redis(default_stack, lambda: docker("pause", redis), lambda: docker("unpause", redis))
