"""Load and faults for a stack that runs: requests at a steady rate, clients that are slow, and what is asked of both."""

import http.client
import os
import selectors
import socket
import threading
import time
from dataclasses import dataclass, field
from itertools import cycle
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from stack import request


@dataclass(frozen=True)
class Figures:
    """How much is done: less in CI, and all of it by ``./run soak``.

    Attributes:
        requests: requests in a row, while connections to the database are counted.
        slow_clients: clients that send or read a byte at a time.
        outage: seconds for which a service is away.
        tasks: tasks in a row, while their worker is killed.
        kills: how often it is.
        stops: how often a worker is stopped at its work.
        thorough: whether everything is tried with every broker.
        rate: requests a second, while servers end and start.
        sockets: websockets that are open meanwhile.
        restarts: how often servers end and start, in each way.
        back: seconds after which websockets are back.
        crowd: websockets that are open while requests are measured.
        window: seconds of such a measurement. All websockets have a heartbeat within 20.
        idle: for how many timeouts of the proxy a websocket says nothing.
    """

    requests: int
    slow_clients: int
    outage: float
    tasks: int = 200
    kills: int = 4
    stops: int = 3
    thorough: bool = False
    rate: float = 100
    sockets: int = 50
    restarts: int = 1
    # Beside other tests, and on processors that others use, too.
    back: float = 20
    crowd: int = 300
    window: float = 5
    idle: float = 1.5


FIGURES = (
    Figures(
        10_000,
        500,
        30,
        tasks=1_000,
        kills=20,
        stops=10,
        thorough=True,
        rate=200,
        sockets=200,
        restarts=20,
        back=5,
        crowd=2_000,
        window=20,
    )
    if os.environ.get("SOAK")
    else Figures(1_000, 100, 6)
)


def bounded(what: str, measured: float, bound: float, unit: str = "s") -> None:
    """Print a figure. ``./run soak`` holds it to its bound; elsewhere other tests run at the same time, and it is only printed.

    Args:
        what: what was measured.
        measured: how much it was.
        bound: how much it may be.
        unit: of both.
    """
    print(f"{what}: {measured:.2f} {unit}, of {bound} at most")
    assert not os.environ.get("SOAK") or measured <= bound, f"{what}: {measured:.2f} {unit} instead of {bound}"


@dataclass(frozen=True)
class Sample:
    """One request: when it began, its path, its status (0: no answer), the seconds that it took, and its method."""

    began: float
    path: str
    status: int
    seconds: float
    method: str = "GET"


def ask(url: str, path: str, timeout: float = 30) -> Sample:
    """Send a request and return what came of it."""
    began = time.monotonic()
    try:
        status = request(url, path, timeout=timeout).status
    except (OSError, http.client.HTTPException):
        status = 0
    return Sample(began, path, status, time.monotonic() - began)


def percentile(samples: list[Sample], share: float) -> float:
    """Return the seconds within which this share of the requests was answered."""
    seconds = sorted(sample.seconds for sample in samples)
    return seconds[min(int(len(seconds) * share), len(seconds) - 1)]


@dataclass
class Load:
    """Requests at a steady rate while the block lasts, each path by threads of its own."""

    url: str
    paths: list[str]
    rate: float = 5
    threads: int = 2
    samples: list[Sample] = field(default_factory=list)

    def __enter__(self) -> Self:
        """Start to ask."""
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._ask, args=(path,), daemon=True) for path in self.paths for _ in range(self.threads)
        ]
        for thread in self._threads:
            thread.start()
        return self

    def _ask(self, path: str) -> None:
        while not self._stop.is_set():
            sample = ask(self.url, path)
            self.samples.append(sample)
            self._stop.wait(max(0.0, self.threads / self.rate - sample.seconds))

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stop, and wait for the last answers."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def of(self, path: str, since: float = 0) -> list[Sample]:
        """Return the requests of a path that began after a moment, in their order."""
        return sorted((s for s in self.samples if s.path == path and s.began >= since), key=lambda sample: sample.began)

    def statuses(self, path: str, since: float = 0) -> dict[int, int]:
        """Count the answers of a path by their status."""
        counted: dict[int, int] = {}
        for sample in self.of(path, since):
            counted[sample.status] = counted.get(sample.status, 0) + 1
        return counted


def together(url: str, paths: list[str], count: int, threads: int = 8) -> list[Sample]:
    """Send a number of requests as fast as some threads can."""
    samples: list[Sample] = []
    left = iter(zip(range(count), cycle(paths), strict=False))
    lock = threading.Lock()

    def work() -> None:
        while True:
            with lock:
                job = next(left, None)
            if job is None:
                return
            samples.append(ask(url, job[1]))

    workers = [threading.Thread(target=work, daemon=True) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return samples


# What a slow client sends at once, before the rest comes a byte at a time; one only reads slowly.
SLOW = {
    "headers": "GET {path} HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
    "body": "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n",
    "reader": "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n",
}


class SlowClients:
    """Connections that send or read a byte every second while the block lasts; those that are let go come again."""

    def __init__(self, url: str, count: int, paths: dict[str, str]) -> None:
        """Remember what to do.

        Args:
            url: where.
            count: how many connections.
            paths: what each kind of ``SLOW`` asks for.
        """
        parts = urlsplit(url)
        self.address = (parts.hostname, parts.port)
        self.kinds = [kind for kind, _ in zip(cycle(paths), range(count), strict=False)]
        self.paths = paths
        self.let_go = 0

    def _connect(self, kind: str) -> socket.socket:
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        client.settimeout(5)
        client.connect(self.address)
        client.sendall(SLOW[kind].format(path=self.paths[kind]).encode())
        client.setblocking(False)
        return client

    def __enter__(self) -> Self:
        """Connect all, and go on in a thread."""
        self._stop = threading.Event()
        self._clients = [(kind, self._connect(kind)) for kind in self.kinds]
        self._thread = threading.Thread(target=self._crawl, daemon=True)
        self._thread.start()
        return self

    def _step(self, kind: str, client: socket.socket) -> socket.socket:
        """Send or read one byte; a connection that has ended is reopened."""
        try:
            if kind == "reader":
                ended = client.recv(1) == b""
            else:
                client.send(b"a")
                with selectors.DefaultSelector() as selector:
                    selector.register(client, selectors.EVENT_READ)
                    ended = bool(selector.select(0))
        except BlockingIOError:
            ended = False
        except OSError:
            ended = True
        if not ended:
            return client
        client.close()
        self.let_go += 1
        return self._connect(kind)

    def _crawl(self) -> None:
        while not self._stop.is_set():
            began = time.monotonic()
            for index, (kind, client) in enumerate(self._clients):
                self._clients[index] = (kind, self._step(kind, client))
                time.sleep(0.9 / len(self._clients))
            self._stop.wait(max(0.0, 1 - (time.monotonic() - began)))

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close all."""
        self._stop.set()
        self._thread.join()
        for _, client in self._clients:
            client.close()
