"""Kills a process of a worker's pool, as the kernel does when there is no memory left: a child of the process below init."""

import os
import re
import signal
from pathlib import Path

parents = {}
for path in Path("/proc").glob("[0-9]*/status"):
    found = re.search(r"^PPid:\t(\d+)$", path.read_text(), re.MULTILINE)
    assert found is not None
    parents[int(path.parent.name)] = int(found[1])
pool = [process for process, parent in parents.items() if parents.get(parent) == 1]
os.kill(max(pool), signal.SIGKILL)
