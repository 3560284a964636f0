"""The log lines of a process."""

import json
import logging
from collections.abc import Callable
from subprocess import CompletedProcess

from runtime.logging import static_files_filter

Start = Callable[..., CompletedProcess[str]]

PROGRAM = """
import logging
import django
import structlog
from asgiref.sync import async_to_sync
from django.test import AsyncClient, Client

django.setup()
Client().get("/health/live")
Client().get("/nowhere", headers={"X-Request-ID": "0-of-the-first-one"})
Client().get("/x%0aforged%1b[31m", headers={"X-Request-ID": "a-path-that-forges"})
async_to_sync(AsyncClient().get)("/nowhere", headers={"X-Request-ID": "1-of-the-second-one"})
structlog.get_logger("shop").info("sold", apples=3)
try:
    1 / 0
except ZeroDivisionError:
    logging.getLogger("shop").exception("The %s is closed", "shop")
"""

MESSAGES = [
    ("GET /nowhere 404", "0-of-the-first-one"),
    ("Not Found: /nowhere", "0-of-the-first-one"),
    ("GET /x%0Aforged%1B%5B31m 404", "a-path-that-forges"),
    ("Not Found: /x\\nforged\\x1b[31m", "a-path-that-forges"),
    ("GET /nowhere 404", "1-of-the-second-one"),
    ("Not Found: /nowhere", "1-of-the-second-one"),
]

REJECTED = """
import django
from django.test import Client

django.setup()
Client().get("/accounts/login/", headers={"Host": "evil.example"})
"""


def test_json_has_one_object_per_line_with_the_request_id(start: Start) -> None:
    program = start("-c", PROGRAM, DEBUG="true", LOG_FORMAT="json", ENVIRONMENT="staging")
    *requests, sold, closed = map(json.loads, program.stderr.splitlines())
    assert [(line["message"], line["request_id"]) for line in requests] == MESSAGES
    assert not any("request" in line for line in requests)  # Django's object, with all headers
    assert (sold["message"], sold["apples"], sold["level"]) == ("sold", 3, "info")
    assert (closed["message"], closed["environment"]) == ("The shop is closed", "staging")
    assert "ZeroDivisionError" in closed["exception"]


EXTRA = """
import logging
import django
import structlog

django.setup()
structlog.contextvars.bind_contextvars(request_id="7")
extra = {"event": "sale", "level": 3, "logger": "till", "request_id": 8, "timestamp": "now", "apples": 3}
logging.getLogger("shop").warning("sold %s", "apples", extra=extra)
"""


def test_extra_does_not_replace_a_part_of_the_line(start: Start) -> None:
    program = start("-c", EXTRA, LOG_FORMAT="json")
    (line,) = map(json.loads, program.stderr.splitlines())
    parts = ("message", "level", "logger", "request_id", "apples")
    assert [line[part] for part in parts] == ["sold apples", "warning", "shop", "7", 3]
    extra = {"event": "sale", "level": 3, "logger": "till", "request_id": 8, "timestamp": "now"}
    assert {key.removeprefix("extra_"): line[key] for key in line if key.startswith("extra_")} == extra


def test_rejected_host_is_logged_without_traceback(start: Start) -> None:
    program = start("-c", REJECTED)
    lines = [json.loads(line) for line in program.stderr.splitlines()]
    rejected = next(line for line in lines if line["logger"] == "django.security.DisallowedHost")
    assert "Invalid HTTP_HOST header: 'evil.example'" in rejected["message"]
    assert "exception" not in rejected


def test_console_is_readable(start: Start) -> None:
    program = start("-c", PROGRAM, DEBUG="true")
    lines = program.stderr.splitlines()
    assert len(lines) > len(MESSAGES)
    for line, (message, request_id) in zip(lines, MESSAGES, strict=False):
        assert message in line
        assert f"request_id={request_id}" in line
    assert "\x1b" not in program.stderr


def test_production_logs_no_requests(start: Start) -> None:
    program = start("-c", PROGRAM, SECURE_SSL_REDIRECT="true")
    assert "GET" not in program.stderr
    assert "sold" in program.stderr


def test_filter_keeps_lines_about_static_files() -> None:
    lines = ["GET /static/pages/site.css HTTP/1.1", "GET /ecstatic/ HTTP/1.1", "GET / HTTP/1.1"]
    keep = static_files_filter()
    assert [line for line in lines if keep(logging.makeLogRecord({"msg": line}))] == lines[:1]
