"""What becomes of a message when its task fails.

https://docs.celeryq.dev/en/stable/userguide/tasks.html#requests-and-custom-requests
"""

import logging
from signal import SIGKILL
from typing import Any

from billiard.einfo import ExceptionInfo, ExceptionWithTraceback  # type: ignore[attr-defined]
from celery.exceptions import Reject, SoftTimeLimitExceeded, TimeLimitExceeded
from celery.worker.request import Request as CeleryRequest

from . import broker

logger = logging.getLogger(__name__)


class Request(CeleryRequest):
    """A message on its way through a worker.

    What fails is received again, until it was received ``MAX_RECEIVES`` times and goes to the dead-letter queue.
    What takes longer than its time limit goes there at once: it would do so again, and what it did until then is
    not done twice. So does what raises ``Reject``.
    """

    def on_failure(
        self, exc_info: ExceptionInfo, send_failed_event: bool = True, return_ok: bool = False
    ) -> Any:
        """Give up a task that was told to stop, was killed, or wants to be given up."""
        error = exc_info.exception
        if isinstance(error, ExceptionWithTraceback):
            error = error.exc
        if isinstance(error, SoftTimeLimitExceeded):
            self.bury("it took longer than its soft time limit")
        elif isinstance(error, TimeLimitExceeded):
            self.bury("it took longer than its time limit, and was killed")
        elif isinstance(error, Reject) and not error.requeue:  # type: ignore[attr-defined]
            self.bury(str(error.reason))  # type: ignore[attr-defined]
        return super().on_failure(exc_info, send_failed_event, return_ok)

    def cancel(self, pool: Any, signal: int | None = None, emit_retry: bool = True) -> None:
        """Stop a task whose connection is lost: somebody else gets its message.

        Args:
            pool: the processes of the worker.
            signal: what to send. A process that is asked to end would wait, 30 seconds at most, until the worker has
                read its results, and the worker until there is a connection: it is killed.
            emit_retry: whether to note that the task is done again.
        """
        super().cancel(pool, signal or SIGKILL, emit_retry)

    def bury(self, reason: str) -> None:
        """Move the message to the dead-letter queue.

        Args:
            reason: why, for the log.
        """
        logger.error("%s[%s] is given up: %s", self.name, self.id, reason)
        broker.bury(self)

    def reject(self, requeue: bool = False) -> None:
        """Let the message be received again."""
        if not self.acknowledged:
            broker.again(self, super().reject, requeue)
