"""What all tests share: settings that spare time, and a user."""

from pathlib import Path

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser
from pytest_django import Settings

PASSWORD = "correct horse battery staple"


@pytest.fixture(autouse=True)
def quick_settings(settings: Settings, tmp_path: Path) -> None:
    # Static files as they lie in src; core/test_pages.py tries them collected, with hashed names.
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    }
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def password() -> str:
    return PASSWORD


@pytest.fixture
def user(db: None, password: str) -> AbstractUser:  # noqa: ARG001 - the database is needed
    return get_user_model().objects.create_user("ada", first_name="Ada", password=password)
