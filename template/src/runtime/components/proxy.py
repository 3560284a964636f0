"""The proxy in front of the site: it serves the stylesheet that pages link."""

import urllib.request

from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage
from django.utils.translation import gettext_lazy as _

from .base import Component
from .static_files import STYLESHEET

# Seconds. It stands beside the site.
TIMEOUT = 3


def probe() -> str:
    """Ask the proxy at ``PROXY_URL`` for the stylesheet, and say where it is.

    Raises:
        OSError: where the proxy does not answer, or with an error.
    """
    url = settings.PROXY_URL + staticfiles_storage.url(STYLESHEET)
    with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:  # noqa: S310 - of the environment
        answer.read()
    return url


component = Component("proxy", _("Proxy"), probe, probe)
