"""Redis as a broker: its URL and delays."""

from collections.abc import Callable
from typing import Any

import pytest
from pytest_django import Settings
from runtime.tasks import echo


@pytest.mark.parametrize("url", ["redis://", "redis://:hunter2@broker:6379/first"])
def test_malformed_url_stops_the_program(refusal: Callable[[str, str], str], url: str) -> None:
    assert refusal("CELERY_BROKER_URL", url)


def test_delay_and_time_limit_are_below_the_visibility_timeout(settings: Settings) -> None:
    held = settings.CELERY_MAX_DELAY + settings.CELERY_TASK_TIME_LIMIT
    assert held < settings.CELERY_BROKER_TRANSPORT_OPTIONS["visibility_timeout"]


def test_worker_delays_up_to_the_limit(sent: list[dict[str, Any]]) -> None:
    echo.apply_async(("later",), countdown=900)
    assert sent[0]["countdown"] == 900
    with pytest.raises(ValueError, match="the broker holds a task for 900 at most"):
        echo.apply_async(("later",), countdown=901)
    assert len(sent) == 1
