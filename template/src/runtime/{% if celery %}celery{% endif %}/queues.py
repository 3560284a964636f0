"""The queues of the broker, by what every transport of kombu has."""

from collections.abc import Iterator
from contextlib import contextmanager

from celery import current_app
from django.conf import settings
from django.core.management.base import CommandError


def waiting() -> dict[str, int]:
    """Return the number of waiting messages of each queue, and of its dead-letter queue, if it has one.

    Some brokers create a queue only when something is sent or a worker starts.
    """
    dead: dict[str, str] = getattr(settings, "DEAD_LETTER_QUEUES", {})
    counts = {}
    with current_app.connection_for_write() as connection:
        for queue in settings.CELERY_TASK_QUEUES:
            for name in (queue.name, dead.get(queue.name)):
                if name is None:
                    continue
                # A queue that does not exist closes its channel.
                channel = connection.channel()
                try:
                    counts[name] = channel.queue_declare(name, passive=True).message_count
                except connection.channel_errors as error:
                    if "NOT_FOUND" not in str(error):
                        raise
                    counts[name] = 0
    return counts


@contextmanager
def broker_errors() -> Iterator[None]:
    """Turn the errors of a broker into a line.

    Raises:
        CommandError: when there is no broker, or it does not answer.
    """
    if settings.CELERY_TASK_ALWAYS_EAGER:
        message = "CELERY_BROKER_URL names no broker: tasks run in the calling process."
        raise CommandError(message)
    try:
        yield
    except Exception as error:
        message = f"The broker does not answer: {' '.join(str(error).split())}"
        raise CommandError(message) from error
