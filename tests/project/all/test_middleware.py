"""runtime.middleware, under WSGI and under ASGI."""

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
    """Send a request by one of both interfaces."""
    return Client().get if request.param == "wsgi" else async_to_sync(AsyncClient().get)


def test_each_response_has_its_own_id(get: Get) -> None:
    first, second = get("/robots.txt"), get("/robots.txt")
    assert re.fullmatch("[0-9a-f]{32}", first["X-Request-ID"])
    assert first["X-Request-ID"] != second["X-Request-ID"]


def test_valid_id_of_the_proxy_is_kept(get: Get) -> None:
    response = get("/robots.txt", headers={"X-Request-ID": "01234567-89ab-cdef"})
    assert response["X-Request-ID"] == "01234567-89ab-cdef"


@pytest.mark.parametrize("given", ["short", "a" * 65, "a-line-that-is \n forged", "<script></script>"])
def test_id_that_could_forge_a_log_line_is_replaced(get: Get, given: str) -> None:
    response = get("/robots.txt", headers={"X-Request-ID": given})
    assert re.fullmatch("[0-9a-f]{32}", response["X-Request-ID"])


def test_live_needs_no_database(get: Get) -> None:
    response = get("/health/live")
    assert (response.status_code, response.json()) == (200, {"live": True})


@pytest.mark.django_db
def test_ready_when_components_work(get: Get) -> None:
    response = get("/health/ready")
    assert (response.status_code, response.json()) == (200, {"ready": True, "failing": []})


@pytest.mark.django_db
def test_not_ready_names_the_essential_component_that_fails(get: Get, settings: Settings) -> None:
    settings.STATICFILES_FINDERS = []
    response = get("/health/ready")
    assert (response.status_code, response.json()) == (503, {"ready": False, "failing": ["static"]})


@pytest.mark.django_db
def test_ready_without_components_that_are_not_essential(get: Get, settings: Settings) -> None:
    settings.EMAIL_BACKEND = "no.such.backend"
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
    assert get("/health/ready").status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
def test_probes_need_neither_host_name_nor_tls(get: Get, settings: Settings, path: str) -> None:
    settings.SECURE_SSL_REDIRECT = True
    assert get("/robots.txt").status_code == 301
    assert get("/robots.txt", secure=True, headers={"Host": "10.0.0.1"}).status_code == 400
    assert get(path, headers={"Host": "10.0.0.1"}).status_code == 200
