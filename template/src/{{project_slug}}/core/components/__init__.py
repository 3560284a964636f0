"""The components that the site is made of, each with a way to see whether it works.

The start page and ``/health/ready`` use the cheap probes, ``manage.py doctor`` the trials.
"""

from django.conf import settings

from . import cache, database, mail, proxy, static_files
from .base import Component, State, check

COMPONENTS: tuple[Component, ...] = (
    database.component,
    cache.component,
    mail.component,
    static_files.component,
    *([proxy.component] if settings.PROXY_URL else []),
)

__all__ = ["COMPONENTS", "Component", "State", "check"]
