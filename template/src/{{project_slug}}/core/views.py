"""Views that belong to no page."""

import errno
import sys

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template import loader
from django.templatetags.static import static
from django.views.decorators.cache import cache_control

# Seconds after which it is worth while to try again.
RETRY_AFTER = 30

# A disk that is full.
FULL = {errno.ENOSPC, errno.EDQUOT}


@cache_control(max_age=86400, public=True)
def favicon(_request: HttpRequest) -> HttpResponseRedirect:
    """Lead to the icon: browsers ask for /favicon.ico where a page links none."""
    return HttpResponseRedirect(static("core/favicon.ico"))


def passes(error: BaseException | None) -> bool:
    """Say whether an error is none of the program: no database, or a full disk."""
    if isinstance(error, OSError):
        return error.errno in FULL
    return isinstance(error, OperationalError | InterfaceError)


def server_error(_request: HttpRequest) -> HttpResponse:
    """Answer what nothing caught: 503 for what passes, which probes and crawlers understand, else 500.

    Django calls it wherever an error comes from, in a view or in middleware, and logs the error.
    https://docs.djangoproject.com/en/5.2/ref/urls/#handler500
    """
    if passes(sys.exc_info()[1]):
        page = loader.render_to_string("503.html")
        return HttpResponse(page, status=503, headers={"Retry-After": str(RETRY_AFTER)})
    return HttpResponse(loader.render_to_string("500.html"), status=500)
