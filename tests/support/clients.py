"""Clients in a process of their own, so that they are on time: requests at a steady rate, and websockets that come back.

The argument is a plan. For each line of the standard input it prints how things are, and at its end all that came to pass.
"""

import asyncio
import contextlib
import json
import random
import resource
import sys
import time
from dataclasses import asdict, dataclass, field
from itertools import count
from typing import Any

import aiohttp

# Seconds in which an answer, or a message that was sent, has to arrive.
PATIENCE = 20


@dataclass(frozen=True)
class Plan:
    """What the clients do.

    Attributes:
        url: scheme, host and port.
        path: what is asked for.
        rate: requests a second.
        posts: whether every second one is a POST.
        socket: path at which messages are echoed.
        sockets: how many are kept open.
        every: seconds between two messages of a socket; 0 for none.
    """

    url: str
    path: str = "/probe/"
    rate: float = 0
    posts: bool = False
    socket: str = "/ws/echo/"
    sockets: int = 0
    every: float = 1


@dataclass(frozen=True)
class Closure:
    """The end of a websocket.

    Attributes:
        at: when.
        code: why.
        attempts: how many it took to come back.
        back: seconds after which it was.
    """

    at: float
    code: int
    attempts: int
    back: float


@dataclass
class Clients:
    """What is planned, and what has come of it.

    Attributes:
        plan: what is done.
        open: how many websockets are open now.
        requests: when each began, its method, its status (0: no answer), and the seconds that it took.
        closures: websockets that ended and came back.
        echoes: seconds in which messages came back.
        lost: messages that never did, though their websocket stayed open.
    """

    plan: Plan
    open: int = 0
    requests: list[tuple[float, str, int, float]] = field(default_factory=list)
    closures: list[Closure] = field(default_factory=list)
    echoes: list[float] = field(default_factory=list)
    lost: int = 0

    async def ask(self, session: aiohttp.ClientSession, method: str) -> None:
        """Send one request."""
        began = time.monotonic()
        try:
            async with session.request(method, self.plan.url + self.plan.path, allow_redirects=False) as answer:
                await answer.read()
                status = answer.status
        except (aiohttp.ClientError, TimeoutError, OSError):
            status = 0
        self.requests.append((began, method, status, time.monotonic() - began))

    async def ask_steadily(self) -> None:
        """Send requests at the moments of the rate, whether or not those before are answered."""
        timeout = aiohttp.ClientTimeout(total=PATIENCE)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=200), timeout=timeout) as session:
            began = time.monotonic()
            asked: set[asyncio.Task[None]] = set()
            try:
                for number in count():
                    await asyncio.sleep(max(0.0, began + number / self.plan.rate - time.monotonic()))
                    method = "POST" if self.plan.posts and number % 2 else "GET"
                    task = asyncio.create_task(self.ask(session, method))
                    asked.add(task)
                    task.add_done_callback(asked.discard)
            finally:
                await asyncio.gather(*asked)

    async def talk(self, socket: aiohttp.ClientWebSocketResponse, sent: dict[int, float]) -> None:
        """Send messages, and give up where one does not come back.

        Args:
            socket: where.
            sent: when each message was, that is still on its way.
        """
        await asyncio.sleep(random.random() * self.plan.every)  # noqa: S311 - not all at once
        for number in count():
            if sent and time.monotonic() - min(sent.values()) > PATIENCE:
                self.lost += 1
                await socket.close()
                return
            sent[number] = time.monotonic()
            with contextlib.suppress(aiohttp.ClientError, OSError):
                await socket.send_json({"echo": number})
            await asyncio.sleep(self.plan.every)

    async def listen(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Take what comes, until the websocket is closed."""
        sent: dict[int, float] = {}
        talk = asyncio.create_task(self.talk(socket, sent)) if self.plan.every else None
        try:
            async for message in socket:
                # Heartbeats come in between.
                if (began := sent.pop(message.json().get("echo"), None)) is not None:
                    self.echoes.append(time.monotonic() - began)
        finally:
            if talk is not None:
                talk.cancel()

    async def enter(self, session: aiohttp.ClientSession) -> aiohttp.ClientWebSocketResponse | None:
        """Open a websocket. Returns nothing where the server refuses it, or closes it before the first heartbeat."""
        url = self.plan.url.replace("http", "ws", 1) + self.plan.socket
        try:
            socket = await session.ws_connect(url, headers={"Origin": self.plan.url})
            first = await socket.receive(PATIENCE)
        except (aiohttp.ClientError, TimeoutError, OSError):
            return None
        return socket if first.type is aiohttp.WSMsgType.TEXT else None

    async def stay(self, session: aiohttp.ClientSession, entrance: asyncio.Semaphore) -> None:
        """Keep a websocket open, for ever.

        Args:
            session: what connects.
            entrance: lets in those who connect at the same time.
        """
        closed, code, attempts = 0.0, 0, 0
        while True:
            async with entrance:
                socket = await self.enter(session)
            if socket is None:
                await asyncio.sleep(pause(attempts))
                attempts += 1
                continue
            if closed:
                self.closures.append(Closure(closed, code, attempts, time.monotonic() - closed))
            self.open += 1
            try:
                await self.listen(socket)
            finally:
                self.open -= 1
            closed, code, attempts = time.monotonic(), socket.close_code or 1006, 1
            await asyncio.sleep(pause(0))

    async def run(self) -> None:
        """Do as is planned until the standard input ends."""
        lines = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=PATIENCE)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as session:
            entrance = asyncio.Semaphore(50)
            tasks = [asyncio.create_task(self.stay(session, entrance)) for _ in range(self.plan.sockets)]
            if self.plan.rate:
                tasks.append(asyncio.create_task(self.ask_steadily()))
            while await lines.readline():
                tell({"open": self.open, "requests": len(self.requests), "closures": len(self.closures)})
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        found = {key: value for key, value in asdict(self).items() if key not in {"plan", "open"}}
        tell(found | {"faults": [repr(end) for end in ended if not isinstance(end, asyncio.CancelledError)]})


def pause(attempts: int) -> float:
    """Return the seconds that pages/socket.js waits after so many attempts to reconnect."""
    return min(0.5 * 2.0**attempts, 10) * random.uniform(0.5, 1.5)  # noqa: S311 - not all at once


def tell(what: dict[str, Any]) -> None:
    """Print a line."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    asyncio.run(Clients(Plan(**json.loads(sys.argv[1]))).run())
