"""The database, from ``DATABASE_URL``.

https://docs.djangoproject.com/en/5.2/ref/databases/
"""

from typing import Any
from urllib.parse import quote

import dj_database_url
from django.core.exceptions import ImproperlyConfigured
from django.db.utils import load_backend
from environs import ValidationError, validate

from runtime.environment import base_dir, env, url_validator

from .base import app_name


def _parse(url: str) -> dj_database_url.DBConfig:
    """Read a URL, and refuse a database whose driver is not installed.

    Raises:
        ValidationError: with Django's message.
    """
    database = dj_database_url.parse(url, conn_health_checks=True)
    try:
        load_backend(database["ENGINE"])
    except ImproperlyConfigured as error:
        message = f"{' '.join(str(error).split())}: add it by `pdm add`."
        raise ValidationError(message) from None
    return database


_check = url_validator(
    dj_database_url.ENGINE_SCHEMES, "scheme://user:password@host:port/name", _parse
)
_sqlite = f"sqlite:///{quote(str(base_dir / 'data' / 'db.sqlite3'))}"
_database = _parse(env.str("DATABASE_URL", "", validate=_check) or _sqlite)

# A web process keeps a pool with a connection for each thread; 0 means no pool, for workers and commands.
# Processes times this number must stay below max_connections of the server.
_threads = env.int("WEB_THREADS", 4, validate=validate.Range(min=1))
_pool_size = env.int("DATABASE_POOL_MAX_SIZE", _threads, validate=validate.Range(min=0))
# https://www.psycopg.org/psycopg3/docs/api/pool.html; times in seconds.
_pool = {"min_size": 1, "max_size": _pool_size, "timeout": 2, "reconnect_timeout": 3}

# Options of the drivers; those in the query of the URL win.
_options: dict[str, dict[str, Any]] = {
    # https://docs.djangoproject.com/en/5.2/ref/databases/#postgresql-connection-pools
    "django.db.backends.postgresql": {
        "application_name": app_name,
        # A request fails within seconds when the server is gone:
        # https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
        "connect_timeout": 3,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 10_000,  # milliseconds
        **({"pool": _pool} if _pool_size else {}),
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
