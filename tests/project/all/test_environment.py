"""runtime.environment: validators, and messages that show no secret."""

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import dj_database_url
import pytest
from environs import Env, EnvError, ValidationError
from runtime.environment import each, explain, url_validator

check = url_validator(["postgres", "sqlite"], "scheme://user:password@host", dj_database_url.parse)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "sqlite:////var/lib/db.sqlite3",
        "sqlite:////home/ada@work:1/db.sqlite3",
        "postgres://db/name",
        "postgres://ada:a%40b%2Fc%3Ad@db:5432/name?sslmode=require",
        "postgres://ada:secret@[::1]:5432/name",
    ],
)
def test_valid_url_is_accepted(url: str) -> None:
    check(url)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("postgres:db", "write it as"),
        ("mysql://ada:hunter2@db", "write it as"),
        ("postgres://ada:hunter2@home@db", "percent-encoded"),
        ("postgres://ada:hunter2:home@db", "percent-encoded"),
        ("postgres://ada:hunter2/home@db", "percent-encoded"),
        ("postgres://ada:hunter2#home@db", "percent-encoded"),
        ("postgres://ada:hunter2?home@db", "percent-encoded"),
        ("postgres://ada:hunter2@/name", "no host"),
        ("postgres://ada:hunter2@db:five/name", "the port is not a number"),
        ("postgres://ada:hunter2@db:70000/name", "the port is not a number"),
    ],
)
def test_malformed_url_is_rejected_without_showing_it(url: str, reason: str) -> None:
    with pytest.raises(ValidationError, match=reason) as caught:
        check(url)
    assert "hunter2" not in str(caught.value)


def test_url_that_its_parser_rejects_is_rejected() -> None:
    with pytest.raises(ValidationError, match="it is not understood: write it as number://1"):
        url_validator(["number"], "number://1", int)("number://one")


def test_each_matches_whole_values() -> None:
    each("[a-z]+", "use letters.")(["a", "bc"])
    with pytest.raises(ValidationError, match="use letters"):
        each("a|b", "use letters.")(["a", "bc"])


@pytest.mark.parametrize(
    ("value", "line"),
    [
        (None, 'Environment variable "PORT" not set.'),
        ("hunter2", 'Environment variable "PORT" is invalid: Not a valid integer.'),
    ],
)
def test_error_is_explained_without_the_value(monkeypatch: pytest.MonkeyPatch, value: str | None, line: str) -> None:
    monkeypatch.delenv("PORT", raising=False)
    if value is not None:
        monkeypatch.setenv("PORT", value)
    with pytest.raises(EnvError) as caught:
        Env().int("PORT")
    assert explain(caught.value) == line


@pytest.mark.parametrize(("variable", "winner"), [(None, "file"), ("process", "process")])
def test_variable_of_the_process_wins_over_the_file(
    start: Callable[..., CompletedProcess[str]], folder: Path, variable: str | None, winner: str
) -> None:
    (folder / ".env").write_text("ENVIRONMENT=file\n")
    program = start("-c", "from config.settings import environment as e; print(e)", ENVIRONMENT=variable)
    assert program.stdout.strip() == winner
