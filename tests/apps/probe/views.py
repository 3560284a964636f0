"""What Django sees of a request, and a slow response."""

import os
import socket
import time

from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt


def replica() -> dict[str, object]:
    """Return which process of which container responds."""
    return {"replica": socket.gethostname(), "process": os.getpid()}


@csrf_exempt
def probe(request: HttpRequest) -> JsonResponse:
    """Return who asked, for what and how, and with which headers."""
    seen = {
        "scheme": request.scheme,
        "host": request.get_host(),
        "address": request.META["REMOTE_ADDR"],
        "url": request.build_absolute_uri("/"),
        "headers": {name: value for name, value in request.headers.items() if name.startswith(("Forwarded", "X-"))},
    }
    return JsonResponse(seen | replica())


def slow(request: HttpRequest) -> JsonResponse:
    """Respond after so many seconds."""
    time.sleep(float(request.GET["seconds"]))
    return JsonResponse(replica())
