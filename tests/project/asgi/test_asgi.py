"""runtime.asgi, as a server calls it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from threading import current_thread
from types import ModuleType
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core.signals import request_finished, request_started
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from pytest_django import Settings
from runtime.asgi import ASGIHandler
from structlog.contextvars import get_contextvars

Message = Mapping[str, Any]

# What the views of a test did, in order.
done: list[str] = []


def note(*_: object, **__: object) -> None:
    done.append(current_thread().name)


def synchronous(request: HttpRequest) -> HttpResponse:
    note()
    return HttpResponse(request.path)


async def asynchronous(request: HttpRequest) -> HttpResponse:
    note()
    await asyncio.sleep(0)
    return HttpResponse(request.path)


def broken(_request: HttpRequest) -> HttpResponse:
    raise ValueError


def identified(_request: HttpRequest) -> HttpResponse:
    return HttpResponse(get_contextvars()["request_id"])


def sending(_request: HttpRequest) -> HttpResponse:
    async_to_sync(asyncio.sleep)(0)
    return HttpResponse("sent")


@csrf_exempt
def reading(request: HttpRequest) -> HttpResponse:
    return HttpResponse(request.body)


def endless(_request: HttpRequest) -> StreamingHttpResponse:
    async def parts() -> AsyncIterator[str]:
        try:
            while True:
                yield "part"
                await asyncio.sleep(0.01)
        finally:
            done.append("closed")

    return StreamingHttpResponse(parts())


@pytest.fixture(autouse=True)
def urls(settings: Settings) -> None:
    done.clear()
    views = synchronous, asynchronous, broken, identified, sending, reading, endless
    urlconf = ModuleType("urls")
    urlconf.urlpatterns = [path(view.__name__, view) for view in views]  # type: ignore[attr-defined]
    settings.ROOT_URLCONF = urlconf


@pytest.fixture
def handler() -> ASGIHandler:
    return ASGIHandler()


async def ask(
    handler: ASGIHandler, where: str, body: bytes = b"", leave: Callable[[list[Message]], bool] = lambda _: False, **more: Any
) -> list[Message]:
    """Send a request and return the messages of the response; the client disconnects when ``leave`` is true."""
    sent: list[Message] = []
    received: asyncio.Queue[Any] = asyncio.Queue()
    received.put_nowait({"type": "http.request", "body": body})

    async def send(message: Message) -> None:
        sent.append(message)
        if leave(sent):
            received.put_nowait({"type": "http.disconnect"})
        await asyncio.sleep(0)

    scope = {"type": "http", "method": "POST" if body else "GET", "path": where, "headers": [(b"host", b"testserver")]}
    await handler(scope | more, received.get, send)
    return sent


def get(handler: ASGIHandler, where: str, *args: Any, **kwargs: Any) -> tuple[int, bytes]:
    """Return the status and the content of a response."""
    sent = asyncio.run(ask(handler, where, *args, **kwargs))
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])


def test_signals_and_synchronous_view_run_in_one_thread(handler: ASGIHandler) -> None:
    request_started.connect(note)
    request_finished.connect(note)
    try:
        assert get(handler, "/synchronous") == (200, b"/synchronous")
    finally:
        request_started.disconnect(note)
        request_finished.disconnect(note)
    assert len(done) == 3
    assert len(set(done)) == 1
    assert done[0].startswith("web")


def test_web_threads_bounds_the_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEB_THREADS", "2")
    handler = ASGIHandler()

    async def several() -> None:
        await asyncio.gather(*(ask(handler, "/synchronous") for _ in range(10)))

    asyncio.run(several())
    assert len(done) == 10
    assert len(set(done)) <= 2


def test_asynchronous_view_runs_in_the_event_loop(handler: ASGIHandler) -> None:
    assert get(handler, "/asynchronous") == (200, b"/asynchronous")
    assert done == [current_thread().name]


@pytest.mark.parametrize(("where", "status"), [("/nowhere", 404), ("/broken", 500)])
def test_error_has_its_page(handler: ASGIHandler, where: str, status: int) -> None:
    assert get(handler, where)[0] == status


def test_context_of_the_request_reaches_the_view(handler: ASGIHandler) -> None:
    start, body = asyncio.run(ask(handler, "/identified"))
    assert dict(start["headers"])[b"X-Request-ID"] == body["body"]


def test_synchronous_view_can_call_a_coroutine(handler: ASGIHandler) -> None:
    assert get(handler, "/sending") == (200, b"sent")


def test_body_is_read_within_the_limits_of_django(handler: ASGIHandler, settings: Settings) -> None:
    assert get(handler, "/reading", b"words") == (200, b"words")
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 3
    too_large = {"headers": [(b"host", b"testserver"), (b"content-length", b"5")]}
    assert get(handler, "/reading", b"words", **too_large)[0] == 400


def test_invalid_request_is_refused(handler: ASGIHandler) -> None:
    assert get(handler, "/synchronous", query_string=b"\xff")[0] == 400


def test_stream_ends_when_the_client_disconnects(handler: ASGIHandler) -> None:
    sent = asyncio.run(ask(handler, "/endless", leave=lambda sent: len(sent) == 2))
    assert len(sent) < 5
    assert done[-1] == "closed"


def test_client_that_disconnects_while_it_sends_gets_no_response(handler: ASGIHandler) -> None:
    async def disconnect() -> None:
        received: asyncio.Queue[Any] = asyncio.Queue()
        received.put_nowait({"type": "http.request", "body": b"a", "more_body": True})
        received.put_nowait({"type": "http.disconnect"})
        scope = {"type": "http", "method": "POST", "path": "/reading", "headers": []}
        await handler(scope, received.get, nobody)

    async def nobody(_message: Message) -> None:
        pytest.fail("nobody reads it")

    asyncio.run(disconnect())


@pytest.mark.parametrize("view", ["/synchronous", "/asynchronous"])
@pytest.mark.parametrize(
    "scope", [{}, {"root_path": "/shop", "path": "/shop{view}"}], ids=["stripped by the proxy", "told by the server"]
)
def test_prefix_stands_before_every_path(settings: Settings, view: str, scope: dict[str, str]) -> None:
    settings.FORCE_SCRIPT_NAME = "/shop"
    scope = {name: value.format(view=view) for name, value in scope.items()}
    assert get(ASGIHandler(), view, **scope) == (200, f"/shop{view}".encode())
