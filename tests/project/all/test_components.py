"""The components and ``manage.py doctor``: what works is reported as working, and what fails as failing."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.core import mail
from django.core.management import CommandError, call_command
from django.db.migrations.executor import MigrationExecutor
from django.db.models import QuerySet
from pytest_django import Settings
from runtime.components import COMPONENTS, Component, check, proxy

pytestmark = pytest.mark.django_db
BY_NAME = {component.name: component for component in COMPONENTS}
DUMMY = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}


def names(output: StringIO, word: str) -> set[str]:
    """Return the components in the table of ``doctor`` that have a state."""
    rows = (line.split() for line in output.getvalue().splitlines())
    return {name for name, state, *_ in rows if state == word}


@pytest.mark.parametrize("thorough", [False, True], ids=["probe", "trial"])
@pytest.mark.parametrize("name", BY_NAME)
def test_component_that_works_is_described(name: str, thorough: bool) -> None:
    result = check(BY_NAME[name], thorough=thorough)
    assert result.works, result.detail
    assert result.detail
    assert result.seconds > 0


@pytest.mark.parametrize(
    ("error", "detail"), [(ValueError("it broke\nand said more"), "ValueError: it broke"), (TimeoutError(), "TimeoutError")]
)
def test_failure_is_a_result_with_its_error_in_one_line(error: Exception, detail: str) -> None:
    def fail() -> str:
        raise error

    result = check(Component("broken", probe=fail, trial=fail))
    assert (result.works, result.detail) == (False, detail)


def test_trial_of_the_database_leaves_no_row() -> None:
    assert check(BY_NAME["database"], thorough=True).works
    assert not Session.objects.exists()


def test_row_that_is_lost_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(QuerySet, "create", lambda *_, **__: None)
    assert "a row that was written" in check(BY_NAME["database"], thorough=True).detail


def test_missing_migrations_are_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MigrationExecutor, "migration_plan", lambda *_: ["one"])
    assert "1 migrations are not applied" in check(BY_NAME["database"], thorough=True).detail


def test_cache_that_keeps_nothing_is_a_failure(settings: Settings) -> None:
    settings.CACHES = DUMMY
    assert not check(BY_NAME["cache"]).works


def test_trial_of_mail_sends_a_message_to_the_site_itself(settings: Settings) -> None:
    assert check(BY_NAME["mail"], thorough=True).works
    (message,) = mail.outbox
    assert message.to == [settings.DEFAULT_FROM_EMAIL]
    assert settings.SITE_NAME in message.subject


def test_trial_of_mail_prints_nothing_on_the_console(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
    assert check(BY_NAME["mail"], thorough=True).works
    assert capsys.readouterr().out == ""


def test_mail_server_is_named(settings: Settings) -> None:
    settings.EMAIL_HOST, settings.EMAIL_PORT = "mail.example.com", 587
    assert check(BY_NAME["mail"]).detail == "mail.example.com:587"


def test_missing_stylesheet_is_a_failure(settings: Settings, tmp_path: Path) -> None:
    settings.STATICFILES_FINDERS = []
    settings.STATIC_ROOT = tmp_path
    assert not check(BY_NAME["static"]).works


class Proxy(BaseHTTPRequestHandler):
    """Serves the stylesheet, and nothing else."""

    def do_GET(self) -> None:
        """Answer."""
        self.send_response(200 if "/admin/css/base" in self.path else 404)
        self.end_headers()

    def log_message(self, *_args: Any) -> None:
        """Log nothing."""


@pytest.fixture
def proxy_url() -> Iterator[str]:
    """The address of a proxy."""
    with HTTPServer(("127.0.0.1", 0), Proxy) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_proxy_that_serves_the_stylesheet_works(settings: Settings, proxy_url: str) -> None:
    settings.PROXY_URL = proxy_url
    assert check(proxy.component).works


def test_proxy_that_lacks_the_stylesheet_is_a_failure(
    settings: Settings, proxy_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.PROXY_URL = proxy_url
    monkeypatch.setattr(proxy, "STYLESHEET", "admin/img/search.svg")
    assert "404" in check(proxy.component).detail


def test_proxy_that_is_down_is_a_failure(settings: Settings) -> None:
    settings.PROXY_URL = "http://127.0.0.1:9"
    assert "refused" in check(proxy.component).detail


def test_doctor_tries_every_component() -> None:
    output = StringIO()
    call_command("doctor", stdout=output)
    assert names(output, "ok") >= {"database", "cache", "mail", "static"}
    assert not names(output, "FAILED")


def test_doctor_names_a_component_that_fails(settings: Settings) -> None:
    settings.CACHES = DUMMY
    output = StringIO()
    with pytest.raises(CommandError, match="cache") as caught:
        call_command("doctor", stdout=output)
    assert caught.value.returncode == 1
    assert names(output, "FAILED") == {"cache"}


def test_doctor_skips_a_component(settings: Settings) -> None:
    settings.CACHES = DUMMY
    output = StringIO()
    call_command("doctor", "--skip", "cache", stdout=output)
    assert "cache" not in names(output, "ok")


def test_doctor_rejects_an_unknown_component() -> None:
    with pytest.raises(CommandError, match="cash"):
        call_command("doctor", "--skip", "cash")
