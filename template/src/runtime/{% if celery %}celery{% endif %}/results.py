"""The result backend, which stores a result again while the database is down.

Fault of django-celery-results 2.6: with ``CELERY_RESULT_BACKEND_ALWAYS_RETRY`` it tries again after an
InterfaceError only, and not after the OperationalError of a server that is down. The result of a task
that had just ended was lost, and its message acknowledged.

Issue: https://github.com/celery/django-celery-results/pull/290. Remove this module, and set
``CELERY_RESULT_BACKEND = "django-db"``, when tests/overrides/celery of the template fails.
"""

from django.db import InterfaceError, OperationalError, connection
from django_celery_results.backends.database import DatabaseBackend


class ResultBackend(DatabaseBackend):
    """Stores results again until the database answers."""

    def exception_safe_to_retry(self, exc: Exception) -> bool:
        """Return whether to try again: in a worker, while the database is down. A page fails at once."""
        in_worker = self.app.current_worker_task is not None
        if not in_worker or not isinstance(exc, (InterfaceError, OperationalError)):
            return False
        connection.close()  # the next attempt makes a new one
        return True
