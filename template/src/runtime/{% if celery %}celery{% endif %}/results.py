"""The result backend, https://django-celery-results.readthedocs.io/en/latest/."""

from django.db import InterfaceError, OperationalError, connection
from django_celery_results.backends.database import DatabaseBackend


class ResultBackend(DatabaseBackend):  # type: ignore[misc] # the package has no types
    """Stores results again until the database answers, by ``CELERY_RESULT_BACKEND_ALWAYS_RETRY``.

    django-celery-results itself retries InterfaceError only, not the OperationalError of a server that is
    down: the result of a task that had just ended was lost, and its message acknowledged.
    """

    def exception_safe_to_retry(self, exc: Exception) -> bool:
        """Return whether the database is down; the next attempt makes a new connection."""
        if not isinstance(exc, (InterfaceError, OperationalError)):
            return False
        connection.close()
        return True
