"""The proxy in front of the site: it serves a stylesheet."""

import urllib.request

from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage

from .base import Component
from .static_files import STYLESHEET


def probe() -> str:
    """Request the stylesheet from the proxy at ``PROXY_URL``, and return its URL.

    Raises:
        OSError: where the proxy does not answer within 3 seconds, or with an error.
    """
    url = settings.PROXY_URL + staticfiles_storage.url(STYLESHEET)
    with urllib.request.urlopen(url, timeout=3) as response:  # noqa: S310 - the URL is a setting
        response.read()
    return url


component = Component("proxy", probe, probe)
