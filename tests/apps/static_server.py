"""Serves a project on a port, and in front of it the collected static files, as a web server would: for tests of pages."""

import mimetypes
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from daphne.server import Server  # type: ignore[import-untyped, import-not-found, unused-ignore] # it has no types
from django.core.asgi import get_asgi_application

try:
    from config.asgi import application
except ModuleNotFoundError:  # a project without websockets, whose server speaks WSGI
    application = get_asgi_application()


async def site(scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]) -> None:
    """Answer with a file below ``staticfiles/``, or with the site."""
    path = Path("staticfiles" + scope["path"].removeprefix("/static"))
    if not scope["path"].startswith("/static/") or not path.is_file():
        await application(scope, receive, send)
        return
    kind = mimetypes.guess_type(path)[0] or "text/plain"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"Content-Type", kind.encode())]})
    await send({"type": "http.response.body", "body": path.read_bytes()})


if __name__ == "__main__":
    Server(site, [f"tcp:port={sys.argv[1]}:interface=127.0.0.1"]).run()
