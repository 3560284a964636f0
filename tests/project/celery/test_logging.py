"""The logs of a worker and of beat are those of settings/logging.py."""

import logging

from config import celery_app


def test_celery_keeps_the_level_of_the_loggers() -> None:
    before = logging.getLogger().level
    celery_app.log.already_setup = False
    celery_app.log.setup(logging.CRITICAL)
    assert logging.getLogger().level == before
