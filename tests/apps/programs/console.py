"""Reads an expression a line, as JSON, and prints what became of it; what else is printed has no mark."""

import json
import sys
import time
from datetime import timedelta

import django

django.setup()

from celery import current_app  # noqa: E402
from django.conf import settings  # noqa: E402
from django.db import close_old_connections  # noqa: E402
from django.utils import timezone  # noqa: E402
from django_celery_results.models import TaskResult  # noqa: E402
from my_site.jobs import models, tasks  # noqa: E402
from runtime.celery import queues  # noqa: E402


def attributes(queue: str) -> dict[str, str]:
    """Return the attributes of a queue of SQS."""
    with current_app.connection_for_write() as connection:
        channel = connection.default_channel
        url = channel.predefined_queues[queue]["url"]
        answer = channel.sqs(queue=queue).get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
    return dict(answer["Attributes"])


NAMES = {
    "TaskResult": TaskResult,
    "attributes": attributes,
    "models": models,
    "queues": queues,
    "settings": settings,
    "tasks": tasks,
    "time": time,
    "timedelta": timedelta,
    "timezone": timezone,
}

for line in sys.stdin:
    answer = {"error": "", "message": "", "value": None}
    began = time.monotonic()
    # As before each request: the database may have been restarted.
    close_old_connections()
    try:
        answer["value"] = eval(json.loads(line), NAMES)  # noqa: S307 - the test writes it
    except Exception as error:
        answer["error"] = f"{type(error).__module__}.{type(error).__qualname__}"
        answer["message"] = str(error)
    answer["seconds"] = time.monotonic() - began
    print("ANSWER", json.dumps(answer, default=str), flush=True)
