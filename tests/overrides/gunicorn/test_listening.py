"""gunicorn resets connections of its backlog when it stops: the reason for ``src/runtime/listening.py`` in projects."""

import os
import signal
import socket
import subprocess
import time
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from threading import Thread

from projects import program

GONE = (
    "gunicorn loses no connection when it stops (https://github.com/benoitc/gunicorn/issues/3397): delete "
    "src/runtime/listening.py, and when_ready of docker/app/gunicorn.conf.py"
)

OPTIONS = ["--worker-class", "gthread", "--workers", "2", "--threads", "4", "--graceful-timeout", "10"]
CLIENTS = 16
STOPS = 5


def ask(port: int) -> str:
    """Send a POST request, and return the status of the response or the name of the error."""
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("POST", "/", body=b"x" * 100)
        return str(connection.getresponse().status)
    except (OSError, HTTPException) as error:
        return type(error).__name__
    finally:
        connection.close()


def stop_under_load(gunicorn: Path, folder: Path) -> list[str]:
    """Start gunicorn, stop it while clients send requests, and return what they got until their connections were refused."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    answers: list[str] = []

    def ask_on() -> None:
        while (answer := ask(port)) != "ConnectionRefusedError":
            answers.append(answer)

    with subprocess.Popen(
        [gunicorn, "--bind", f"127.0.0.1:{port}", *OPTIONS, "page:application"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder)},
        stderr=subprocess.DEVNULL,
    ) as server:
        try:
            while ask(port) == "ConnectionRefusedError" and server.poll() is None:
                time.sleep(0.1)
            clients = [Thread(target=ask_on) for _ in range(CLIENTS)]
            for client in clients:
                client.start()
            time.sleep(1)
            server.send_signal(signal.SIGTERM)
            for client in clients:
                client.join()
        finally:
            server.terminate()
    return answers


def test_unmodified_gunicorn_loses_requests_when_it_stops(environment: Path, tmp_path: Path) -> None:
    (tmp_path / "page.py").write_text(program("wsgi_page"))
    answers = [answer for _ in range(STOPS) for answer in stop_under_load(environment / "bin/gunicorn", tmp_path)]
    lost = [answer for answer in answers if answer != "200"]
    print(f"{len(lost)} of {len(answers)} POST requests lost in {STOPS} stops: {sorted(set(lost))}")
    assert answers.count("200") > 10 * CLIENTS, "gunicorn did not serve the requests before it was stopped"
    assert lost, GONE
