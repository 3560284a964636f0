"""The settings, as a program meets them that starts in some environment."""

import ast
import re
import socket
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from runtime.environment import ROOT

Start = Callable[..., CompletedProcess[str]]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SECRET_KEY", None),
        ("SECRET_KEY", ""),
        ("SECRET_KEY", "hunter2"),
        ("DEBUG", "flase"),
        ("ALLOWED_HOSTS", None),
        ("ALLOWED_HOSTS", " , "),
        ("ALLOWED_HOSTS", "https://example.com"),
        ("ALLOWED_HOSTS", "example.com:8000"),
        ("ALLOWED_HOSTS", "a.example b.example"),
        ("CSRF_TRUSTED_ORIGINS", "https://example.com, example.com"),
        ("CSRF_TRUSTED_ORIGINS", "https://example.com/path"),
        ("DATABASE_URL", "postgres://ada:hunter2@home@db/name"),
        ("DATABASE_URL", "postgres://ada:hunter2@db:five/name"),
        ("DATABASE_URL", "pots://ada:hunter2@db/name"),
        ("URL_PREFIX", "shop"),
        ("URL_PREFIX", "/shop/"),
        ("URL_PREFIX", "/a//b"),
        ("URL_PREFIX", "/a/../b"),
        ("URL_PREFIX", "/a b"),
        ("CLIENT_MAX_BODY_SIZE", "100MB"),
        ("CLIENT_MAX_BODY_SIZE", "-1"),
        ("CLIENT_MAX_BODY_SIZE", ""),
        ("DATABASE_POOL_MAX_SIZE", "many"),
        ("DATABASE_POOL_MAX_SIZE", "0"),
        ("DATABASE_POOL_MIN_SIZE", "5"),
        ("DATABASE_POOL_TIMEOUT", "0"),
        ("EMAIL_URL", "smpt://ada:hunter2@mail"),
        ("EMAIL_URL", "submission://"),
        ("LOG_LEVEL", "LOUD"),
        ("LOG_FORMAT", "yaml"),
        ("SECURE_HSTS_SECONDS", "hour"),
        ("SECURE_HSTS_SECONDS", "-1"),
    ],
)
def test_a_missing_or_malformed_variable_stops_the_program(
    start: Start, variable: str, value: str | None
) -> None:
    program = start("-c", "import config.settings", **{variable: value})

    assert program.returncode == 1
    assert program.stdout == ""
    (line,) = program.stderr.splitlines()
    assert variable in line
    assert "hunter2" not in line


def test_a_file_that_cannot_be_read_is_named(start: Start, project: Path) -> None:
    (project / ".env").mkdir()
    program = start("-c", "import config.settings")

    assert program.returncode == 1
    (line,) = program.stderr.splitlines()
    assert ".env cannot be read" in line


def test_no_file_is_read_when_none_is_wanted(start: Start, project: Path) -> None:
    (project / ".env").write_text("DEBUG=flase")
    program = start("-c", "import config.settings", ENV_FILE="")

    assert program.returncode == 0, program.stderr


def test_manage_stops_with_the_same_line(start: Start) -> None:
    program = start("src/manage.py", "check", DEBUG="flase")

    assert program.returncode == 1
    assert program.stderr == start("-c", "import config.settings", DEBUG="flase").stderr


def test_production_passes_the_checks_for_deployment(start: Start) -> None:
    program = start("src/manage.py", "check", "--deploy", "--fail-level", "WARNING")

    assert program.returncode == 0, program.stderr


def test_servers_find_their_applications(start: Start) -> None:
    program = start("-c", "import config.asgi, config.wsgi", DJANGO_SETTINGS_MODULE=None)

    assert program.returncode == 0, program.stderr


