"""The user model: a person signs in by e-mail address.

https://docs.djangoproject.com/en/5.2/topics/auth/customizing/#substituting-a-custom-user-model
"""

from typing import Any

from django.contrib.auth.base_user import BaseUserManager
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils.translation import gettext_lazy as _


class UserManager(BaseUserManager["User"]):
    """Creates and finds users by e-mail address, in lower case."""

    @classmethod
    def normalize_email(cls, email: str | None) -> str:
        """Return the address in lower case. ``User.save()`` calls it, and ``User.clean()``, so every form does."""
        return super().normalize_email(email).lower()

    def get_by_natural_key(self, username: str | None) -> "User":
        """Find the user who logs in."""
        return super().get_by_natural_key(self.normalize_email(username))

    async def aget_by_natural_key(self, username: str | None) -> "User":
        """Find the user who logs in, in an asynchronous view."""
        return await super().aget_by_natural_key(self.normalize_email(username))

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Create and save a user. Without a password, the user can't log in by one.

        Raises:
            ValueError: the address is empty.
        """
        if not email:
            message = "a user needs an e-mail address"
            raise ValueError(message)
        return self.create(email=email, password=make_password(password), **fields)

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Create and save a user with all permissions."""
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)


class User(AbstractUser):
    """A person with an account."""

    username = None  # type: ignore[assignment] # removes the field of AbstractUser
    email = models.EmailField(
        _("email address"),
        unique=True,
        error_messages={"unique": _("A user with that email address already exists.")},
    )

    objects = UserManager()  # type: ignore[misc,assignment]

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS = []

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Store the address in lower case, also where no form and no ``create_user`` did so."""
        self.email = UserManager.normalize_email(self.email)
        super().save(*args, **kwargs)
