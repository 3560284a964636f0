"""The database: a query, and a row that is written, read and rolled back."""

import secrets

from django.contrib.sessions.models import Session
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from .base import Component


def probe() -> str:
    """Run a query, and return the product and its version."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.fetchone()
    version = ".".join(map(str, connection.get_database_version()))
    return f"{connection.display_name} {version}"


def trial() -> str:
    """Look for migrations that are not applied; write a session, read it, and roll it back."""
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if missing:
        message = f"{len(missing)} migrations are not applied: run `pdm run manage migrate`"
        raise RuntimeError(message)
    with transaction.atomic():
        key = f"doctor-{secrets.token_hex(8)}"
        Session.objects.create(session_key=key, session_data="", expire_date=timezone.now())
        found = Session.objects.filter(session_key=key).exists()
        transaction.set_rollback(True)
    if not found:
        message = "a row that was written could not be read"
        raise RuntimeError(message)
    return f"{probe()}, a row written and read"


component = Component("database", probe, trial, essential=True)
