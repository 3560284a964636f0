"""Prints whether django-celery-results stores a result again when the database is down."""

import django
from django.db import OperationalError

django.setup()

from django_celery_results.backends.database import DatabaseBackend  # noqa: E402 - after the setup

# The method uses nothing of its backend but the connection to the default database.
print(DatabaseBackend.exception_safe_to_retry(DatabaseBackend.__new__(DatabaseBackend), OperationalError()))
