"""Websockets: many clients at once with what they saw, and a single one."""

import asyncio
import contextlib
import json
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Mapping
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
from clients import Closure, Plan
from load import Sample, percentile
from tools import clean_environment


class Crowd:
    """The clients of a plan, while the block lasts. Their report is complete at its end."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.samples: list[Sample] = []
        self.closures: list[Closure] = []
        self.echoes: list[float] = []

    def __enter__(self) -> Self:
        """Start them, and wait until all websockets are open."""
        program = Path(__file__).with_name("clients.py")
        self._process = subprocess.Popen(
            [sys.executable, program, json.dumps(asdict(self.plan))],
            cwd=program.parent,
            env=clean_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            self.gathered()
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise
        return self

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"the clients ended with {self._process.wait()}"
        told: dict[str, Any] = json.loads(line)
        return told

    def state(self) -> dict[str, int]:
        """Return how many websockets are open, and how many requests and ends of websockets there were so far."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self._read()

    def gathered(self, patience: float = 60) -> float:
        """Wait until all websockets are open. Returns the seconds that it took."""
        began = time.monotonic()
        while (state := self.state())["open"] < self.plan.sockets:
            assert time.monotonic() - began < patience, f"of {self.plan.sockets} websockets {state['open']} are open"
            time.sleep(0.05)
        return time.monotonic() - began

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End them, and take their report."""
        try:
            assert self._process.stdin is not None
            self._process.stdin.close()
            report = self._read()
        finally:
            self._process.kill()
            self._process.wait()
        self.samples = [
            Sample(began, self.plan.path, status, seconds, method) for began, method, status, seconds in report["requests"]
        ]
        self.closures = [Closure(**closure) for closure in report["closures"]]
        self.echoes = report["echoes"]
        if error is None:
            assert report["faults"] == []
            assert report["lost"] == 0, f"{report['lost']} messages never came back, though their websockets stayed open"

    def failures(self) -> list[Sample]:
        """Return the requests that got no answer, or one that says that the site cannot give any, in their order."""
        failed = (sample for sample in self.samples if sample.status == 0 or sample.status >= 500)
        return sorted(failed, key=lambda sample: sample.began)

    def gaps(self, quiet: float = 1) -> list[float]:
        """Return the seconds of each outage.

        Args:
            quiet: seconds without a failure after which the next one is of another gap.
        """
        found: list[list[Sample]] = []
        for sample in self.failures():
            if found and sample.began - found[-1][-1].began < quiet:
                found[-1].append(sample)
            else:
                found.append([sample])
        return [max(sample.began + sample.seconds for sample in gap) - gap[0].began for gap in found]

    def codes(self) -> dict[int, int]:
        """Count the ends of websockets by their code."""
        return dict(Counter(closure.code for closure in self.closures))

    def __str__(self) -> str:
        """Say all that in a line."""
        said = []
        if self.samples:
            p50, p99 = (percentile(self.samples, share) * 1000 for share in (0.5, 0.99))
            failed = dict(Counter(f"{sample.method} {sample.status}" for sample in self.failures())) or "none"
            said.append(f"{len(self.samples)} requests, failed: {failed}, p50 {p50:.0f} ms, p99 {p99:.0f} ms")
        if self.plan.sockets:
            said.append(f"{self.plan.sockets} websockets, closed: {self.codes() or 'none'}")
        if self.closures:
            backs = [closure.back for closure in self.closures]
            said.append(f"back after {statistics.median(backs):.1f} s, at most {max(backs):.1f} s")
        if self.echoes:
            said.append(f"{len(self.echoes)} echoes, p50 {statistics.median(self.echoes) * 1000:.0f} ms")
        return "; ".join(said)


@contextlib.asynccontextmanager
async def connected(
    url: str, path: str, headers: Mapping[str, str] | None = None
) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """Open a websocket, as a page of the site does.

    Args:
        url: scheme, host and port of the site.
        path: that of the websocket.
        headers: headers of the handshake, which may name another origin.
    """
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(30)) as session,
        session.ws_connect(url.replace("http", "ws", 1) + path, headers={"Origin": url, **(headers or {})}) as socket,
    ):
        yield socket


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
