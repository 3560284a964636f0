"""The checks of single variables, which say what to write instead and never show a secret."""

from collections.abc import Callable

import pytest
from django.core.exceptions import ImproperlyConfigured
from environs import ValidationError

from config.settings import database, mail, prefix, security, uploads

Check = Callable[..., None]


@pytest.mark.parametrize(
    ("check", "value", "reason"),
    [
        (security.check_secret_key, "hunter2", "at least 50 random characters"),
        (security.check_secret_key, "a" * 60, "at least 50 random characters"),
        (security.check_secret_key, "django-insecure-" + "hunter2" * 8, "at least 50 random"),
        (security.check_hosts, ["", ""], "name at least one host"),
        (security.check_hosts, ["https://a.example"], "without scheme, port or path"),
        (security.check_origins, ["a.example"], "write scheme and host"),
        (database.check_url, "postgres://ada:hunter2@home@db/name", "percent-encoded"),
        (mail.check_url, "submission://", "it names no host"),
        (prefix.check_prefix, "shop", "write a path such as /shop"),
        (uploads.check_size, "100MB", "such as 100M"),
    ],
)
def test_a_value_that_cannot_work_is_refused(check: Check, value: object, reason: str) -> None:
    with pytest.raises(ValidationError, match=reason) as caught:
        check(value)

    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("check", "value"),
    [
        (security.check_secret_key, "Xk3vQ9-not-a-secret-but-long-and-varied-enough-Zt7wB2mJ"),
        (security.check_hosts, ["a.example", ".b.example", "10.0.0.1", "[::1]", ""]),
        (security.check_hosts, ["*"]),
        (security.check_origins, ["https://a.example", "http://localhost:8000", ""]),
        (database.check_url, "sqlite:////var/lib/db.sqlite3"),
        (mail.check_url, "submission://ada:a%40b@mail.example"),
        (mail.check_url, "console://"),
    ],
)
def test_a_value_that_works_is_accepted(check: Check, value: object) -> None:
    check(value)


def test_a_driver_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def load_backend(name: str) -> None:
        raise ImproperlyConfigured(f"{name} has no driver")

    monkeypatch.setattr(database, "load_backend", load_backend)

    with pytest.raises(ValidationError, match="postgresql has no driver: add it by `pdm add`"):
        database.check_url("postgres://ada:hunter2@db/name")
