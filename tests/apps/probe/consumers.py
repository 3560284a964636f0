"""Websockets that echo, return what they see, and broadcast."""

from typing import Any

from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.urls import reverse
from runtime.websockets import JsonConsumer

from .views import replica


class Echo(JsonConsumer):
    """Sends back what it gets."""

    async def receive_json(self, content: Any, **_: Any) -> None:
        """Send it back."""
        await self.send_json(content)


class Stock(AsyncJsonWebsocketConsumer):
    """Echoes as a consumer without anything of the template does: it sends no heartbeats."""

    async def receive_json(self, content: Any, **_: Any) -> None:
        """Send it back."""
        await self.send_json(content)


class Probe(JsonConsumer):
    """Returns what it sees of the client."""

    async def connect(self) -> None:
        """Say it at once."""
        await self.accept()
        headers = {name.decode(): value.decode() for name, value in self.scope["headers"]}
        seen = {
            "scheme": self.scope.get("scheme", "ws"),
            "address": self.scope["client"][0],
            "host": headers["host"],
            "headers": {name: value for name, value in headers.items() if name.startswith(("forwarded", "x-"))},
            "user": self.scope["user"].get_username(),
            "login": reverse("login"),
        }
        await self.send_json(seen | replica())


class Group(JsonConsumer):
    """Sends what it gets to all websockets of all replicas."""

    groups = ["probe"]

    async def connect(self) -> None:
        """Say which replica it is."""
        await self.accept()
        await self.send_json(replica())

    async def receive_json(self, content: Any, **_: Any) -> None:
        """Send it to the group."""
        await self.channel_layer.group_send("probe", {"type": "tell", "content": content})

    async def tell(self, event: dict[str, Any]) -> None:
        """Send what the group got."""
        await self.send_json(event["content"])
