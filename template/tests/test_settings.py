"""The settings of production."""

import pytest
from django.core.management import call_command
from django.test import Client
from pytest_django import Settings


def test_check_deploy_finds_nothing(settings: Settings) -> None:
    settings.SECURE_SSL_REDIRECT = True  # off in tests

    call_command("check", deploy=True, fail_level="WARNING")


@pytest.mark.django_db
def test_every_change_of_a_model_has_a_migration() -> None:
    call_command("makemigrations", check_changes=True, dry_run=True)


def test_http_is_redirected_to_https(client: Client, settings: Settings) -> None:
    settings.SECURE_SSL_REDIRECT = True

    response = client.get("/robots.txt")

    assert response.status_code == 301
    assert response["Location"] == "https://testserver/robots.txt"


@pytest.mark.django_db
def test_cookies_are_for_https_only(client: Client) -> None:
    cookie = client.get("/accounts/login/").cookies["csrftoken"]

    assert cookie["secure"]
    assert cookie["httponly"]
