"""Static files: the stylesheet of the admin."""

from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import staticfiles_storage

from .base import Component

STYLESHEET = "admin/css/base.css"


def probe() -> str:
    """Return the URL of the stylesheet: with a hash where the files were collected."""
    url = staticfiles_storage.url(STYLESHEET)
    if not staticfiles_storage.exists(STYLESHEET) and not finders.find(STYLESHEET):
        raise FileNotFoundError(STYLESHEET)
    return url


component = Component("static", probe, probe, essential=True)
