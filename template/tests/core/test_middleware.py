"""The middleware that comes first, as a WSGI server and as an ASGI server run it."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.test import AsyncClient, Client
from pytest_django import Settings

Get = Callable[..., Any]


@pytest.fixture(params=["wsgi", "asgi"])
def get(request: pytest.FixtureRequest) -> Get:
    return Client().get if request.param == "wsgi" else async_to_sync(AsyncClient().get)


def test_each_answer_has_an_id_of_its_own(get: Get) -> None:
    first, second = get("/robots.txt"), get("/robots.txt")

    assert re.fullmatch("[0-9a-f]{32}", first["X-Request-ID"])
    assert first["X-Request-ID"] != second["X-Request-ID"]


def test_an_id_of_the_proxy_is_kept(get: Get) -> None:
    answer = get("/robots.txt", headers={"X-Request-ID": "01234567-89ab-cdef"})

    assert answer["X-Request-ID"] == "01234567-89ab-cdef"


@pytest.mark.parametrize(
    "given", ["short", "a" * 65, "a-line-that-is \n forged", "<script></script>"]
)
def test_an_id_that_could_forge_a_log_is_replaced(get: Get, given: str) -> None:
    answer = get("/robots.txt", headers={"X-Request-ID": given})

    assert re.fullmatch("[0-9a-f]{32}", answer["X-Request-ID"])


def test_a_process_is_live_without_its_database(get: Get) -> None:
    answer = get("/health/live")

    assert (answer.status_code, answer.json()) == (200, {"live": True})


@pytest.mark.django_db
def test_a_process_is_ready_when_its_components_work(get: Get) -> None:
    answer = get("/health/ready")

    assert (answer.status_code, answer.json()) == (200, {"ready": True, "failing": []})


@pytest.mark.django_db
def test_a_process_that_is_not_ready_names_what_fails(get: Get, settings: Settings) -> None:
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}

    answer = get("/health/ready")

    assert (answer.status_code, answer.json()) == (503, {"ready": False, "failing": ["cache"]})


@pytest.mark.django_db
def test_a_process_is_ready_without_what_is_not_essential(get: Get, settings: Settings) -> None:
    settings.EMAIL_BACKEND = "no.such.backend"

    assert get("/health/ready").status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
def test_probes_come_by_address_and_in_the_clear(get: Get, settings: Settings, path: str) -> None:
    settings.SECURE_SSL_REDIRECT = True

    assert get("/robots.txt").status_code == 301
    assert get("/robots.txt", secure=True, headers={"Host": "10.0.0.1"}).status_code == 400
    assert get(path, headers={"Host": "10.0.0.1"}).status_code == 200
