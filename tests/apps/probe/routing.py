"""The addresses of the websockets."""

from django.urls import path

from .consumers import Echo, Group, Probe, Stock

websocket_urlpatterns = [
    path("echo/", Echo.as_asgi()),
    path("group/", Group.as_asgi()),
    path("probe/", Probe.as_asgi()),
    path("stock/", Stock.as_asgi()),
]
