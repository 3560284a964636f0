"""JsonConsumer: JSON, limits, heartbeats."""

import asyncio
from typing import Any

import pytest
from channels.layers import get_channel_layer
from channels.testing import WebsocketCommunicator
from pytest_django import Settings
from runtime.websockets import INVALID_MESSAGE, TOO_MANY_MESSAGES, JsonConsumer

# Channels closes old connections to the database at every message.
pytestmark = pytest.mark.django_db


class Echo(JsonConsumer):
    """Sends back what it gets, and what its group gets."""

    groups = ("everybody",)

    async def receive_json(self, content: Any, **_: Any) -> None:
        """Send it back."""
        await self.send_json({"echo": content})

    async def shout(self, event: dict[str, str]) -> None:
        """Send what the group got."""
        await self.send_json({"shout": event["text"]})


@pytest.fixture(autouse=True)
def layer(settings: Settings) -> None:
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}


async def connected() -> WebsocketCommunicator:
    socket = WebsocketCommunicator(Echo.as_asgi(), "/ws/echo/")
    assert await socket.connect(timeout=5) == (True, None)
    assert list(await socket.receive_json_from(timeout=5)) == ["heartbeat"]
    return socket


async def close_code(socket: WebsocketCommunicator) -> int:
    message = await socket.receive_output(timeout=5)
    assert message["type"] == "websocket.close"
    return int(message["code"])


async def test_message_is_answered() -> None:
    socket = await connected()
    await socket.send_json_to({"apples": [1, "é", None]})

    assert await socket.receive_json_from(timeout=5) == {"echo": {"apples": [1, "é", None]}}
    await socket.disconnect()


async def test_binary_message_is_read_as_json() -> None:
    socket = await connected()
    await socket.send_to(bytes_data=b'{"a": 1}')

    assert await socket.receive_json_from(timeout=5) == {"echo": {"a": 1}}
    await socket.disconnect()


@pytest.mark.parametrize(
    "message",
    [{"text": ""}, {"text": "{"}, {"text": "[" * 60_000}, {"bytes": b"\xff\xff"}, {"bytes": b""}],
    ids=["empty", "malformed", "deep", "binary", "empty binary"],
)
async def test_invalid_json_closes(message: dict[str, Any]) -> None:
    socket = await connected()
    await socket.send_input({"type": "websocket.receive", **message})

    assert await close_code(socket) == INVALID_MESSAGE
    await socket.disconnect()


async def test_too_many_messages_close_once(settings: Settings) -> None:
    settings.WEBSOCKET_MAX_RATE = 2
    socket = await connected()
    for number in range(7):
        await socket.send_json_to(number)

    for number in range(4):
        assert await socket.receive_json_from(timeout=5) == {"echo": number}
    assert await close_code(socket) == TOO_MANY_MESSAGES
    assert await socket.receive_nothing()
    await socket.disconnect()


async def test_allowed_messages_grow_with_time(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.WEBSOCKET_MAX_RATE = 10
    now = 100.0
    monkeypatch.setattr("runtime.websockets.monotonic", lambda: now)
    socket = await connected()

    async def accepted(sent: int) -> int:
        for number in range(sent):
            await socket.send_json_to(number)
        return len([await socket.receive_json_from(timeout=5) for _ in range(sent)])

    assert await accepted(20) == 20
    now += 0.35
    assert await accepted(3) == 3
    now += 60
    assert await accepted(20) == 20
    await socket.send_json_to(20)
    assert await close_code(socket) == TOO_MANY_MESSAGES
    await socket.disconnect()


async def test_heartbeats_end_with_the_websocket(settings: Settings) -> None:
    settings.WEBSOCKET_HEARTBEAT = 0.01
    socket = await connected()

    for _ in range(3):
        assert await socket.receive_json_from(timeout=5) == {"heartbeat": 0.01}
    async with asyncio.timeout(10) as patience:
        await socket.disconnect(timeout=60)
    assert not patience.expired()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_heartbeat_to_a_client_that_left_is_no_error(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    settings.WEBSOCKET_HEARTBEAT = 0.01
    received: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    received.put_nowait({"type": "websocket.connect"})
    sent = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message["type"])
        if sent.count("websocket.send") == 2:
            received.put_nowait({"type": "websocket.disconnect", "code": 1006})
            raise ConnectionResetError

    await Echo.as_asgi()({"type": "websocket"}, received.get, send)
    assert sent == ["websocket.accept", "websocket.send", "websocket.send"]
    assert caplog.records == []


async def test_group_reaches_a_client_after_each_connect() -> None:

    layer = get_channel_layer()
    for _ in range(2):
        socket = await connected()
        await layer.group_send("everybody", {"type": "shout", "text": "hello"})
        assert await socket.receive_json_from(timeout=5) == {"shout": "hello"}
        await socket.disconnect()
        assert not layer.groups
