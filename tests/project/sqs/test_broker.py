"""SQS: its URL, delays, and the responses to a receive."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any
from unittest.mock import Mock

import pycurl
import pytest
from kombu.asynchronous.aws.sqs.connection import AsyncSQSConnection
from pytest_django import Settings
from runtime.celery.transport import HTTPSConnection, Receiver
from runtime.celery.worker import Heartbeat
from runtime.tasks import echo

Start = Callable[..., CompletedProcess[str]]


@pytest.mark.parametrize("url", ["sqs://", "sqs://ada:hunter2@broker:9324", "sqs://ada:hunter2@broker:9324/account/"])
def test_malformed_url_stops_the_program(refusal: Callable[[str, str], str], url: str) -> None:
    assert refusal("CELERY_BROKER_URL", url)


@pytest.mark.parametrize(
    ("url", "endpoint", "region", "queue"),
    [
        (
            "sqs://key:secret@127.0.0.1:9324/000000000000/",
            "http://127.0.0.1:9324",
            "elasticmq",
            "http://127.0.0.1:9324/000000000000/default",
        ),
        (
            "sqs://sqs.eu-central-1.amazonaws.com/123456789012/shop-staging-",
            "None",
            "eu-central-1",
            "https://sqs.eu-central-1.amazonaws.com/123456789012/shop-staging-default",
        ),
        (
            "sqs://sqs.cn-north-1.amazonaws.com.cn/123456789012/shop-",
            "None",
            "cn-north-1",
            "https://sqs.cn-north-1.amazonaws.com.cn/123456789012/shop-default",
        ),
    ],
    ids=["ElasticMQ", "AWS", "AWS in China"],
)
def test_url_names_the_queues(start: Start, url: str, endpoint: str, region: str, queue: str) -> None:
    code = (
        "from config.celery import app; channel = app.connection_for_write().default_channel;"
        "print(channel.endpoint_url, channel.region, channel.predefined_queues['default']['url'])"
    )
    program = start("-c", code, CELERY_BROKER_URL=url)
    assert program.stdout.split() == [endpoint, region, queue], program.stderr


def test_sqs_delays_and_no_worker(sent: list[dict[str, Any]]) -> None:
    echo.apply_async(("later",), countdown=899.5)
    assert sent[0]["delay_seconds"] == 900
    assert not {"countdown", "eta"} & {key for key, value in sent[0].items() if value}


@pytest.mark.parametrize("option", ["countdown", "eta", "naive eta", "text"])
def test_longer_delay_is_refused(sent: list[dict[str, Any]], option: str, settings: Settings) -> None:
    settings.TIME_ZONE = "Asia/Tokyo"
    moment = datetime.now(tz=UTC) + timedelta(seconds=960)
    options: dict[str, Any] = {
        "countdown": {"countdown": 901},
        "eta": {"eta": moment},
        "naive eta": {"eta": (moment + timedelta(hours=9)).replace(tzinfo=None)},
        "text": {"eta": moment.isoformat()},
    }[option]
    with pytest.raises(
        ValueError, match=r"runtime\.tasks\.echo is to wait 9\d\d seconds, and the broker holds a task for 900 at most"
    ):
        echo.apply_async(("later",), **options)
    assert sent == []


def test_task_without_a_delay_has_none(sent: list[dict[str, Any]]) -> None:
    echo.delay("now")
    echo.apply_async(("now",), countdown=-5)
    assert not any("delay_seconds" in options for options in sent)


def receiver() -> Receiver:
    return Receiver(Mock(), http_client=Mock())


@pytest.mark.parametrize("answer", [[], OSError("599")], ids=["error of the server", "other error"])
def test_failed_receive_has_no_messages_and_is_remembered(monkeypatch: pytest.MonkeyPatch, answer: Any) -> None:
    monkeypatch.setattr(AsyncSQSConnection, "_on_list_ready", Mock(side_effect=[answer, {"Messages": [1]}]))
    found = receiver()
    assert found._on_list_ready(None, None, "ReceiveMessage", None) == {}
    assert found.failing
    assert found._on_list_ready(None, None, "ReceiveMessage", None) == {"Messages": [1]}
    assert not found.failing


def test_receive_has_a_timeout() -> None:
    connection = receiver().get_http_connection()
    assert isinstance(connection, HTTPSConnection)
    curl = Mock()
    connection.getrequest().on_prepare(curl)
    curl.setopt.assert_any_call(pycurl.TIMEOUT, 25)


def test_worker_without_answers_has_no_heartbeat(settings: Settings, tmp_path: Path) -> None:
    settings.CELERY_TASK_ALWAYS_EAGER = False
    settings.CELERY_HEARTBEAT = str(tmp_path / "heartbeat")
    consumer = Mock()
    consumer.task_consumer.channel.failing = True
    Heartbeat(consumer).start(consumer)
    assert not (tmp_path / "heartbeat").exists()
