"""The database, from ``DATABASE_URL``.

https://docs.djangoproject.com/en/5.2/ref/databases/
"""

from urllib.parse import quote

import dj_database_url

from config.environment import ROOT, env, url_of

_default = f"sqlite:///{quote(str(ROOT / 'data' / 'db.sqlite3'))}"
_check = url_of(
    dj_database_url.ENGINE_SCHEMES, "scheme://user:password@host:port/name", dj_database_url.parse
)
_url = env.str("DATABASE_URL", _default, validate=_check)

DATABASES = {"default": dj_database_url.parse(_url)}

if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # A writer waits 5 seconds for another one instead of failing at once; readers never wait:
    # https://docs.djangoproject.com/en/5.2/ref/databases/#sqlite-notes
    DATABASES["default"]["OPTIONS"] = {
        "timeout": 5,
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;",
    }

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
