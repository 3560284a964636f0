"""The heartbeat of a worker."""

from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock

import pytest
from celery.worker import state
from django.core.exceptions import ImproperlyConfigured
from pytest_django import Settings
from runtime.celery.worker import Heartbeat


@pytest.fixture
def heartbeat(settings: Settings, tmp_path: Path) -> Path:
    settings.CELERY_TASK_ALWAYS_EAGER = False
    settings.CELERY_HEARTBEAT = str(tmp_path / "heartbeat")
    return tmp_path / "heartbeat"


@pytest.fixture
def consumer() -> MagicMock:
    channel = SimpleNamespace(failing=False)
    return MagicMock(task_consumer=SimpleNamespace(channel=channel))


def test_worker_touches_the_file_until_it_stops(heartbeat: Path, consumer: MagicMock) -> None:
    step = Heartbeat(consumer)
    step.start(consumer)
    assert heartbeat.exists()
    step.stop(consumer)
    consumer.timer.call_repeatedly.return_value.cancel.assert_called_once_with()


@pytest.mark.usefixtures("heartbeat")
def test_lost_connection_is_waited_for_every_second(consumer: MagicMock) -> None:
    step = Heartbeat(consumer)
    step.start(consumer)
    step.stop(consumer)
    connection = consumer.app.connection_for_read.return_value.__enter__.return_value
    assert connection.ensure_connection.call_args.kwargs["interval_max"] == 1


@pytest.mark.usefixtures("heartbeat")
def test_worker_that_stops_does_not_wait_for_the_broker(consumer: MagicMock, monkeypatch: pytest.MonkeyPatch) -> None:
    step = Heartbeat(consumer)
    step.start(consumer)
    monkeypatch.setattr(state, "should_stop", 0)
    step.stop(consumer)
    consumer.app.connection_for_read.assert_not_called()


def test_without_a_heartbeat_file_nothing_is_touched(settings: Settings, heartbeat: Path, consumer: MagicMock) -> None:
    settings.CELERY_HEARTBEAT = ""
    Heartbeat(consumer).start(consumer)
    assert not heartbeat.exists()


def test_worker_needs_a_broker(consumer: MagicMock) -> None:
    with pytest.raises(ImproperlyConfigured, match="CELERY_BROKER_URL names no broker"):
        Heartbeat(consumer)
