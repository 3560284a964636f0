"""Middleware that comes first, under WSGI and under ASGI alike.

https://docs.djangoproject.com/en/5.2/topics/http/middleware/#asynchronous-support
"""

import logging
import re
from collections.abc import Callable
from random import getrandbits
from time import perf_counter
from typing import Any

from asgiref.sync import iscoroutinefunction, sync_to_async
from csp.constants import HEADER
from csp.middleware import CheckableLazyObject, CSPMiddleware
from csp.utils import build_policy
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.utils.decorators import sync_and_async_middleware
from django.utils.encoding import escape_uri_path
from structlog.contextvars import bind_contextvars, clear_contextvars

from .components import COMPONENTS, check

logger = logging.getLogger(__name__)

# The next in the chain. What it returns is awaitable under ASGI.
GetResponse = Callable[[HttpRequest], Any]

# What a proxy in front may send as X-Request-ID. Anything else is replaced: nobody from outside
# writes into the logs.
REQUEST_ID = re.compile(r"[A-Za-z0-9-]{16,64}")

# Where the nonce of an answer goes in a policy.
NONCE = "<nonce>"

LIVE = "/health/live"
READY = "/health/ready"


def identify(given: str) -> str:
    """Return the id of a request: the one that it came with, or a new one.

    Args:
        given: what ``X-Request-ID`` says.
    """
    if REQUEST_ID.fullmatch(given):
        return given
    # No secret. Whoever asks the kernel for one hands the lock of Python to another thread meanwhile.
    return f"{getrandbits(128):032x}"


@sync_and_async_middleware
def request_id(get_response: GetResponse) -> GetResponse:
    """Give every request an id, in each line that it logs and in ``X-Request-ID`` of the answer."""

    def begin(request: HttpRequest) -> tuple[str, float]:
        # Not request.headers, which reads all of them.
        identifier = identify(request.META.get("HTTP_X_REQUEST_ID", ""))
        # Cleared here and not at the end, because Django logs some answers after all middleware.
        clear_contextvars()
        bind_contextvars(request_id=identifier)
        return identifier, perf_counter()

    def end(
        request: HttpRequest, response: HttpResponseBase, identifier: str, started: float
    ) -> HttpResponseBase:
        response["X-Request-ID"] = identifier
        level = logging.DEBUG if request.path_info in {LIVE, READY} else logging.INFO
        # In production nobody reads the line, and making it is work.
        if logger.isEnabledFor(level):
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


@sync_and_async_middleware
def health(get_response: GetResponse) -> GetResponse:
    """Answer the probes: ``/health/live`` for the process, ``/health/ready`` for what it needs.

    It stands before the checks of host and TLS, because probes come by address and in the clear.
    """

    def ready() -> HttpResponse:
        failing = [
            component.name
            for component in COMPONENTS
            if component.essential and not check(component).works
        ]
        status = 503 if failing else 200
        return JsonResponse({"ready": not failing, "failing": failing}, status=status)

    if iscoroutinefunction(get_response):

        async def asynchronous(request: HttpRequest) -> HttpResponseBase:
            if request.path_info == LIVE:
                return JsonResponse({"live": True})
            if request.path_info == READY:
                return await sync_to_async(ready)()
            response: HttpResponseBase = await get_response(request)
            return response

        return asynchronous

    def synchronous(request: HttpRequest) -> HttpResponseBase:
        if request.path_info == LIVE:
            return JsonResponse({"live": True})
        if request.path_info == READY:
            return ready()
        response: HttpResponseBase = get_response(request)
        return response

    return synchronous


class ContentSecurityPolicy(CSPMiddleware):
    """Send the policy with every answer but Django's own pages for errors in development.

    Those have inline styles and scripts. The parent class knows of them for 404 and 500, and not
    for 400, which a host that is not in ``ALLOWED_HOSTS`` gets.

    The parent class builds a policy from the settings for each answer, twice, which takes longer
    than many a view. Here it is built once, and by the parent where an answer has one of its own.
    """

    # What the decorators of django-csp leave on the answer of a view.
    OWN = frozenset(
        f"_csp_{name}{kind}"
        for name in ("config", "exempt", "replace", "update")
        for kind in ("", "_ro")
    )

    def __init__(self, get_response: GetResponse) -> None:
        """Build the policy of the settings, without a nonce and with a place for one."""
        super().__init__(get_response)
        policy = getattr(settings, "CONTENT_SECURITY_POLICY", None) or {}
        reported = getattr(settings, "CONTENT_SECURITY_POLICY_REPORT_ONLY", None)
        self.is_for_all = not (settings.DEBUG or reported or policy.get("EXCLUDE_URL_PREFIXES"))
        self.policy = build_policy()
        self.policy_with_nonce = build_policy(nonce=NONCE)
        # As the parent does: a nonce that is asked for after the answer would be in no policy.
        self.late_nonce = CheckableLazyObject(self._csp_nonce_post_response)

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        """Send the policy."""
        if not self.is_for_all or not self.OWN.isdisjoint(vars(response)):
            if settings.DEBUG and response.status_code == 400:
                return response
            return super().process_response(request, response)
        nonce = getattr(request, "_csp_nonce", None)
        if nonce is None:
            policy = self.policy
            request.csp_nonce = self.late_nonce  # type: ignore[attr-defined]
        else:
            policy = self.policy_with_nonce.replace(NONCE, nonce)
        if policy:
            response.headers.setdefault(HEADER, policy)
        return response
