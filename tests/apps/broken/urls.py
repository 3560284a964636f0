"""The page, and its address."""

from django.http import HttpRequest, HttpResponse
from django.urls import path


def broken(request: HttpRequest) -> HttpResponse:  # noqa: ARG001 - every view gets a request
    """Fail.

    Raises:
        RuntimeError: always.
    """
    message = "broken on purpose"
    raise RuntimeError(message)


urlpatterns = [path("broken/", broken)]
