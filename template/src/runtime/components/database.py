"""The database: a query, and a row that is written, read and rolled back."""

import secrets

from django.contrib.auth import get_user_model
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.utils.translation import gettext_lazy as _

from .base import Component


def probe() -> str:
    """Ask the database for one row, and name its kind and version."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.fetchone()
    version = ".".join(map(str, connection.get_database_version()))
    return f"{connection.display_name} {version}"


def trial() -> str:
    """Look for missing migrations; write a user, read it back, and leave nothing of it."""
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if missing:
        message = f"{len(missing)} migrations are not applied: run `pdm run manage migrate`"
        raise RuntimeError(message)
    model = get_user_model()
    name = f"doctor-{secrets.token_hex(8)}"
    with transaction.atomic():
        model.objects.create_user(username=name)
        found = model.objects.filter(username=name).count()
        transaction.set_rollback(True)
    if found != 1:
        message = "a row that was written could not be read"
        raise RuntimeError(message)
    return f"{probe()}, a row written and read"


component = Component("database", _("Database"), probe, trial, essential=True)
