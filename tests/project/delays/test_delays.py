"""Delayed tasks, where a worker holds them: RabbitMQ and Redis."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pytest_django import Settings
from runtime.tasks import echo


@pytest.mark.parametrize("text", [False, True], ids=["datetime", "text"])
def test_eta_without_a_time_zone_is_one_of_the_site(sent: list[dict[str, Any]], settings: Settings, *, text: bool) -> None:
    settings.TIME_ZONE = "Asia/Tokyo"
    moment = datetime(2020, 1, 1, 12, 0)  # noqa: DTZ001 - what is tested
    echo.apply_async(("later",), eta=moment.isoformat() if text else moment)
    assert sent[0]["eta"] == datetime(2020, 1, 1, 12, 0, tzinfo=ZoneInfo("Asia/Tokyo"))
