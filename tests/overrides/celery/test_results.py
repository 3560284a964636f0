"""A result is lost when the database goes down as its task ends: the reason for ``src/runtime/celery/results.py`` in projects."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from projects import PRODUCTION, program

GONE = (
    "django-celery-results stores a result again after an OperationalError: delete src/runtime/celery/results.py, and set "
    'CELERY_RESULT_BACKEND = "django-db" in src/config/settings/celery.py'
)


def test_unmodified_backend_stores_no_result_again_after_an_operational_error(project: Callable[[str], Path]) -> None:
    folder = project("default")
    command: list[str | Path] = [folder / ".venv/bin/python", "-c", program("result_retry")]
    env = os.environ | PRODUCTION | {"PYTHONPATH": "src", "DJANGO_SETTINGS_MODULE": "config.settings"}
    found = subprocess.run(command, cwd=folder, env=env, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    assert found == "False", GONE
