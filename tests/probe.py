"""An application for a project that is tried: pages and websockets that tell what Django sees, take their time, and echo."""

from pathlib import Path

from conftest import add_application, change

VIEWS = """
import os
import socket
import time

from django.http import JsonResponse


def replica():
    return {"replica": socket.gethostname(), "process": os.getpid()}


def probe(request):
    seen = {
        "scheme": request.scheme,
        "host": request.get_host(),
        "address": request.META["REMOTE_ADDR"],
        "url": request.build_absolute_uri("/"),
        "headers": {name: value for name, value in request.headers.items() if name.startswith(("Forwarded", "X-"))},
    }
    return JsonResponse(seen | replica())


def slow(request):
    time.sleep(float(request.GET["seconds"]))
    return JsonResponse(replica())
"""

CONSUMERS = """
from django.urls import reverse

from my_site.core.websockets.consumer import Consumer

from .views import replica


class Echo(Consumer):
    async def receive_json(self, content):
        await self.send_json(content)


class Probe(Consumer):
    async def connect(self):
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
    groups = ["probe"]

    async def connect(self):
        await self.accept()
        await self.send_json(replica())

    async def receive_json(self, content):
        await self.channel_layer.group_send("probe", {"type": "tell", "content": content})

    async def tell(self, event):
        await self.send_json(event["content"])
"""

ROUTING = """
from django.urls import path

from .consumers import Echo, Group, Probe

websocket_urlpatterns = [
    path("echo/", Echo.as_asgi()),
    path("group/", Group.as_asgi()),
    path("probe/", Probe.as_asgi()),
]
"""


def add_probe(project: Path) -> None:
    """Add the application to a project, as its owner would: /probe/, and with websockets /ws/probe/, echo/ and group/."""
    files = {"__init__.py": "", "views.py": VIEWS}
    if (project / "src/config/routing.py").exists():
        files |= {"consumers.py": CONSUMERS, "routing.py": ROUTING}
    package = add_application(project, "probe", files)
    urls = project / "src/config/urls.py"
    change(urls, "urlpatterns = [", "urlpatterns = [\n    path('probe/', probe),\n    path('probe/slow/', slow),")
    urls.write_text(f"from {package}.probe.views import probe, slow\n" + urls.read_text())
