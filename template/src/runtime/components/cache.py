"""The cache: a key is set and read."""

import secrets

from django.conf import settings
from django.core.cache import cache

from .base import Component


def probe() -> str:
    """Set a key, read it, and return the name of the backend.

    Raises:
        RuntimeError: where the key is missing, as when the server is down: the backend ignores its errors.
    """
    key = f"doctor-{secrets.token_hex(8)}"
    cache.set(key, key, timeout=10)
    if cache.get(key) != key:
        message = "a key that was set could not be read"
        raise RuntimeError(message)
    backend: str = settings.CACHES["default"]["BACKEND"]
    return backend.rpartition(".")[2].removesuffix("Cache")


# Not essential: pages work without the cache.
component = Component("cache", probe, probe)
