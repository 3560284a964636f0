"""`manage.py doctor`."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

pytestmark = pytest.mark.django_db


@pytest.fixture
def broken_cache(settings: Settings) -> None:
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}


def names(output: StringIO, word: str) -> set[str]:
    rows = (line.split() for line in output.getvalue().splitlines())
    return {name for name, state, *_ in rows if state == word}


def test_every_component_is_tried() -> None:
    output = StringIO()
    call_command("doctor", stdout=output)

    assert names(output, "ok") >= {"database", "cache", "mail", "static"}
    assert not names(output, "FAILED")


@pytest.mark.usefixtures("broken_cache")
def test_a_component_that_fails_is_named() -> None:
    output = StringIO()
    with pytest.raises(CommandError, match="cache") as caught:
        call_command("doctor", stdout=output)

    assert caught.value.returncode == 1
    assert names(output, "FAILED") == {"cache"}


@pytest.mark.usefixtures("broken_cache")
def test_a_component_can_be_left_out() -> None:
    output = StringIO()
    call_command("doctor", "--skip", "cache", stdout=output)

    assert "cache" not in names(output, "ok")


def test_a_component_that_is_unknown_cannot_be_left_out() -> None:
    with pytest.raises(CommandError, match="cash"):
        call_command("doctor", "--skip", "cash")
