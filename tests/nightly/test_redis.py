"""Websockets while Redis is down: they stay open, messages to groups are lost, and later ones arrive."""

import asyncio
import time
from collections.abc import Callable

import aiohttp
from clients import Plan
from containers import docker
from load import FIGURES
from sockets import Crowd, answer, connected
from stack import Stack


def lose_redis(site: Stack, stop: Callable[[], object], start: Callable[[], object]) -> None:
    """Stop Redis and start it again, while websockets are open."""

    async def listen() -> float:
        async with connected(site.url, "/ws/group/") as early:
            await answer(early)
            await asyncio.to_thread(stop)
            assert (await asyncio.to_thread(site.request, "/")).status == 200
            refused = 0
            try:
                async with connected(site.url, "/ws/group/") as socket:
                    refused = await answer(socket)
            except aiohttp.WSServerHandshakeError as error:
                refused = error.status
            assert refused in {500, 502, 1011, 1006}, "a websocket joined a group without Redis"
            await asyncio.to_thread(start)
            began = time.monotonic()
            while True:
                try:
                    async with connected(site.url, "/ws/group/") as late:
                        await answer(late)
                        await late.send_json({"number": 7})
                        assert await answer(early) == {"number": 7}
                        return time.monotonic() - began
                except (aiohttp.WSServerHandshakeError, TimeoutError):
                    assert time.monotonic() - began < 30, "the group does not recover"
                    await asyncio.sleep(0.5)

    with Crowd(Plan(site.url, sockets=FIGURES.sockets)) as crowd:
        recovered = asyncio.run(listen())
    print(f"the group works {recovered:.1f} s after Redis; {crowd}")
    assert crowd.closures == [], "websockets that need no Redis are closed"


def test_websockets_outlive_a_stopped_redis(default_stack: Stack) -> None:
    lose_redis(default_stack, lambda: default_stack.compose("stop", "cache"), lambda: default_stack.compose("start", "cache"))


def test_websockets_outlive_a_frozen_redis(default_stack: Stack) -> None:
    cache = default_stack.container("cache")
    lose_redis(default_stack, lambda: docker("pause", cache), lambda: docker("unpause", cache))
