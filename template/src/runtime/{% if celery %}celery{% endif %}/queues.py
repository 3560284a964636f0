"""The queues, as the commands of ``manage.py`` show them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.conf import settings
from django.core.management.base import CommandError


@dataclass(frozen=True)
class Queue:
    """What a queue holds at one moment.

    Attributes:
        name: what the site calls it.
        waiting: messages that a worker could take.
        running: messages that workers hold.
        delayed: messages whose time has not come.
        oldest: for how many seconds the oldest of those that wait has been there.

    What the broker does not tell is None.
    """

    name: str
    waiting: int
    running: int | None
    delayed: int | None
    oldest: float | None


@contextmanager
def answering() -> Iterator[None]:
    """Ask the broker within a command.

    Raises:
        CommandError: when there is none, it does not answer, or its queues are not as they should be.
    """
    if settings.CELERY_TASK_ALWAYS_EAGER:
        message = "CELERY_BROKER_URL names no broker: tasks run at once, and nothing is kept."
        raise CommandError(message)
    try:
        yield
    except ValueError as error:
        raise CommandError(str(error)) from error
    except Exception as error:
        message = f"The broker does not answer: {' '.join(str(error).split())}"
        raise CommandError(message) from error
