"""Programs, ports and pages for the tests: run, served, waited for, and ended again."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest


def clean_environment() -> dict[str, str]:
    """Return the environment without what the template's own environment and a checked-out project would add."""
    left_out = {"VIRTUAL_ENV", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "DJANGO_SETTINGS_MODULE"}
    return {key: value for key, value in os.environ.items() if key not in left_out} | {"PDM_CHECK_UPDATE": "0"}


# What a command says when the network or the machine failed it, and not what is tested.
INFRASTRUCTURE = re.compile(
    "|".join(
        (
            "TLS handshake timeout",
            "i/o timeout",
            "connection reset by peer",
            "Connection reset by peer",
            "Temporary failure in name resolution",
            "Temporary failure resolving",
            "Could not connect to .*(archive|deb)",
            "port is already allocated",
            "address already in use",
            "Max retries exceeded",
            "ReadTimeout",
            "ERR_SOCKET_TIMEOUT",
            "ETIMEDOUT",
            "ECONNRESET",
            "failed to fetch anonymous token",
            "unexpected EOF",
            # Docker: another lane removed an image while this build took layers of it from the cache.
            "layer does not exist",
        )
    )
)


def run(
    *command: str | Path, cwd: Path, env: dict[str, str] | None = None, code: int = 0, timeout: float = 300, attempts: int = 1
) -> str:
    """Run a command, and fail with all that it printed where its exit code is another one.

    Args:
        command: the program and its arguments.
        cwd: where it runs.
        env: variables besides those of a clean environment.
        code: the exit code that is expected.
        timeout: seconds that it may take.
        attempts: how often it is tried where it fails by the network or by a port that somebody took, which is printed.

    Returns:
        What it printed, stdout before stderr.
    """
    while True:
        done = subprocess.run(
            [str(part) for part in command],
            cwd=cwd,
            env=clean_environment() | (env or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        printed = done.stdout + done.stderr
        attempts -= 1
        reason = INFRASTRUCTURE.search(printed)
        if done.returncode == code or attempts < 1 or reason is None:
            break
        print(f"again, after {reason[0]!r}: {' '.join(map(str, command))}")
        time.sleep(5)
    assert done.returncode == code, f"{' '.join(map(str, command))} ended with {done.returncode}:\n{printed}"
    return printed


def works(tool: str) -> bool:
    """Return whether a tool is installed, and for Docker whether its daemon answers."""
    if shutil.which(tool) is None:
        return False
    return tool != "docker" or subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0


def need(*tools: str) -> None:
    """Skip, naming them, where tools are missing; in CI that is a failure."""
    missing = [tool for tool in tools if not works(tool)]
    if missing:
        message = f"not installed, or not running: {', '.join(missing)}"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)


def free_port() -> int:
    """Return a port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def get(url: str, timeout: float = 5) -> tuple[int, str]:
    """Return the status and the body of a page; errors of HTTP are answers too."""
    try:
        with urllib.request.urlopen(url, timeout=timeout) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@contextlib.contextmanager
def started(
    name: str, command: Sequence[str | Path], cwd: Path, env: dict[str, str] | None = None
) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """Run a program until the block ends; then it is killed, with all that it has started. Yields it, and the file of its output.

    Args:
        name: what that file is called after.
        command: what starts it.
        cwd: where it runs.
        env: variables besides those of a clean environment.
    """
    log = cwd / f".{name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=cwd,
            env=clean_environment() | (env or {}),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process, log
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        log.unlink()


@contextlib.contextmanager
def serving(
    command: Sequence[str | Path], url: str, cwd: Path, env: dict[str, str] | None = None, patience: float = 60
) -> Iterator[float]:
    """Run a server until the block ends. Yields the seconds that it took to answer.

    Args:
        command: what starts it.
        url: what answers with 200 once it is up.
        cwd: where it runs.
        env: variables besides those of a clean environment.
        patience: seconds after which it is given up.
    """
    began = time.monotonic()
    with started("server", command, cwd, env) as (process, log):
        while True:
            with contextlib.suppress(OSError):
                if get(url)[0] == 200:
                    break
            assert process.poll() is None, f"{command} ended with {process.returncode}:\n{log.read_text()}"
            assert time.monotonic() - began < patience, f"{url} does not answer:\n{log.read_text()}"
            time.sleep(0.05)
        yield time.monotonic() - began


def change(path: Path, old: str, new: str) -> None:
    """Replace a text that is in a file once."""
    text = path.read_text()
    assert text.count(old) == 1, f"{path} has {text.count(old)} times {old!r}"
    path.write_text(text.replace(old, new))


def all_passed(printed: str) -> str:
    """Check that pytest found nothing to say but that tests passed, and return what it said."""
    passed = re.search(r"\d+ passed in [\d.]+s", printed)
    assert passed is not None, printed
    assert not re.search(r"\d+ (failed|skipped|error|xfailed|warning)", printed), printed
    return passed[0]


def seconds(action: Callable[[], object]) -> float:
    """Return how long something takes."""
    started = time.monotonic()
    action()
    return time.monotonic() - started


def eventually(holds: Callable[[], bool], message: str, patience: float = 30) -> float:
    """Wait until something holds, and return the seconds that it took.

    Args:
        holds: what is asked again and again.
        message: what to say when it is given up.
        patience: seconds after which it is.
    """
    started = time.monotonic()
    while not holds():
        assert time.monotonic() - started < patience, message
        time.sleep(0.05)
    return time.monotonic() - started


@contextlib.contextmanager
def watching(project: Path, env: dict[str, str]) -> Iterator[int]:
    """Run ``pdm run watch`` until the block ends. Yields the port on which it tells browsers what was built."""
    port = free_port()
    with started("watch", ["pdm", "run", "watch"], project, env | {"RELOAD_PORT": str(port)}) as (process, log):
        eventually(lambda: "Finished 'files'" in log.read_text() or process.poll() is not None, "it does not watch", 120)
        assert process.poll() is None, log.read_text()
        yield port
        assert process.poll() is None, log.read_text()
