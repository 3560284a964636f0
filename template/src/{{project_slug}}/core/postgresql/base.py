"""While the server is down, one request waits for it; the others fail at once.

If each of them waited, they would soon be all that the threads of a process do, and pages and probes
that need no database would wait behind them.
https://docs.djangoproject.com/en/5.2/ref/databases/#subclassing-the-built-in-database-backends
"""

from threading import Lock
from typing import Any

from django.db.backends.postgresql import base


class Server:
    """What a process knows of a server, for all of its threads."""

    def __init__(self) -> None:
        self.down = False
        self.trying = Lock()


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection that is not asked for in vain by everybody."""

    _servers: dict[str, Server] = {}  # noqa: RUF012 - shared by all connections, by their alias

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Connect, or take a connection from the pool."""
        server = self._servers.setdefault(self.alias, Server())
        alone = server.down and server.trying.acquire(blocking=False)
        if server.down and not alone:
            message = "the database is down, and another request waits for it"
            raise self.Database.OperationalError(message)
        try:
            connection = super().get_new_connection(conn_params)
        except self.Database.OperationalError:
            server.down = True
            raise
        else:
            server.down = False
            return connection
        finally:
            if alone:
                server.trying.release()
