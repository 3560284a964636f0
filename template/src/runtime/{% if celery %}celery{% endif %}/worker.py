"""What a worker does besides its tasks.

https://docs.celeryq.dev/en/stable/userguide/extending.html
"""

import logging
from time import sleep
from typing import Any

from celery import bootsteps
from celery.exceptions import WorkerShutdown
from celery.signals import celeryd_after_setup
from celery.worker import state
from celery.worker.consumer.connection import Connection
from celery.worker.consumer.tasks import Tasks
from django.conf import settings
from kombu.asynchronous.timer import Entry

from . import broker, heartbeat

logger = logging.getLogger(__name__)

# Seconds between attempts to look at the queues of a broker that does not answer.
PAUSE = 1


class Check(bootsteps.StartStopStep):
    """Refuses queues that do not fit the settings, before the first message is taken."""

    requires = (Connection,)

    def start(self, _consumer: Any) -> None:
        """Compare, whenever a connection was made.

        Raises:
            WorkerShutdown: with exit code 1, when the queues do not fit.
        """
        try:
            broker.check()
        except ValueError as error:
            logger.critical("%s", error)
            raise WorkerShutdown(1) from None
        except Exception:
            # Celery tries again at once where it could connect.
            sleep(PAUSE)
            raise


# Steps know only what they come after.
Tasks.requires = (*Tasks.requires, Check)  # type: ignore[misc]


class Health(bootsteps.StartStopStep):
    """Gives signs of life while the worker takes messages."""

    requires = (Tasks,)
    entry: Entry | None = None

    def start(self, consumer: Any) -> None:
        """Begin, whenever messages are taken."""
        self.entry = consumer.timer.call_repeatedly(heartbeat.INTERVAL, self.sign, (consumer,))
        heartbeat.touch()

    def sign(self, consumer: Any) -> None:
        """Give a sign of life, where messages arrive.

        Args:
            consumer: what takes them.
        """
        if broker.listens(consumer):
            heartbeat.touch()

    def stop(self, consumer: Any) -> None:
        """End, when the connection is lost or the worker stops."""
        if state.should_stop is not None:
            broker.finish(consumer)
        if self.entry:
            self.entry.cancel()
            self.entry = None


@celeryd_after_setup.connect
def choose_queues(instance: Any, **_: Any) -> None:
    """Take from the queues of ``CELERY_QUEUES`` alone.

    Raises:
        SystemExit: where there is no broker.
    """
    if settings.CELERY_TASK_ALWAYS_EAGER:
        raise SystemExit("CELERY_BROKER_URL names no broker: there is nothing for a worker to do.")
    instance.app.amqp.queues.select(settings.WORKER_QUEUES)
