"""Websockets while Redis is away."""

import time
from collections.abc import Callable

from clients import Plan
from containers import docker
from load import FIGURES
from sockets import Crowd
from stack import Stack
from tools import eventually


def lose_redis(default_stack: Stack, away: Callable[[], object], back: Callable[[], object]) -> None:
    """Take Redis away and bring it back, while websockets are open."""
    with Crowd(Plan(default_stack.url, sockets=FIGURES.sockets)) as crowd:
        time.sleep(1)
        began = time.monotonic()
        away()
        gone = time.monotonic()
        eventually(lambda: crowd.state()["open"] == 0, "websockets do not notice", 15)
        time.sleep(2)
        assert crowd.state()["open"] == 0
        assert default_stack.request("/").status == 200
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


def test_redis_that_stops_closes_with_1013_and_clients_come_back(default_stack: Stack) -> None:
    lose_redis(default_stack, lambda: default_stack.compose("stop", "redis"), lambda: default_stack.compose("start", "redis"))


def test_redis_that_freezes_closes_with_1013_and_clients_come_back(default_stack: Stack) -> None:
    redis = default_stack.container("redis")
    lose_redis(default_stack, lambda: docker("pause", redis), lambda: docker("unpause", redis))
