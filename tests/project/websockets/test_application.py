"""config.asgi: who may open a websocket, and what its consumer knows."""

import pytest
from channels.testing import WebsocketCommunicator
from config.asgi import application, routes
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import path, reverse
from django.utils.translation import get_language
from pytest_django import Settings
from runtime.websockets import JsonConsumer
from structlog.contextvars import get_contextvars

# Channels closes old connections to the database at every message.
pytestmark = pytest.mark.django_db

ORIGIN = (b"origin", b"https://testserver")


class Who(JsonConsumer):
    """Says what it knows."""

    async def connect(self) -> None:
        """Say it at once."""
        await self.accept()
        await self.send_json(
            {
                "user": self.scope["user"].get_username(),
                "login": reverse("login"),
                "language": get_language(),
                "request": get_contextvars()["request_id"],
            }
        )


@pytest.fixture(autouse=True)
def who(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
    router = routes[0].callback
    monkeypatch.setattr(router, "routes", [path("who/", Who.as_asgi()), *router.routes])


def socket_with(*headers: tuple[bytes, bytes], url: str = "/ws/who/") -> WebsocketCommunicator:
    return WebsocketCommunicator(application, url, [*headers])


async def ask(socket: WebsocketCommunicator) -> dict[str, str]:
    assert await socket.connect(timeout=5) == (True, None)
    _, answer = [await socket.receive_json_from(timeout=5) for _ in range(2)]
    await socket.disconnect()
    assert isinstance(answer, dict)
    return answer


@pytest.mark.parametrize("headers", [[], [(b"origin", b"https://evil.example")]])
async def test_other_origins_are_refused(headers: list[tuple[bytes, bytes]]) -> None:
    assert not (await socket_with(*headers).connect(timeout=5))[0]


@pytest.mark.parametrize("url", ["/ws/nowhere/", "/ws/", "/", "/ws/who/more/"])
async def test_unknown_url_is_refused(url: str) -> None:
    assert not (await socket_with(ORIGIN, url=url).connect(timeout=5))[0]


async def test_visitor_is_anonymous() -> None:
    assert (await ask(socket_with(ORIGIN)))["user"] == ""


@pytest.fixture
def cookie(client: Client, settings: Settings) -> tuple[bytes, bytes]:
    client.force_login(get_user_model().objects.create_user("ada@example.com"))
    name = settings.SESSION_COOKIE_NAME
    return b"cookie", f"{name}={client.cookies[name].value}".encode()


async def test_signed_in_user_is_known(cookie: tuple[bytes, bytes]) -> None:
    assert (await ask(socket_with(ORIGIN, cookie)))["user"] == "ada@example.com"


async def test_reverse_knows_the_prefix(settings: Settings) -> None:
    settings.FORCE_SCRIPT_NAME = "/shop"

    assert (await ask(socket_with(ORIGIN)))["login"].startswith("/shop/")


async def test_language_is_that_of_the_browser(settings: Settings) -> None:
    settings.LANGUAGES = [("en", "English"), ("de", "Deutsch")]
    settings.LANGUAGE_CODE = "en"

    assert (await ask(socket_with(ORIGIN)))["language"] == "en"
    assert (await ask(socket_with(ORIGIN, (b"accept-language", b"de"))))["language"] == "de"
    assert (await ask(socket_with(ORIGIN, (b"cookie", b"django_language=de"))))["language"] == "de"


async def test_log_has_the_request_id_of_the_proxy() -> None:
    given = "0123456789abcdef"

    assert (await ask(socket_with(ORIGIN, (b"x-request-id", given.encode()))))["request"] == given
    assert (await ask(socket_with(ORIGIN, (b"x-request-id", b"forged\n"))))["request"] != "forged\n"
