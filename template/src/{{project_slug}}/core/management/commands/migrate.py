"""``manage.py migrate``: Django's own, one at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from time import monotonic, sleep
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.core.management.commands.migrate import Command as Migrate
from django.db import connections

# The number of the lock, in the database of the site: any, but always the same.
LOCK = 7_209_341_866


class Command(Migrate):
    """Let only one of several that start at once migrate; the others wait, and find nothing to do."""

    def add_arguments(self, parser: CommandParser) -> None:
        """Let the patience be chosen."""
        super().add_arguments(parser)
        parser.add_argument(
            "--wait",
            type=float,
            default=600,
            metavar="SECONDS",
            help="wait as long for another process that migrates (600)",
        )

    def handle(self, *args: Any, **options: Any) -> str | None:
        """Migrate, where nobody else does."""
        if options["plan"] or options["check_unapplied"]:
            return super().handle(*args, **options)
        with self.alone(options["database"], options["wait"]):
            return super().handle(*args, **options)

    @contextmanager
    def alone(self, alias: str, seconds: float) -> Iterator[None]:
        """Hold the lock of the database, where it is one that several machines can share.

        Args:
            alias: the name of the database.
            seconds: how long to wait.

        Raises:
            CommandError: when another process holds it for longer.
        """
        if connections[alias].vendor != "postgresql":
            yield
            return
        # A connection of its own, beside the pool: it is closed at the end, and the lock goes with it.
        # https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS
        own = deepcopy(connections[alias].settings_dict)
        own["OPTIONS"].pop("pool", None)
        connection = connections[alias].__class__(own, alias)
        deadline = monotonic() + seconds
        try:
            with connection.cursor() as cursor:
                waiting = False
                while not self.take(cursor):
                    if monotonic() >= deadline:
                        message = f"Another process has been migrating for {seconds:g} seconds."
                        raise CommandError(message)
                    if not waiting:
                        self.stderr.write("Another process migrates: waiting for it.")
                        waiting = True
                    sleep(0.2)
                yield
        finally:
            connection.close()

    @staticmethod
    def take(cursor: Any) -> bool:
        """Try to take the lock."""
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [LOCK])
        (taken,) = cursor.fetchone()
        return bool(taken)
