"""A result is lost when the database goes down as its task ends: the reason for ``src/runtime/celery/results.py`` in projects."""

from collections.abc import Callable
from pathlib import Path

from projects import PRODUCTION, run_program

GONE = (
    "django-celery-results stores a result again after an OperationalError: delete src/runtime/celery/results.py, and set "
    'CELERY_RESULT_BACKEND = "django-db" in src/config/settings/celery.py'
)


def test_unmodified_backend_stores_no_result_again_after_an_operational_error(project: Callable[[str], Path]) -> None:
    folder = project("default")
    env = PRODUCTION | {"PYTHONPATH": "src", "DJANGO_SETTINGS_MODULE": "config.settings"}
    found = run_program("result_retry", environment=folder / ".venv", cwd=folder, env=env).strip()
    assert found == "False", GONE
