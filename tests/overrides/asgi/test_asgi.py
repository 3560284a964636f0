"""Django's ASGI handler is slow on synchronous pages: the reason for ``src/runtime/asgi.py`` in projects."""

import secrets
from collections.abc import Callable
from pathlib import Path

from projects import run_program

GONE = (
    "Django's ASGI handler is less than 1.5 times as slow on synchronous pages (https://code.djangoproject.com/ticket/37177): "
    "delete src/runtime/asgi.py, and use django.core.asgi"
)


def test_unmodified_handler_is_slow_on_synchronous_pages(project: Callable[[str], Path]) -> None:
    folder = project("app_server=uvicorn")
    # Production, whose log has no line for each request. Nothing here connects.
    variables = {
        "ALLOWED_HOSTS": "localhost",
        "CELERY_BROKER_URL": "sqs://key:secret@127.0.0.1:9324/000000000000/",
        "DATABASE_URL": f"sqlite:///{folder}/db.sqlite3",
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "EMAIL_URL": "smtp://127.0.0.1:25",
        "ENV_FILE": "",
        "PYTHONPATH": "src",
        "REDIS_URL": "redis://127.0.0.1:6379/0",
        "SECRET_KEY": secrets.token_urlsafe(48),
        "SECURE_SSL_REDIRECT": "false",
    }
    ratio = float(run_program("asgi_handlers", environment=folder / ".venv", cwd=folder, env=variables))
    print(f"runtime.asgi answers {ratio:.1f} times as many requests as Django's handler")
    assert ratio > 1.5, GONE
