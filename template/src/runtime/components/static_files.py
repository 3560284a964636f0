"""Static files: a stylesheet that the pages link."""

from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import staticfiles_storage
from django.utils.translation import gettext_lazy as _

from .base import Component

STYLESHEET = "pages/site.css"


def probe() -> str:
    """Return the URL of the stylesheet: with a hash where the files were collected."""
    url = staticfiles_storage.url(STYLESHEET)
    if not staticfiles_storage.exists(STYLESHEET) and not finders.find(STYLESHEET):
        raise FileNotFoundError(STYLESHEET)
    return url


component = Component("static", _("Static files"), probe, probe, essential=True)
