"""The consumer from which those of the applications derive: docs/websockets.md."""

import asyncio
import random
from time import monotonic
from typing import Any

from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.conf import settings

from . import codes
from .types import Message, Receive, Scope, Send


class Bucket:
    """What a connection may still send. It fills at a rate, up to what comes in two seconds."""

    def __init__(self, rate: int) -> None:
        """Make a full one.

        Args:
            rate: messages a second.
        """
        self._rate = rate
        self._left = 2.0 * rate
        self._filled = monotonic()

    def take(self) -> bool:
        """Take a message out, and say whether there was one."""
        now = monotonic()
        self._left = min(2.0 * self._rate, self._left + (now - self._filled) * self._rate)
        self._filled = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Consumer(AsyncJsonWebsocketConsumer):  # type: ignore[misc] # Channels has no types
    """Speaks JSON, keeps to the limits of a connection, and sends heartbeats.

    The first message says so, ``{"heartbeat": seconds}``, and comes again after so many seconds: a
    proxy does not take the websocket for idle, and a client notices when it is dead, which browsers
    do not tell. What an application sends is an object without that name.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one websocket."""
        self._bucket = Bucket(settings.WEBSOCKET_MAX_RATE)
        self._closed = False
        self._heart: asyncio.Task[None] | None = None
        try:
            await super().__call__(scope, receive, send)
        finally:
            if self._heart:
                self._heart.cancel()

    async def accept(
        self, subprotocol: str | None = None, headers: list[tuple[bytes, bytes]] | None = None
    ) -> None:
        """Let the client in, and begin with the heartbeats."""
        await super().accept(subprotocol, headers)
        heartbeat = {"heartbeat": settings.WEBSOCKET_HEARTBEAT}
        await self.send_json(heartbeat)
        self._heart = asyncio.create_task(self._beat(heartbeat))

    async def _beat(self, heartbeat: dict[str, int]) -> None:
        # After a restart all clients come at once, and their heartbeats would, too.
        await asyncio.sleep(random.random() * settings.WEBSOCKET_HEARTBEAT)  # noqa: S311 - no secret
        while True:
            await self.send_json(heartbeat)
            await asyncio.sleep(settings.WEBSOCKET_HEARTBEAT)

    async def websocket_receive(self, message: Message) -> None:
        """Pass a message on to ``receive_json``, or close the websocket where it must not be read."""
        if self._closed:
            return  # on its way before the client knew
        text = message.get("text")
        size = len(message["bytes"] if text is None else text.encode())
        if size > settings.WEBSOCKET_MAX_SIZE:
            await self.close(codes.MESSAGE_TOO_BIG)
        elif not self._bucket.take():
            await self.close(codes.POLICY_VIOLATION)
        elif text is None:
            await self.close(codes.UNSUPPORTED_DATA)
        else:
            try:
                content = await self.decode_json(text)
            except (ValueError, RecursionError):
                await self.close(codes.INVALID_DATA)
            else:
                await self.receive_json(content)

    async def websocket_disconnect(self, message: Message) -> None:
        """Leave the groups."""
        self._closed = True
        await super().websocket_disconnect(message)

    async def send(
        self, text_data: str | None = None, bytes_data: bytes | None = None, close: bool = False
    ) -> None:
        """Send to the client, unless the websocket is closed: to some servers that is an error."""
        if self._closed:
            return
        try:
            await super().send(text_data, bytes_data, close)
        except OSError:
            self._closed = True  # the client is gone, and the server will say so

    async def send_json(self, content: Any, close: bool = False) -> None:
        """Send what JSON can hold; the parent class would pass by the method above."""
        await self.send(await self.encode_json(content), close=close)

    async def close(self, code: int | None = None, reason: str | None = None) -> None:
        """Close the websocket, once."""
        if not self._closed:
            self._closed = True
            await super().close(code, reason)

    async def receive_json(self, content: Any) -> None:
        """Do what a message asks for.

        Args:
            content: the message, decoded. Nothing is known of it but that it was JSON.
        """
