"""Redis as a broker: its URL and delays."""

from collections.abc import Callable, Iterator
from subprocess import CompletedProcess
from typing import Any

import celery
import pytest
from config import celery_app
from pytest_django import Settings
from runtime.tasks import echo

Start = Callable[..., CompletedProcess[str]]


@pytest.mark.parametrize("url", ["redis://", "redis://:hunter2@broker:6379/first"])
def test_malformed_url_stops_the_program(start: Start, url: str) -> None:
    program = start("-c", "import config.settings", CELERY_BROKER_URL=url)
    assert program.returncode == 1
    assert "CELERY_BROKER_URL" in program.stderr
    assert "hunter2" not in program.stderr


def test_delay_and_time_limit_are_below_the_visibility_timeout(settings: Settings) -> None:
    held = settings.CELERY_MAX_DELAY + settings.CELERY_TASK_TIME_LIMIT
    assert held < settings.CELERY_BROKER_TRANSPORT_OPTIONS["visibility_timeout"]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """The options of each task that is sent to the broker."""
    options: list[dict[str, Any]] = []
    monkeypatch.setattr(celery.Celery, "send_task", lambda *_, **sent: options.append(sent))
    celery_app.conf.task_always_eager = False
    yield options
    celery_app.conf.task_always_eager = True


def test_worker_delays_up_to_the_limit(sent: list[dict[str, Any]]) -> None:
    echo.apply_async(("later",), countdown=900)
    assert sent[0]["countdown"] == 900
    with pytest.raises(ValueError, match="the broker holds a task for 900 at most"):
        echo.apply_async(("later",), countdown=901)
    assert len(sent) == 1
