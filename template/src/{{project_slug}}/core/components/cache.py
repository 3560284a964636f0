"""The cache: a key that is set, read and deleted."""

import secrets

from django.conf import settings
from django.core.cache import cache
from django.utils.translation import gettext_lazy as _

from .base import Component


def probe() -> str:
    """Set a key, read it, delete it, and name the backend."""
    key = f"doctor-{secrets.token_hex(8)}"
    cache.set(key, key, timeout=60)
    found = cache.get(key)
    cache.delete(key)
    if found != key:
        message = "a key that was set could not be read"
        raise RuntimeError(message)
    backend: str = settings.CACHES["default"]["BACKEND"]
    return backend.rpartition(".")[2].removesuffix("Cache")


def trial() -> str:
    """Do what the probe does: it is the real thing already."""
    return f"{probe()}, a key set and read"


component = Component("cache", _("Cache"), probe, trial, essential=True)
