"""The database, from ``DATABASE_URL``.

https://docs.djangoproject.com/en/5.2/ref/databases/
"""

from urllib.parse import quote

import dj_database_url
from django.core.exceptions import ImproperlyConfigured
from django.db.utils import load_backend
from environs import ValidationError

from config.environment import ROOT, env, url_of

_well_formed = url_of(
    dj_database_url.ENGINE_SCHEMES, "scheme://user:password@host:port/name", dj_database_url.parse
)


def check_url(url: str) -> None:
    """Refuse a URL that is malformed, and a database whose driver is not installed.

    Args:
        url: the value of ``DATABASE_URL``.

    Raises:
        ValidationError: with the words of Django where it is the driver.
    """
    _well_formed(url)
    try:
        load_backend(dj_database_url.parse(url)["ENGINE"])
    except ImproperlyConfigured as error:
        raise ValidationError(f"{error}: add it by `pdm add`.") from None


_default = f"sqlite:///{quote(str(ROOT / 'data' / 'db.sqlite3'))}"
_url = env.str("DATABASE_URL", _default, validate=check_url)

DATABASES = {"default": dj_database_url.parse(_url)}

if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # A writer waits 5 seconds for another one instead of failing at once; readers never wait:
    # https://docs.djangoproject.com/en/5.2/ref/databases/#sqlite-notes
    DATABASES["default"]["OPTIONS"] = {
        "timeout": 5,
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;",
        **DATABASES["default"].get("OPTIONS", {}),
    }

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
