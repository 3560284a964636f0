"""Django's ASGI handler is slow on synchronous pages: the reason for ``src/runtime/asgi.py`` in projects."""

import os
import secrets
import subprocess
from collections.abc import Callable
from pathlib import Path

GONE = (
    "Django's ASGI handler is less than 1.5 times as slow on synchronous pages (https://code.djangoproject.com/ticket/37177): "
    "delete src/runtime/asgi.py, and use django.core.asgi"
)

# Prints how many times as many requests the handler of the project answers as Django's own, in turns; the best turn of each.
PROGRAM = """
import asyncio
import time

from django.core.asgi import get_asgi_application as django_application

from runtime.asgi import get_asgi_application

REQUESTS, CLIENTS, TURNS = 400, 8, 5
SCOPE = {"type": "http", "method": "GET", "path": "/robots.txt", "headers": [(b"host", b"localhost")], "scheme": "https"}


async def ask(application):
    received = asyncio.Queue()
    received.put_nowait({"type": "http.request", "body": b""})
    statuses = []

    async def send(message):
        statuses.append(message.get("status"))

    await application(dict(SCOPE), received.get, send)
    assert statuses[0] == 200, statuses


async def rate(application):
    async def client():
        for _ in range(REQUESTS // CLIENTS):
            await ask(application)

    began = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    return REQUESTS / (time.perf_counter() - began)


async def compare():
    ours, django = get_asgi_application(), django_application()
    rates = [(await rate(ours), await rate(django)) for _ in range(TURNS)]
    print(max(rate for rate, _ in rates) / max(rate for _, rate in rates))


asyncio.run(compare())
"""


def test_unmodified_handler_is_slow_on_synchronous_pages(project: Callable[[str], Path]) -> None:
    folder = project("app_server=uvicorn")
    # Production, whose log has no line for each request. Nothing here connects.
    variables = {
        "ALLOWED_HOSTS": "localhost",
        "CELERY_BROKER_URL": "sqs://key:secret@127.0.0.1:9324/000000000000/",
        "DATABASE_URL": f"sqlite:///{folder}/db.sqlite3",
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "EMAIL_URL": "smtp://127.0.0.1:25",
        "ENV_FILE": "",
        "PYTHONPATH": "src",
        "REDIS_URL": "redis://127.0.0.1:6379/0",
        "SECRET_KEY": secrets.token_urlsafe(48),
        "SECURE_SSL_REDIRECT": "false",
    }
    command: list[str | Path] = [folder / ".venv/bin/python", "-c", PROGRAM]
    ratio = float(
        subprocess.run(command, cwd=folder, env=os.environ | variables, stdout=subprocess.PIPE, text=True, check=True).stdout
    )
    print(f"runtime.asgi answers {ratio:.1f} times as many requests as Django's handler")
    assert ratio > 1.5, GONE
