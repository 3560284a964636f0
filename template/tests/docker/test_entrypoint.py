"""What a container does before its command: it waits for a database that is worth waiting for."""

import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from time import monotonic

import pytest

from config.environment import ROOT

Run = Callable[..., subprocess.CompletedProcess[str]]

PROGRAM = [sys.executable, str(ROOT / "docker" / "app" / "entrypoint.py")]
MIGRATE = ["python", "src/manage.py", "migrate"]
WRONG_PASSWORD = "28P01", 'password authentication failed for user "ada"'
STARTING = "57P03", "the database system is starting up"
FULL = "53300", "sorry, too many clients already"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    # Programs that say that they run, in the place of those that would.
    for name in ("gunicorn", "python"):
        (tmp_path / name).write_text('#!/bin/sh\necho "$0 $*"\n')
        (tmp_path / name).chmod(0o755)
    return {"PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": "src", "ENV_FILE": ""}


@pytest.fixture
def run(environment: dict[str, str]) -> Run:
    def run(*command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*PROGRAM, *command],
            cwd=ROOT,
            env=environment | variables,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    return run


def error(code: str, message: str) -> bytes:
    fields = b"".join(
        kind + value.encode() + b"\0"
        for kind, value in ((b"S", "FATAL"), (b"V", "FATAL"), (b"C", code), (b"M", message))
    )
    return b"E" + struct.pack("!i", len(fields) + 5) + fields + b"\0"


WELCOME = b"R" + struct.pack("!ii", 8, 0) + b"Z" + struct.pack("!i", 5) + b"I"


@contextmanager
def server(*answers: bytes) -> Iterator[str]:
    """Answer one connection after the other as PostgreSQL does, and yield the URL."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            for answer in answers:
                connection, _ = listening.accept()
                with connection:
                    while True:
                        length, code = struct.unpack("!ii", connection.recv(8))
                        connection.recv(length - 8)
                        if code >> 16 == 3:
                            break
                        connection.sendall(b"N")  # no TLS, no GSSAPI
                    connection.sendall(answer)
                    connection.recv(1)

        Thread(target=serve, daemon=True).start()
        yield f"postgres://ada:hunter2@127.0.0.1:{listening.getsockname()[1]}/site"


@contextmanager
def closed_port() -> Iterator[int]:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@pytest.mark.parametrize(
    "command",
    [["sh", "-c", "echo done"], ["echo", "done"], ["python", "src/manage.py", "version"]],
)
def test_other_commands_need_no_database_and_no_variables(run: Run, command: list[str]) -> None:
    with closed_port() as port:
        done = run(*command, DATABASE_URL=f"postgres://ada@127.0.0.1:{port}/site")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


@pytest.mark.parametrize("url", ["sqlite:////nowhere/db.sqlite3", "pots://ada:hunter2@db/x", ""])
def test_other_databases_are_not_waited_for(run: Run, url: str) -> None:
    done = run("gunicorn", "config.wsgi", DATABASE_URL=url)

    assert done.stdout.endswith("gunicorn config.wsgi\n")
    assert done.stderr == ""


@pytest.mark.parametrize("command", [["gunicorn", "config.wsgi"], MIGRATE], ids=" ".join)
def test_a_database_that_is_there_costs_no_word(run: Run, command: list[str]) -> None:
    with server(WELCOME) as url:
        done = run(*command, DATABASE_URL=f"{url}?pool=false")

    assert done.stdout.endswith(" ".join(command[1:]) + "\n")
    assert done.stderr == ""


def test_a_database_that_starts_is_waited_for(run: Run) -> None:
    with server(error(*STARTING), error(*FULL), WELCOME) as url:
        done = run("gunicorn", DATABASE_URL=url)

    waiting, there = done.stderr.splitlines()
    assert "waiting for the database at 127.0.0.1:" in waiting
    assert STARTING[1] in waiting
    assert "is there" in there
    assert "hunter2" not in done.stderr
    assert done.returncode == 0
    assert done.stdout


def test_a_wrong_password_is_not_waited_for(run: Run) -> None:
    started = monotonic()
    with server(error(*WRONG_PASSWORD)) as url:
        done = run("gunicorn", DATABASE_URL=url)

    (line,) = done.stderr.splitlines()
    assert WRONG_PASSWORD[1] in line
    assert "hunter2" not in line
    assert (done.returncode, done.stdout) == (1, "")
    assert monotonic() - started < 10


@pytest.mark.parametrize("host", ["127.0.0.1", "no-such-host.invalid"])
def test_the_wait_ends_with_one_line(run: Run, host: str) -> None:
    with closed_port() as port:
        done = run(
            "gunicorn", DATABASE_URL=f"postgres://ada:hunter2@{host}:{port}/x", DATABASE_WAIT="1"
        )

    assert (done.returncode, done.stdout) == (1, "")
    waiting, last = done.stderr.splitlines()
    assert "waiting" in waiting
    assert f"no database at {host}:{port} after 1 seconds" in last
    assert "hunter2" not in done.stderr


def test_a_time_that_is_malformed_is_named(run: Run) -> None:
    done = run("gunicorn", DATABASE_URL="postgres://ada@db/x", DATABASE_WAIT="long")

    assert done.returncode == 1
    assert 'variable "DATABASE_WAIT" is invalid' in done.stderr
    assert done.stderr.count("\n") == 1


def test_whoever_waits_can_be_stopped(environment: dict[str, str]) -> None:
    with closed_port() as port:
        url = f"postgres://ada@127.0.0.1:{port}/x"
        process = subprocess.Popen(
            [*PROGRAM, "gunicorn"],
            cwd=ROOT,
            env={**environment, "DATABASE_URL": url},
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr is not None
        assert "waiting" in process.stderr.readline()
        process.send_signal(signal.SIGTERM)

        assert process.wait(timeout=10) == 143
        process.stderr.close()


def test_the_command_takes_the_place_of_the_program(run: Run) -> None:
    done = run("sh", "-c", "kill -TERM $$; echo no")

    assert (done.returncode, done.stdout) == (-signal.SIGTERM, "")


@pytest.mark.parametrize("command", [[], ["no-such-program"]])
def test_a_command_that_cannot_run_is_named_in_one_line(run: Run, command: list[str]) -> None:
    done = run(*command)

    assert done.returncode == 1
    assert done.stderr.startswith("entrypoint: ")
    assert done.stderr.count("\n") == 1
