"""The database, from ``DATABASE_URL``.

https://docs.djangoproject.com/en/5.2/ref/databases/
"""

import dj_database_url

from config.environment import ROOT, env, url_of

_url = env.str(
    "DATABASE_URL",
    f"sqlite:///{ROOT / 'data' / 'db.sqlite3'}",
    validate=url_of(dj_database_url.ENGINE_SCHEMES, "scheme://user:password@host:port/name"),
)

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
