"""Kills the main process of a container, the one below its init, as the kernel does when memory ends."""

import os
import re
import signal
from pathlib import Path

for path in Path("/proc").glob("[0-9]*/status"):
    if re.search(r"^PPid:\t1$", path.read_text(), re.MULTILINE):
        os.kill(int(path.parent.name), signal.SIGKILL)
