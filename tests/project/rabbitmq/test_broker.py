"""RabbitMQ: its URL, queues and confirmations."""

from collections.abc import Callable
from typing import Any

import pytest
from amqp.exceptions import NotFound
from celery import current_app
from django.core.management import call_command
from kombu import Connection
from kombu.transport.memory import Channel
from pytest_django import Settings
from runtime.tasks import echo


@pytest.mark.parametrize("url", ["amqp://", "amqp://ada:hunter2@broker:five/site"])
def test_malformed_url_stops_the_program(refusal: Callable[[str, str], str], url: str) -> None:
    assert refusal("CELERY_BROKER_URL", url)


def test_queues_are_quorum_queues_with_a_delivery_limit(settings: Settings) -> None:
    for queue in settings.CELERY_TASK_QUEUES:
        assert queue.queue_arguments["x-queue-type"] == "quorum"
        assert queue.queue_arguments["x-delivery-limit"] == 4
        assert queue.queue_arguments["x-dead-letter-routing-key"] == settings.DEAD_LETTER_QUEUES[queue.name]


def test_sending_waits_for_the_confirmation(sent: list[dict[str, Any]]) -> None:
    echo.apply_async(("later",), countdown=100_000)
    assert sent[0]["confirm_timeout"] == 2
    assert sent[0]["countdown"] == 100_000


def test_redrive_without_a_queue_has_nothing_to_move(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def get(*_: Any, **__: Any) -> None:
        message = "NOT_FOUND - no queue 'default-dead' in vhost '/'"
        raise NotFound(message, (60, 70), "Basic.get")

    settings.CELERY_TASK_ALWAYS_EAGER = False
    monkeypatch.setattr(current_app, "connection_for_write", lambda: Connection("memory://"))
    monkeypatch.setattr(Channel, "basic_get", get)
    call_command("redrive")
    assert capsys.readouterr().out == "0 moved back to default.\n"
