"""The user of the site."""

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError


def test_the_user_model_is_the_sites_own() -> None:
    assert get_user_model()._meta.label == "users.User"


@pytest.mark.parametrize("weak", ["Xk3vQ9tZ7", "password123", "83561947205", "ada.lovelace"])
def test_a_weak_password_is_refused(user: AbstractUser, weak: str) -> None:
    user.email = "ada.lovelace@example.com"

    with pytest.raises(ValidationError):
        validate_password(weak, user)


def test_a_strong_password_is_accepted(user: AbstractUser, password: str) -> None:
    validate_password(password, user)
