"""The result backend, and a database that is down."""

import pytest
from config import celery_app
from django.db import IntegrityError, InterfaceError, OperationalError


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("error", "task", "retried"),
    [
        (OperationalError, "a task", True),
        (InterfaceError, "a task", True),
        (IntegrityError, "a task", False),
        (OperationalError, None, False),
    ],
)
def test_worker_stores_a_result_again_when_the_database_is_down(
    error: type[Exception], task: str | None, retried: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runtime.celery.results.connection.close", lambda: None)
    monkeypatch.setattr(type(celery_app), "current_worker_task", task)
    assert celery_app.backend.exception_safe_to_retry(error()) is retried