@pytest.mark.parametrize(
    ("variable", "value", "setting", "result"),
    [
        ("BEHIND_PROXY", None, "SECURE_PROXY_SSL_HEADER", "None"),
        ("BEHIND_PROXY", "on", "SECURE_PROXY_SSL_HEADER", "('HTTP_X_FORWARDED_PROTO', 'https')"),
        ("ALLOWED_HOSTS", "a.example, b.example", "ALLOWED_HOSTS", "['a.example', 'b.example']"),
        ("ALLOWED_HOSTS", ".example.com,[::1],", "ALLOWED_HOSTS", "['.example.com', '[::1]']"),
        ("DATABASE_URL", "sqlite:////a%40b?timeout=9", "DATABASES['default']['NAME']", "/a@b"),
        ("EMAIL_URL", "file:////var/mail", "EMAIL_FILE_PATH", "/var/mail"),
        ("CLIENT_MAX_BODY_SIZE", None, "DATA_UPLOAD_MAX_MEMORY_SIZE", "104857600"),
        ("CLIENT_MAX_BODY_SIZE", "512k", "DATA_UPLOAD_MAX_MEMORY_SIZE", "524288"),
        ("CLIENT_MAX_BODY_SIZE", "2G", "DATA_UPLOAD_MAX_MEMORY_SIZE", "2147483648"),
        ("CLIENT_MAX_BODY_SIZE", "1000", "DATA_UPLOAD_MAX_MEMORY_SIZE", "1000"),
        ("CLIENT_MAX_BODY_SIZE", "0", "DATA_UPLOAD_MAX_MEMORY_SIZE", "None"),
        ("URL_PREFIX", None, "FORCE_SCRIPT_NAME", "None"),
        ("URL_PREFIX", "/a/shop-2.0", "SESSION_COOKIE_PATH", "/a/shop-2.0/"),
    ],
)
def test_a_setting_follows_from_its_variable(
    start: Start, variable: str, value: str | None, setting: str, result: str
) -> None:
    program = start("-c", f"import config.settings as s; print(s.{setting})", **{variable: value})

    assert program.stdout.strip() == result, program.stderr


POSTGRES = "postgres://ada:hunter2@db/name"


@pytest.mark.parametrize(
    ("query", "option", "value"),
    [
        ("", "pool", "(1, 4)"),
        ("", "application_name", "shop"),
        ("", "sslmode", "None"),
        ("?application_name=cron&sslmode=require", "application_name", "cron"),
        ("?application_name=cron&sslmode=require", "sslmode", "require"),
        ("?pool=false", "pool", "False"),
    ],
)
def test_postgresql_gets_a_pool_and_what_its_url_says(
    start: Start, query: str, option: str, value: str
) -> None:
    program = start(
        "-c",
        "from config.settings import DATABASES as d;"
        f"o = d['default']['OPTIONS'].get({option!r});"
        "print((o['min_size'], o['max_size']) if isinstance(o, dict) else o)",
        DATABASE_URL=POSTGRES + query,
        APP_NAME="shop",
    )

    assert program.stdout.strip() == value, program.stderr


@pytest.mark.parametrize("query", ["", "?pool=false"])
def test_a_database_that_is_down_is_an_error_within_seconds(start: Start, query: str) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        program = start(
            "-c",
            "import django; django.setup(); from django.db import connection; connection.cursor()",
            DATABASE_URL=f"postgres://ada:hunter2@127.0.0.1:{closed.getsockname()[1]}/name{query}",
            DATABASE_POOL_TIMEOUT="0.5",
        )

    assert "django.db.utils.OperationalError" in program.stderr
    assert "hunter2" not in program.stderr


@pytest.mark.parametrize(
    ("document", "entry"),
    [
        (".env.example", r"^(?:# )?([A-Z_]+)="),
        ("docs/settings.md", r"^(?:\||-) `([A-Z_]+)`"),
    ],
    ids=["example", "docs"],
)
def test_every_variable_is_described(document: str, entry: str) -> None:
    described = re.findall(entry, (ROOT / document).read_text(encoding="utf-8"), re.MULTILINE)

    assert sorted(described) == sorted(read_variables() | composed_variables())


def composed_variables() -> set[str]:
    return {
        name
        for path in ROOT.glob("compose*.yml")
        for name in re.findall(r"\$\{(\w+)", path.read_text(encoding="utf-8"))
    }


def read_variables() -> set[str]:
    return {
        call.args[0].value
        for folder in ("src/config", "docker")
        for path in (ROOT / folder).rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id == "env"
        and call.args
        and isinstance(call.args[0], ast.Constant)
        and isinstance(call.args[0].value, str)
    }
