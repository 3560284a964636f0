"""Users in the admin."""

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser
from django.test import Client
from django.urls import reverse
from pytest_django.asserts import assertContains, assertRedirects


def test_users_can_be_found(admin_client: Client, user: AbstractUser) -> None:
    answer = admin_client.get(reverse("admin:users_user_changelist"), {"q": user.username})

    assertContains(answer, reverse("admin:users_user_change", args=[user.pk]))


def test_a_user_can_be_added(admin_client: Client, password: str) -> None:
    form = {"username": "grace", "usable_password": "true"}
    form |= {"password1": password, "password2": password}
    admin_client.post(reverse("admin:users_user_add"), form)

    assert get_user_model().objects.get(username="grace").check_password(password)


def test_the_admin_is_closed_to_ordinary_users(client: Client, user: AbstractUser) -> None:
    client.force_login(user)
    url = reverse("admin:users_user_changelist")

    assertRedirects(client.get(url), f"{reverse('admin:login')}?next={url}")
