"""runtime.listening, alone and in gunicorn with the configuration of production."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from threading import Thread
from time import sleep

import pytest
from runtime.environment import base_dir
from runtime.listening import drain, refuse, waiting

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="SO_BINDTOIFINDEX is an option of Linux")


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def test_waiting_counts_the_backlog(listening: socket.socket) -> None:
    assert waiting(listening) == 0
    with socket.create_connection(listening.getsockname()):
        assert waiting(listening) == 1
        listening.accept()[0].close()
        assert waiting(listening) == 0


def test_refused_socket_keeps_its_backlog(listening: socket.socket) -> None:
    with socket.create_connection(listening.getsockname()) as accepted:
        refuse(listening)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(listening.getsockname(), timeout=5)
        assert waiting(listening) == 1
        taken, _ = listening.accept()
        with taken:
            taken.sendall(b"hello")
        assert accepted.recv(5) == b"hello"


def test_drain_waits_until_the_backlog_is_accepted(listening: socket.socket) -> None:
    with socket.create_connection(listening.getsockname()):
        worker = Thread(target=lambda: (sleep(0.2), listening.accept()[0].close()))
        worker.start()
        drain([listening])
        assert waiting(listening) == 0
        worker.join()


def test_drain_gives_up_when_nobody_accepts(listening: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runtime.listening.TIMEOUT", 0.1)
    with socket.create_connection(listening.getsockname()):
        drain([listening])
        assert waiting(listening) == 1


def ask(port: int) -> str:
    """Send a POST request, and return the status of the response or the name of the error."""
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("POST", "/health/live")
        return str(connection.getresponse().status)
    except (OSError, HTTPException) as error:
        return type(error).__name__
    finally:
        connection.close()


@pytest.mark.parametrize("reload", [False, True], ids=["", "after SIGHUP"])
def test_stopping_gunicorn_loses_no_request(tmp_path: Path, listening: socket.socket, reload: bool) -> None:
    port = listening.getsockname()[1]
    listening.close()
    configuration = base_dir / "docker" / "app" / "gunicorn.conf.py"
    variables = {"DATABASE_URL": f"sqlite:///{tmp_path}/db.sqlite3", "WEB_CONCURRENCY": "2", "WEB_THREADS": "4"}
    server = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "--config", configuration, "--bind", f"127.0.0.1:{port}", "config.wsgi"],
        cwd=base_dir,
        env={**os.environ, **variables, "PYTHONPATH": "src"},
        stderr=subprocess.DEVNULL,
    )
    answers: list[str] = []

    def ask_on() -> None:
        while (answer := ask(port)) != "ConnectionRefusedError":
            answers.append(answer)

    try:
        while ask(port) == "ConnectionRefusedError" and server.poll() is None:
            sleep(0.1)
        clients = [Thread(target=ask_on) for _ in range(8)]
        for client in clients:
            client.start()
        if reload:
            server.send_signal(signal.SIGHUP)
            sleep(1)
        sleep(0.5)
        server.send_signal(signal.SIGTERM)
        for client in clients:
            client.join()
        assert server.wait(timeout=30) == 0
    finally:
        server.kill()
        server.wait()
    assert len(answers) > 8
    assert set(answers) == {"200"}
