"""The Content-Security-Policy, and that the pages keep to it."""

import re
from typing import Any

import pytest
from csp.constants import SELF
from csp.decorators import csp, csp_exempt, csp_replace, csp_update
from csp.exceptions import CSPNonceError
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import include, path, reverse
from pytest_django import Settings

HEADER = "Content-Security-Policy"

# What a browser would refuse: code and styles that stand in the page without a nonce.
INLINE = re.compile(
    r"<script(?![^>]*\b(src|nonce)=)|<style(?![^>]*\bnonce=)|\sstyle=|\son[a-z]+=\"|javascript:",
    re.IGNORECASE,
)


def fail(_request: HttpRequest) -> HttpResponse:
    message = "broken"
    raise RuntimeError(message)


def nonce(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f'<script nonce="{request.csp_nonce}"></script>')  # type: ignore[attr-defined]


@csp_update({"img-src": "https://images.example"})
def updated(request: HttpRequest) -> HttpResponse:
    return nonce(request)


@csp_replace({"img-src": ["https://images.example"]})
def replaced(_request: HttpRequest) -> HttpResponse:
    return HttpResponse()


@csp({"default-src": [SELF]})
def other(_request: HttpRequest) -> HttpResponse:
    return HttpResponse()


@csp({"default-src": [SELF]}, REPORT_ONLY=True)
def reported(_request: HttpRequest) -> HttpResponse:
    return HttpResponse()


@csp_exempt()
def exempt(_request: HttpRequest) -> HttpResponse:
    return HttpResponse()


def another(_request: HttpRequest) -> HttpResponse:
    return HttpResponse(headers={HEADER: "sandbox"})


urlpatterns = [
    path("", include("config.urls")),
    path("fail/", fail),
    path("nonce/", nonce),
    path("updated/", updated),
    path("replaced/", replaced),
    path("other/", other),
    path("reported/", reported),
    path("exempt/", exempt),
    path("another/", another),
]

pytestmark = [pytest.mark.urls(__name__), pytest.mark.django_db]


def directives(answer: Any) -> dict[str, set[str]]:
    parts = (part.split() for part in answer[HEADER].split(";"))
    return {name: set(sources) for name, *sources in parts}


@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("/accounts/login/", 200),
        ("/admin/login/", 200),
        ("/admin/", 302),
        ("/robots.txt", 200),
        ("/nowhere/", 404),
        ("/fail/", 500),
    ],
)
def test_every_answer_has_the_policy_and_keeps_to_it(url: str, status: int) -> None:
    answer = Client(raise_request_exception=False).get(url)

    assert answer.status_code == status
    policy = directives(answer)
    assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == {"'none'"}
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == {"'self'"}
    assert not INLINE.search(answer.content.decode())


def test_a_host_that_is_refused_gets_it_too(client: Client) -> None:
    answer = client.get("/", headers={"Host": "elsewhere.example"})

    assert answer.status_code == 400
    assert directives(answer)


@pytest.mark.parametrize("view", ["index", "users_user_changelist", "users_user_add"])
def test_the_admin_keeps_to_it(admin_client: Client, view: str) -> None:
    answer = admin_client.get(reverse(f"admin:{view}"))

    assert answer.status_code == 200
    assert not INLINE.search(answer.content.decode())


def test_an_inline_script_has_the_nonce_of_its_answer(client: Client) -> None:
    first, second = (client.get("/nonce/") for _ in range(2))

    for answer in (first, second):
        (value,) = re.findall('nonce="(.+)"', answer.content.decode())
        assert directives(answer)["script-src"] == {"'self'", f"'nonce-{value}'"}
    assert first[HEADER] != second[HEADER]


def test_a_nonce_that_comes_too_late_is_refused(client: Client) -> None:
    request = client.get("/robots.txt").wsgi_request

    with pytest.raises(CSPNonceError):
        str(request.csp_nonce)  # type: ignore[attr-defined]


def test_a_view_adds_a_source(client: Client) -> None:
    answer = client.get("/updated/")

    (value,) = re.findall('nonce="(.+)"', answer.content.decode())
    assert directives(answer)["img-src"] == {"'self'", "data:", "https://images.example"}
    assert directives(answer)["script-src"] == {"'self'", f"'nonce-{value}'"}
    # What was added is of that answer alone.
    assert directives(client.get("/robots.txt"))["img-src"] == {"'self'", "data:"}


def test_a_view_has_sources_of_its_own(client: Client) -> None:
    assert directives(client.get("/replaced/"))["img-src"] == {"https://images.example"}
    assert directives(client.get("/other/")) == {"default-src": {"'self'"}}
    assert client.get("/another/")[HEADER] == "sandbox"
    assert HEADER not in client.get("/exempt/")


def test_a_view_tries_a_policy_out(client: Client) -> None:
    answer = client.get("/reported/")

    assert answer[f"{HEADER}-Report-Only"] == "default-src 'self'"
    assert directives(answer)["default-src"] == {"'none'"}


def test_a_site_tries_a_policy_out(client: Client, settings: Settings) -> None:
    settings.CONTENT_SECURITY_POLICY_REPORT_ONLY = {"DIRECTIVES": {"default-src": [SELF]}}
    answer = client.get("/robots.txt")

    assert answer[f"{HEADER}-Report-Only"] == "default-src 'self'"
    assert directives(answer)["default-src"] == {"'none'"}


@pytest.mark.parametrize(
    ("url", "host"),
    [("/nowhere/", "testserver"), ("/fail/", "testserver"), ("/", "elsewhere.example")],
)
def test_the_pages_for_errors_of_development_stay_usable(
    settings: Settings, url: str, host: str
) -> None:
    settings.DEBUG = True
    answer = Client(raise_request_exception=False).get(url, headers={"Host": host})

    assert answer.status_code >= 400
    assert "<style" in answer.content.decode()
    assert HEADER not in answer
