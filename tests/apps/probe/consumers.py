"""Websockets that echo, tell what they see, and pass on."""

from typing import Any

from django.urls import reverse

from ..core.websockets.consumer import Consumer
from .views import replica


class Echo(Consumer):
    """Sends back what it gets."""

    async def receive_json(self, content: Any, **_: Any) -> None:
        """Send it back."""
        await self.send_json(content)


class Probe(Consumer):
    """Says what it sees of whoever connects."""

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


class Group(Consumer):
    """Passes on what it gets to all that are open, of every replica."""

    groups = ["probe"]

    async def connect(self) -> None:
        """Say which replica it is."""
        await self.accept()
        await self.send_json(replica())

    async def receive_json(self, content: Any, **_: Any) -> None:
        """Pass it on."""
        await self.channel_layer.group_send("probe", {"type": "tell", "content": content})

    async def tell(self, event: dict[str, Any]) -> None:
        """Send what another one passed on."""
        await self.send_json(event["content"])
