"""The settings of Celery in various environments, and the limits of tasks."""

from collections.abc import Callable
from subprocess import CompletedProcess

import pytest
from config import celery_app
from django.db import InterfaceError, OperationalError
from pytest_django import Settings

Start = Callable[..., CompletedProcess[str]]


@pytest.mark.parametrize(
    ("variable", "value"),
    [("CELERY_BROKER_URL", "ftp://ada:hunter2@broker"), ("CELERY_CONCURRENCY", "0"), ("CELERY_CONCURRENCY", "many")],
)
def test_malformed_variable_stops_the_program(refusal: Callable[[str, str], str], variable: str, value: str) -> None:
    assert refusal(variable, value)


def test_worker_without_a_broker_is_refused(start: Start) -> None:
    program = start("-m", "celery", "--app", "config", "worker", CELERY_BROKER_URL="")
    assert program.returncode != 0
    assert "CELERY_BROKER_URL names no broker" in program.stderr


def test_soft_time_limit_is_below_the_hard_one(settings: Settings) -> None:
    assert 0 < settings.CELERY_TASK_SOFT_TIME_LIMIT < settings.CELERY_TASK_TIME_LIMIT == 240


def test_task_retries_errors_of_the_database_without_a_limit() -> None:
    task = celery_app.tasks["runtime.tasks.echo"]
    assert set(task.autoretry_for) == {OperationalError, InterfaceError}
    assert task.retry_backoff_max == 60
    assert task.max_retries is None
