"""Migrations of replicas that start at once."""

import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from load import FIGURES
from stack import stack


def test_replicas_that_start_at_once_migrate_once(stack_folder: Callable[[], Path], stack_images: dict[str, str]) -> None:
    with stack(stack_folder(), **stack_images) as empty:
        empty.compose("up", "--detach", "--wait", "db")
        began = time.monotonic()
        with ThreadPoolExecutor(FIGURES.replicas) as pool:
            outputs = list(pool.map(lambda _: empty.compose("run", "--rm", "--no-deps", "migrate"), range(FIGURES.replicas)))
        print(f"{FIGURES.replicas} replicas have migrated after {time.monotonic() - began:.1f} s")
        applied = re.findall(r"Applying (\S+)\.\.\. OK", "".join(outputs))
        assert len(applied) > 10
        assert len(applied) == len(set(applied))
