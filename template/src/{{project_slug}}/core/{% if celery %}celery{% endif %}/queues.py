"""What is known of a queue."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Queue:
    """What a queue holds at one moment.

    Attributes:
        name: what the site calls it.
        waiting: messages that a worker could take.
        running: messages that workers hold.
        delayed: messages whose time has not come.
        oldest: for how many seconds the oldest of those that wait has been there; None where nobody knows.
    """

    name: str
    waiting: int
    running: int
    delayed: int
    oldest: float | None
