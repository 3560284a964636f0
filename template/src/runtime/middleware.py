"""The first two middlewares: request ids and health checks, under WSGI and ASGI.

https://docs.djangoproject.com/en/5.2/topics/http/middleware/#asynchronous-support
"""

import logging
import re
import uuid
from collections.abc import Callable
from time import perf_counter
from typing import Any

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from django.utils.decorators import sync_and_async_middleware
from django.utils.encoding import escape_uri_path
from structlog.contextvars import bind_contextvars, clear_contextvars

from .components import COMPONENTS, check

logger = logging.getLogger("runtime.requests")

# The next middleware or the view. Under ASGI it returns an awaitable.
GetResponse = Callable[[HttpRequest], Any]

# An accepted X-Request-ID. Another one is replaced, so that clients can't write into the logs.
REQUEST_ID = re.compile(r"[A-Za-z0-9-]{16,64}")

LIVE = "/health/live"
READY = "/health/ready"


def identify(given: str) -> str:
    """Return the id of a request: the value of ``X-Request-ID`` where it is valid, or a new one."""
    return given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


@sync_and_async_middleware
def request_id(get_response: GetResponse) -> GetResponse:
    """Add a request id to each log line and, as ``X-Request-ID``, to the response."""

    def begin(request: HttpRequest) -> tuple[str, float]:
        identifier = identify(request.META.get("HTTP_X_REQUEST_ID", ""))
        # Cleared here and not at the end: Django logs some responses after all middleware.
        clear_contextvars()
        bind_contextvars(request_id=identifier)
        return identifier, perf_counter()

    def end(
        request: HttpRequest, response: HttpResponseBase, identifier: str, started: float
    ) -> HttpResponseBase:
        response["X-Request-ID"] = identifier
        level = logging.DEBUG if request.path_info in {LIVE, READY} else logging.INFO
        logger.log(
            level,
            "%s %s %s",
            request.method,
            escape_uri_path(request.path),
            response.status_code,
            extra={"milliseconds": round((perf_counter() - started) * 1000, 1)},
        )
        return response

    if iscoroutinefunction(get_response):

        async def asynchronous(request: HttpRequest) -> HttpResponseBase:
            identifier, started = begin(request)
            return end(request, await get_response(request), identifier, started)

        return asynchronous

    def synchronous(request: HttpRequest) -> HttpResponseBase:
        identifier, started = begin(request)
        return end(request, get_response(request), identifier, started)

    return synchronous


def readiness() -> JsonResponse:
    """Try the essential components: 503 with the names of those that fail."""
    failing = [
        component.name
        for component in COMPONENTS
        if component.essential and not check(component).works
    ]
    body = {"ready": not failing, "failing": failing}
    return JsonResponse(body, status=503 if failing else 200)


@sync_and_async_middleware
def health(get_response: GetResponse) -> GetResponse:
    """Answer ``/health/live`` for the process, and ``/health/ready`` for what pages need."""
    if iscoroutinefunction(get_response):

        async def asynchronous(request: HttpRequest) -> HttpResponseBase:
            if request.path_info == LIVE:
                return JsonResponse({"live": True})
            if request.path_info == READY:
                return await sync_to_async(readiness)()
            response: HttpResponseBase = await get_response(request)
            return response

        return asynchronous

    def synchronous(request: HttpRequest) -> HttpResponseBase:
        if request.path_info == LIVE:
            return JsonResponse({"live": True})
        if request.path_info == READY:
            return readiness()
        response: HttpResponseBase = get_response(request)
        return response

    return synchronous
