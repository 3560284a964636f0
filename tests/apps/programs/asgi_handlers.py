"""Prints how many times as many requests the handler of the project answers as Django's own.

They take turns, and the best turn of each counts.
"""

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
