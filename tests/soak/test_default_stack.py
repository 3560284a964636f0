"""What the default stack gives its visitors, measured three times: the best counts, because machines do other things, too."""

import time
from collections.abc import Callable
from pathlib import Path

from clients import Plan
from containers import docker
from load import FIGURES, SlowClients, bounded, percentile, together
from notes import NOTES
from sockets import Crowd
from stack import Stack, stack

# What a slow client asks for: a page, a form, and an answer that it reads slowly.
SLOW_PATHS = {"headers": "/", "body": NOTES, "reader": "/notes/large/"}

TIMES = 3


def ratio(alone: Callable[[], float], beside: Callable[[], float]) -> float:
    """Return how many times longer something takes beside something else: the least of three pairs, after one to warm up."""
    alone()
    return min(beside() / alone() for _ in range(TIMES))


def test_first_page_after_up_on_empty_volumes(stack_folder: Callable[[], Path], stack_images: dict[str, str]) -> None:
    took = []
    for _ in range(TIMES):
        with stack(stack_folder(), **stack_images) as site:
            began = time.monotonic()
            site.compose("up", "--detach")
            site.wait(NOTES)
            took.append(time.monotonic() - began)
    bounded("up on empty volumes to the first page through the proxy", min(took), 25, "s")


def test_slow_clients_beside_others(default_stack: Stack) -> None:
    def alone() -> float:
        samples = together(default_stack.url, [NOTES, "/accounts/login/"], 300, threads=2)
        assert {sample.status for sample in samples} == {200}
        return percentile(samples, 0.99)

    def beside() -> float:
        with SlowClients(default_stack.url, FIGURES.slow_clients, SLOW_PATHS):
            time.sleep(1)
            return alone()

    bounded(f"p99 beside {FIGURES.slow_clients} slow clients / p99 alone", ratio(alone, beside), 2, "times")
    assert default_stack.inspect("proxy")["RestartCount"] == 0


def test_idle_websockets_beside_pages(default_stack: Stack) -> None:
    def alone() -> float:
        with Crowd(Plan(default_stack.url, rate=FIGURES.rate)) as clients:
            time.sleep(FIGURES.window)
        assert clients.failures() == []
        return percentile(clients.samples, 0.99)

    def beside() -> float:
        with Crowd(Plan(default_stack.url, sockets=FIGURES.crowd, every=0)) as crowd:
            measured = alone()
            assert crowd.state()["open"] == FIGURES.crowd
        assert crowd.closures == []
        return measured

    bounded(f"p99 of pages beside {FIGURES.crowd} websockets / p99 alone", ratio(alone, beside), 2, "times")
    print("ws has", docker("stats", "--no-stream", "--format", "{{.MemUsage}}", default_stack.container("ws")))
