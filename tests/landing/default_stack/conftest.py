"""The stack of the default project with the applications of ``tests/apps``, which the modules of this folder share."""

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from notes import NOTES
from stack import Stack, ready, stack


@pytest.fixture(scope="package")
def built(stack_folder: Callable[[], Path], stack_images: dict[str, str]) -> Iterator[Stack]:
    """The project and its images, under a name of its own. Its stack does not run."""
    with stack(stack_folder(), **stack_images) as found:
        yield found


@pytest.fixture(scope="package")
def started(built: Stack) -> Stack:
    """The same, started on empty volumes."""
    began = time.monotonic()
    built.compose("up", "--detach", attempts=2)
    built.wait(NOTES)
    print(f"up on empty volumes to the first page through the proxy: {time.monotonic() - began:.1f} s")
    return built


@pytest.fixture
def running(started: Stack) -> Iterator[Stack]:
    """The stack that tests share. Each leaves it as it was, with all services up."""
    yield started
    with contextlib.suppress(AssertionError, OSError):
        if started.status(NOTES) == 200 and ready(started)[0] == 200:
            return
    started.compose("up", "--detach", "--wait")
