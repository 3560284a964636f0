"""The settings, as a program meets them that starts in some environment."""

import ast
import re
from collections.abc import Callable
from subprocess import CompletedProcess

import pytest

from config.environment import ROOT

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
        ("DATABASE_URL", "postgres://ada:hunter2@home@db/name"),
        ("DATABASE_URL", "postgres://ada:hunter2@db:five/name"),
        ("DATABASE_URL", "pots://ada:hunter2@db/name"),
        ("EMAIL_URL", "smpt://ada:hunter2@mail"),
        ("LOG_LEVEL", "LOUD"),
        ("LOG_FORMAT", "yaml"),
        ("SECURE_HSTS_SECONDS", "hour"),
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
    ("behind_proxy", "header"),
    [("false", "None"), ("true", "('HTTP_X_FORWARDED_PROTO', 'https')")],
)
def test_a_claim_of_https_is_believed_only_behind_a_proxy(
    start: Start, behind_proxy: str, header: str
) -> None:
    code = "from config.settings import SECURE_PROXY_SSL_HEADER as header; print(header)"

    assert start("-c", code, BEHIND_PROXY=behind_proxy).stdout.strip() == header


def test_percent_encoded_characters_reach_the_database_decoded(start: Start) -> None:
    code = "from config.settings import DATABASES; print(DATABASES['default']['PASSWORD'])"
    program = start("-c", code, DATABASE_URL="postgres://ada:a%40b%2Fc@db/name")

    assert program.stdout.strip() == "a@b/c"


@pytest.mark.parametrize(
    ("document", "entry"),
    [(".env.example", r"^(?:# )?([A-Z_]+)="), ("docs/settings.md", r"^\| `([A-Z_]+)`")],
)
def test_every_variable_is_described(document: str, entry: str) -> None:
    described = re.findall(entry, (ROOT / document).read_text(encoding="utf-8"), re.MULTILINE)

    assert sorted(described) == sorted(read_variables())


def read_variables() -> set[str]:
    return {
        call.args[0].value
        for path in (ROOT / "src" / "config").rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id == "env"
        and call.args
        and isinstance(call.args[0], ast.Constant)
        and isinstance(call.args[0].value, str)
    }
