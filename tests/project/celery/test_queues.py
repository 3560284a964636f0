"""``manage.py queues``, with kombu's broker in memory."""

import json
from collections.abc import Iterator

import pytest
from django.core.management import CommandError, call_command
from kombu import Connection, Queue
from pytest_django import Settings
from runtime.celery import queues


@pytest.fixture
def connection(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    settings.CELERY_TASK_ALWAYS_EAGER = False
    settings.CELERY_TASK_QUEUES = [Queue("default")]
    settings.DEAD_LETTER_QUEUES = {}
    monkeypatch.setattr(queues, "connect", lambda: Connection("memory://"))
    with Connection("memory://") as found:
        channel = found.channel()
        channel.queue_declare("default")
        channel.queue_purge("default")
        for _ in range(2):
            found.Producer().publish("hello", routing_key="default")
        yield found


@pytest.mark.usefixtures("connection")
def test_queues_are_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("queues")
    assert capsys.readouterr().out == "queue    waiting\ndefault        2\n"


@pytest.mark.usefixtures("connection")
def test_queues_are_a_list_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("queues", "--json")
    assert json.loads(capsys.readouterr().out)[0] == {"name": "default", "waiting": 2}


@pytest.mark.usefixtures("connection")
def test_queue_that_does_not_exist_yet_is_empty(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    settings.CELERY_TASK_QUEUES = [Queue("mail")]
    call_command("queues")
    assert capsys.readouterr().out == "queue  waiting\nmail        0\n"


def test_broker_that_is_down_is_one_line(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        message = "connection\nrefused"
        raise OSError(message)

    settings.CELERY_TASK_ALWAYS_EAGER = False
    monkeypatch.setattr(queues, "connect", fail)
    with pytest.raises(CommandError, match=r"^The broker does not answer: connection refused$"):
        call_command("queues")


def test_error_of_the_code_is_not_one_of_the_broker(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise TypeError

    settings.CELERY_TASK_ALWAYS_EAGER = False
    monkeypatch.setattr(queues, "connect", fail)
    with pytest.raises(TypeError):
        call_command("queues")


def test_without_a_broker_there_are_no_queues() -> None:
    with pytest.raises(CommandError, match="names no broker"):
        call_command("queues")
