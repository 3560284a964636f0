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
        oldest: for how many seconds the oldest of those that wait has been there.

    What the broker does not tell is None.
    """

    name: str
    waiting: int
    running: int | None
    delayed: int | None
    oldest: float | None
