"""Signing in and out."""

from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse
from pytest_django import Settings
from pytest_django.asserts import assertContains, assertRedirects

SIGN_IN = "/accounts/login/"
SIGN_OUT = "/accounts/logout/"
USER = "_auth_user_id"


@pytest.fixture
def credentials(user: AbstractUser, password: str) -> dict[str, str]:
    return {"username": user.username, "password": password}


@pytest.fixture
def signed_in(client: Client, user: AbstractUser) -> Client:
    client.force_login(user)
    return client


def messages_of(answer: Any) -> list[str]:
    return [str(message) for message in get_messages(answer.wsgi_request)]


def test_pages_for_users_lead_to_the_form(settings: Settings) -> None:
    assert reverse(settings.LOGIN_URL) == SIGN_IN


def test_the_form_asks_for_a_password_and_keeps_where_to_go(client: Client) -> None:
    answer = client.get(SIGN_IN, {"next": "/somewhere/"})

    assertContains(answer, 'type="password"')
    assertContains(answer, "/somewhere/")


def test_signing_in_leads_to_the_start_page_with_a_greeting(
    client: Client, credentials: dict[str, str]
) -> None:
    answer = client.post(SIGN_IN, credentials)

    assertRedirects(answer, "/", fetch_redirect_response=False)
    assert USER in client.session
    (greeting,) = messages_of(answer)
    assert "Ada" in greeting


def test_the_greeting_falls_back_to_the_user_name(
    client: Client, user: AbstractUser, credentials: dict[str, str]
) -> None:
    user.first_name = ""
    user.save()

    (greeting,) = messages_of(client.post(SIGN_IN, credentials))
    assert user.username in greeting


@pytest.mark.parametrize(
    ("wanted", "reached"), [("/somewhere/", "/somewhere/"), ("https://evil.example/", "/")]
)
def test_signing_in_leads_on_within_the_site_only(
    client: Client, credentials: dict[str, str], wanted: str, reached: str
) -> None:
    answer = client.post(SIGN_IN, {**credentials, "next": wanted})

    assertRedirects(answer, reached, fetch_redirect_response=False)


def test_a_wrong_password_is_refused(client: Client, credentials: dict[str, str]) -> None:
    answer = client.post(SIGN_IN, {**credentials, "password": "wrong"})

    assert answer.status_code == 200
    assert answer.context["form"].non_field_errors()
    assert USER not in client.session


def test_whoever_is_signed_in_is_sent_on(signed_in: Client) -> None:
    assertRedirects(signed_in.get(SIGN_IN), "/", fetch_redirect_response=False)


def test_signing_out_ends_the_session_and_says_so(signed_in: Client) -> None:
    answer = signed_in.post(SIGN_OUT)

    assertRedirects(answer, "/", fetch_redirect_response=False)
    assert USER not in signed_in.session
    (message,) = messages_of(answer)
    assertContains(signed_in.get(SIGN_IN), message)


def test_a_link_cannot_sign_anybody_out(signed_in: Client) -> None:
    assert signed_in.get(SIGN_OUT).status_code == 405
    assert USER in signed_in.session
