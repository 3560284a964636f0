"""RabbitMQ: its URL, queues and confirmations."""

from collections.abc import Callable, Iterator
from subprocess import CompletedProcess
from typing import Any

import celery
import pytest
from config import celery_app
from pytest_django import Settings
from runtime.tasks import echo

Start = Callable[..., CompletedProcess[str]]


@pytest.mark.parametrize("url", ["amqp://", "amqp://ada:hunter2@broker:five/site"])
def test_malformed_url_stops_the_program(start: Start, url: str) -> None:
    program = start("-c", "import config.settings", CELERY_BROKER_URL=url)
    assert program.returncode == 1
    assert "CELERY_BROKER_URL" in program.stderr
    assert "hunter2" not in program.stderr


def test_queues_are_quorum_queues_with_a_delivery_limit(settings: Settings) -> None:
    for queue in settings.CELERY_TASK_QUEUES:
        assert queue.queue_arguments["x-queue-type"] == "quorum"
        assert queue.queue_arguments["x-delivery-limit"] == 4
        assert queue.queue_arguments["x-dead-letter-routing-key"] == settings.DEAD_LETTER_QUEUES[queue.name]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """The options of each task that is sent to the broker."""
    options: list[dict[str, Any]] = []
    monkeypatch.setattr(celery.Celery, "send_task", lambda *_, **sent: options.append(sent))
    celery_app.conf.task_always_eager = False
    yield options
    celery_app.conf.task_always_eager = True


def test_sending_waits_for_the_confirmation(sent: list[dict[str, Any]]) -> None:
    echo.apply_async(("later",), countdown=100_000)
    assert sent[0]["confirm_timeout"] == 2
    assert sent[0]["countdown"] == 100_000
