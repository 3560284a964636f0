"""Kills a process of a worker's pool, as the kernel does when there is no memory left: a child of the process below init."""

import contextlib
import os
import re
import signal
import time
from pathlib import Path


def pool() -> list[int]:
    """Return the numbers of the pool's processes: none while the worker starts."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
            found = re.search(r"^PPid:\t(\d+)$", path.read_text(), re.MULTILINE)
            assert found is not None
            parents[int(path.parent.name)] = int(found[1])
    return [process for process, parent in parents.items() if parents.get(parent) == 1]


deadline = time.monotonic() + 30
while not (processes := pool()):
    if time.monotonic() > deadline:
        raise SystemExit("no process of a pool within 30 s")
    time.sleep(0.2)
os.kill(max(processes), signal.SIGKILL)
