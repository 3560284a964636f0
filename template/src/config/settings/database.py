"""The database, from ``DATABASE_URL``.

https://docs.djangoproject.com/en/5.2/ref/databases/
"""

from urllib.parse import urlsplit

import dj_database_url
from environs import ValidationError

from config.environment import ROOT, env

DEFAULT_URL = f"sqlite:///{ROOT / 'data' / 'db.sqlite3'}"


def check_url(url: str) -> None:
    """Refuse a URL that would be read as something else than was meant.

    Args:
        url: the value of ``DATABASE_URL``.

    Raises:
        ValidationError: for a scheme without a backend, and for characters that must be
            percent-encoded (https://www.rfc-editor.org/rfc/rfc3986#section-2.2). The message does
            not show the value, which holds a password.
    """
    scheme = url.partition(":")[0]
    if "://" not in url or scheme not in dj_database_url.SCHEMES:
        raise ValidationError(
            "a database URL is scheme://user:password@host:port/name, or sqlite:///path."
        )
    authority = url.partition("://")[2].partition("/")[0]
    if authority.count("@") > 1 or authority.rpartition("@")[0].count(":") > 1 or "#" in url:
        raise ValidationError(
            "characters such as @ : / # in the user or the password must be percent-encoded: "
            "%40 %3A %2F %23."
        )
    try:
        port = urlsplit(url).port
    except ValueError:
        port = 0
    if port == 0:
        raise ValidationError(
            "the port is not a number from 1 to 65535; characters such as / : in the password "
            "must be percent-encoded."
        )


DATABASES = {
    "default": dj_database_url.parse(env.str("DATABASE_URL", DEFAULT_URL, validate=check_url)),
}

if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["OPTIONS"] = {
        # Writers queue for 5 seconds instead of failing at once, readers never wait for them:
        # https://docs.djangoproject.com/en/5.2/ref/databases/#sqlite-notes
        "timeout": 5,
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;",
    }

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
