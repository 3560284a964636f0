"""Tasks that succeed, fail, take too long, or kill their process."""

import contextlib
import os
import signal
import time
from typing import Any

from celery import shared_task
from celery.exceptions import SoftTimeLimitExceeded
from django.db import transaction
from django.db.models import F

from .models import Attempt, Counter, Row


def effect(key: str) -> None:
    """Make a row once, and count it."""
    with transaction.atomic():
        _, created = Row.objects.get_or_create(key=key)
        if created:
            Counter.objects.update(value=F("value") + 1)


def pardoned(key: str) -> bool:
    """Return whether what fails may succeed now; an attempt is counted where it may not."""
    if Row.objects.filter(key="pardon").exists():
        effect(f"{key} pardoned")
        return True
    Attempt.objects.create(key=key)
    return False


@shared_task(ignore_result=True)
def write(key: str, seconds: float = 0.05) -> None:
    """Take a while, and make a row."""
    Attempt.objects.create(key=key)
    time.sleep(seconds)
    effect(key)


@shared_task(soft_time_limit=200, time_limit=240)
def store(key: str, seconds: float = 0.05) -> str:
    """Take a while, make a row, and return a result."""
    time.sleep(seconds)
    effect(key)
    return key


@shared_task
def fail(key: str) -> None:
    """Raise an exception."""
    Attempt.objects.create(key=key)
    raise RuntimeError(key)


@shared_task(bind=True, max_retries=3)
def again(self: Any, key: str) -> None:
    """Fail once, and ask to run again after 2 seconds."""
    Attempt.objects.create(key=key)
    if not self.request.retries:
        raise self.retry(countdown=2)
    effect(key)


@shared_task
def linger(key: str) -> None:
    """Take longer than the soft time limit."""
    Attempt.objects.create(key=key)
    time.sleep(60)


@shared_task
def stubborn(key: str) -> None:
    """Take longer than the hard time limit."""
    Attempt.objects.create(key=key)
    end = time.monotonic() + 60
    while time.monotonic() < end:
        with contextlib.suppress(SoftTimeLimitExceeded):
            time.sleep(60)


@shared_task
def poison(key: str) -> None:
    """Kill the own process, as the kernel does when there is no memory left."""
    if not pardoned(key):
        os.kill(os.getpid(), signal.SIGKILL)


@shared_task(ignore_result=True)
def tick() -> None:
    """Count that it was started."""
    Attempt.objects.create(key="tick")
