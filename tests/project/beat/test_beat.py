"""Beat: its schedule and its heartbeat."""

from pathlib import Path

import pytest
from config import celery_app
from django_celery_beat.models import PeriodicTask
from pytest_django import Settings
from runtime.celery.beat import Scheduler

# The scheduler closes connections, which a transaction around a test would not outlive.
pytestmark = pytest.mark.django_db(transaction=True)


def test_schedule_is_written_to_the_database() -> None:
    Scheduler(app=celery_app)
    assert PeriodicTask.objects.get(name="clear-sessions").task == "runtime.tasks.clear_sessions"


def test_scheduled_tasks_exist(settings: Settings) -> None:
    for entry in settings.CELERY_BEAT_SCHEDULE.values():
        celery_app.tasks[entry["task"]].apply().get()


def test_tick_touches_the_heartbeat_file(settings: Settings, tmp_path: Path) -> None:
    settings.CELERY_HEARTBEAT = str(tmp_path / "heartbeat")
    Scheduler(app=celery_app).tick()
    assert (tmp_path / "heartbeat").exists()
