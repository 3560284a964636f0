"""The settings of PostgreSQL, and a server that is down."""

import socket
from collections.abc import Callable
from subprocess import CompletedProcess

import pytest

Start = Callable[..., CompletedProcess[str]]

URL = "postgres://ada:hunter2@db/name"
PROGRAM = """
from config.settings import DATABASES
option = DATABASES["default"]["OPTIONS"].get(%r)
print((option["min_size"], option["max_size"]) if isinstance(option, dict) else option)
"""


@pytest.mark.parametrize(
    ("query", "variables", "option", "value"),
    [
        ("", {"WEB_THREADS": "8"}, "pool", "(1, 8)"),
        ("", {"DATABASE_POOL_MAX_SIZE": "2"}, "pool", "(1, 2)"),
        ("", {"DATABASE_POOL_MAX_SIZE": "0"}, "pool", "None"),
        ("", {}, "application_name", "shop"),
        ("?application_name=cron&sslmode=require", {}, "application_name", "cron"),
    ],
)
def test_postgresql_has_a_pool_and_the_options_of_its_url(
    start: Start, query: str, variables: dict[str, str], option: str, value: str
) -> None:
    program = start("-c", PROGRAM % option, DATABASE_URL=URL + query, APP_NAME="shop", **variables)
    assert program.stdout.strip() == value, program.stderr


@pytest.mark.parametrize("size", ["4", "0"])
def test_database_that_is_down_is_an_error_within_seconds(start: Start, size: str) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        program = start(
            "-c",
            "import django; django.setup(); from django.db import connection; connection.cursor()",
            DATABASE_URL=f"postgres://ada:hunter2@127.0.0.1:{closed.getsockname()[1]}/name",
            DATABASE_POOL_MAX_SIZE=size,
        )
    assert "django.db.utils.OperationalError" in program.stderr
    assert "hunter2" not in program.stderr


def test_commands_use_no_pool(start: Start) -> None:
    program = start("src/manage.py", "shell", "--command", PROGRAM % "pool", DATABASE_URL=URL)
    assert program.stdout.strip().endswith("None"), program.stderr
