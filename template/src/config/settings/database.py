"""The database, from ``DATABASE_URL``.

https://docs.djangoproject.com/en/5.2/ref/databases/
"""

from typing import Any
from urllib.parse import quote

import dj_database_url
from django.core.exceptions import ImproperlyConfigured
from django.db.utils import load_backend
from environs import ValidationError, validate

from config.environment import ROOT, env, url_of

from .base import APP_NAME


def _parse(url: str) -> dj_database_url.DBConfig:
    """Read a URL, and refuse a database whose driver is not installed.

    Args:
        url: the value of ``DATABASE_URL``.

    Raises:
        ValidationError: with the words of Django.
    """
    database = dj_database_url.parse(url, conn_health_checks=True)
    try:
        load_backend(database["ENGINE"])
    except ImproperlyConfigured as error:
        message = f"{' '.join(str(error).split())}: add it by `pdm add`."
        raise ValidationError(message) from None
    return database


check_url = url_of(dj_database_url.ENGINE_SCHEMES, "scheme://user:password@host:port/name", _parse)

_default = f"sqlite:///{quote(str(ROOT / 'data' / 'db.sqlite3'))}"
_database = _parse(env.str("DATABASE_URL", _default, validate=check_url))

# Each process keeps a pool, from which a thread takes a connection for the time of a request.
# Processes times the largest size must stay below max_connections of the server.
_pool_max_size = env.int("DATABASE_POOL_MAX_SIZE", 4, validate=validate.Range(min=1))
_pool_min_size = env.int(
    "DATABASE_POOL_MIN_SIZE", 1, validate=validate.Range(min=0, max=_pool_max_size)
)
_pool_timeout = env.float(
    "DATABASE_POOL_TIMEOUT", 5, validate=validate.Range(min=0, min_inclusive=False)
)

# What the driver of a database is told; the query of the URL wins.
_options: dict[str, dict[str, Any]] = {
    # https://docs.djangoproject.com/en/5.2/ref/databases/#postgresql-connection-pools
    "django.db.backends.postgresql": {
        "application_name": APP_NAME,
        # Seconds. A server that is gone must fail a request, and not hold it for minutes:
        # https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
        "connect_timeout": 3,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 10_000,  # milliseconds
        "pool": {
            "min_size": _pool_min_size,
            "max_size": _pool_max_size,
            "timeout": _pool_timeout,
            # The pause between attempts doubles up to this: pages are back soon after the server.
            "reconnect_timeout": 3,
        },
    },
    # A writer waits 5 seconds for another one instead of failing at once; readers never wait:
    # https://docs.djangoproject.com/en/5.2/ref/databases/#sqlite-notes
    "django.db.backends.sqlite3": {
        "timeout": 5,
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;",
    },
}

DATABASES = {
    "default": {
        **_database,
        "OPTIONS": {**_options.get(_database["ENGINE"], {}), **_database.get("OPTIONS", {})},
    },
}

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
