"""``manage.py redrive``, with kombu's broker in memory."""

from collections.abc import Iterator

import pytest
from celery import current_app
from django.core.management import CommandError, call_command
from kombu import Connection
from pytest_django import Settings
from runtime.celery import queues


@pytest.fixture
def connection(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    settings.CELERY_TASK_ALWAYS_EAGER = False
    monkeypatch.setattr(current_app, "connection_for_write", lambda **_: Connection("memory://"))
    with Connection("memory://") as found:
        channel = found.channel()
        for name in ("default", "default-dead"):
            channel.queue_declare(name)
            channel.queue_purge(name)
        yield found


def test_messages_are_moved_back_as_they_were(connection: Connection, capsys: pytest.CaptureFixture[str]) -> None:
    headers = {"task": "shop.ship", "x-delivery-count": 5}
    connection.Producer().publish({"n": 1}, routing_key="default-dead", headers=headers, correlation_id="7")
    call_command("redrive")
    assert capsys.readouterr().out == "1 moved back to default.\n"
    channel = connection.channel()
    assert channel.basic_get("default-dead") is None
    message = channel.basic_get("default")
    assert message.decode() == {"n": 1}
    assert message.headers == {"task": "shop.ship"}
    assert message.properties["correlation_id"] == "7"


@pytest.mark.usefixtures("connection")
def test_queues_shows_the_dead_letter_queue(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(queues, "connect", lambda: Connection("memory://"))
    call_command("queues")
    assert capsys.readouterr().out == "queue         waiting\ndefault             0\ndefault-dead        0\n"


@pytest.mark.usefixtures("connection")
def test_empty_queue_has_nothing_to_move(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("redrive", "default")
    assert capsys.readouterr().out == "0 moved back to default.\n"


def test_unknown_queue_is_refused() -> None:
    with pytest.raises(CommandError, match="invalid choice: 'mail'"):
        call_command("redrive", "mail")
