"""The sign of life of a worker, and of beat: a file that is touched.

A file, because most brokers have no way to ask a process, and because it tells of this one alone.
"""

from pathlib import Path

from django.conf import settings

# Seconds between two; compose.yml lets several be missing before it calls a container unhealthy.
INTERVAL = 5


def touch() -> None:
    """Give a sign of life, where anybody looks for one."""
    if settings.HEARTBEAT:
        Path(settings.HEARTBEAT).touch()
