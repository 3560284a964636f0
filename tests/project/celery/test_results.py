"""The result backend, and a database that is down."""

import pytest
from config import celery_app
from django.db import IntegrityError, InterfaceError, OperationalError


@pytest.mark.django_db
@pytest.mark.parametrize(("error", "retried"), [(OperationalError, True), (InterfaceError, True), (IntegrityError, False)])
def test_result_is_stored_again_when_the_database_is_down(
    error: type[Exception], retried: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runtime.celery.results.connection.close", lambda: None)
    assert celery_app.backend.exception_safe_to_retry(error()) is retried
