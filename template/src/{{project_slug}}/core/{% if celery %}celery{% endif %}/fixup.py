"""What Celery does for Django around each task.

Celery's own way closes the pool of connections before and after every task, so that each makes a new one: that takes
longer than most tasks.
"""

from typing import Any

from celery import Celery
from celery.fixups import django
from django.db import connections


class WorkerFixup(django.DjangoWorkerFixup):  # type: ignore[misc, name-defined] # the types leave it out
    """Gives connections back to their pool, which looks at them before it hands them out again."""

    def on_task_prerun(self, sender: Any, **_: Any) -> None:
        """Begin without a connection, as a request does."""
        self.give_back(sender)

    def on_task_postrun(self, sender: Any, **_: Any) -> None:
        """Leave none behind."""
        self.give_back(sender)
        if not sender.request.is_eager:
            self.close_cache()

    def give_back(self, task: Any) -> None:
        """Give back the connections of a task, unless it runs in somebody else's process.

        Args:
            task: what is run.
        """
        if not task.request.is_eager:
            for connection in connections.all(initialized_only=True):
                connection.close()


class Fixup(django.DjangoFixup):
    """Celery's own, but for what a worker does around a task."""

    _worker_fixup: WorkerFixup | None

    @property
    def worker_fixup(self) -> WorkerFixup:
        """What a worker does."""
        if self._worker_fixup is None:
            self._worker_fixup = WorkerFixup(self.app)
        return self._worker_fixup


def fixup(app: Celery) -> Fixup:
    """Adapt an application to Django.

    Args:
        app: which is being made.
    """
    found = Fixup(app)
    found.install()
    return found
