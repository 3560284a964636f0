"""The start page of a new project. Delete this folder together with the application."""

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import AbstractUser
from django.db import OperationalError, connection
from django.test import Client
from django.utils.html import escape
from pytest_django import Settings
from pytest_django.asserts import assertContains, assertNotContains

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.parametrize("url", ["/", "/components/"]),
]


@pytest.fixture
def broken_database() -> Iterator[None]:
    def fail(*_: object) -> None:
        message = "no route to db.internal"
        raise OperationalError(message)

    with connection.execute_wrapper(fail):
        yield


def test_it_names_every_component(client: Client, url: str) -> None:
    for name in ("database", "cache", "mail", "static"):
        assertContains(client.get(url), f'data-component="{name}" data-works="yes"')


def test_it_is_never_kept(client: Client, url: str) -> None:
    assert "no-store" in client.get(url)["Cache-Control"]


def test_it_takes_nothing(client: Client, url: str) -> None:
    assert client.post(url).status_code == 405


def test_visitors_learn_what_fails_but_not_why(
    client: Client, broken_database: None, url: str
) -> None:
    answer = client.get(url)

    assertContains(answer, 'data-component="database" data-works="no"')
    assertNotContains(answer, "db.internal")
