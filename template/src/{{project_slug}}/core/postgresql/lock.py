"""A lock that processes share, on whatever machine they are.

https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS
"""

from copy import deepcopy
from typing import Any

from django.db import DatabaseError, connections


class Lock:
    """A lock of the database, where that is one that several machines can share; any other gives it to everybody.

    It has a connection of its own, beside the pool: it goes when the connection does.
    """

    def __init__(self, number: int, alias: str = "default") -> None:
        """Prepare it.

        Args:
            number: any, but always the same.
            alias: the name of the database.
        """
        self.number = number
        self.connection: Any = None
        database = connections[alias]
        if database.vendor == "postgresql":
            own = deepcopy(database.settings_dict)
            own["OPTIONS"].pop("pool", None)
            self.connection = database.__class__(own, alias)

    def take(self) -> bool:
        """Try to take it, and say whether that worked."""
        if self.connection is None:
            return True
        with self.connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(%s)", [self.number])
            (taken,) = cursor.fetchone()
        return bool(taken)

    def held(self) -> bool:
        """Say whether its connection is still there."""
        if self.connection is None:
            return True
        try:
            with self.connection.cursor() as cursor:
                cursor.execute("SELECT 1")
        except DatabaseError:
            return False
        return True

    def release(self) -> None:
        """Give it back."""
        if self.connection is not None:
            self.connection.close()
