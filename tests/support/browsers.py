"""Pages in a real browser: where pictures of them go, what axe finds, and what their websockets are told."""

import time
from pathlib import Path

from playwright.sync_api import Page, WebSocket
from questionnaire import ROOT

AXE = "axe-core@4.13.0"
CHROMIUM = Path(__file__).with_name("chromium_without_netlink.py")
SCREENSHOTS = ROOT / "screenshots"
WIDTHS = {"phone": 375, "desk": 1280}


def violations(page: Page, axe: Path) -> list[str]:
    """Return what axe finds, a line each."""
    page.evaluate(axe.read_text())
    found = page.evaluate("async () => (await axe.run()).violations")
    return [f"{one['id']}: {one['help']} ({node['html'][:80]})" for one in found for node in one["nodes"]]


class Watched:
    """The websockets of a page: what each of them is told."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.urls: list[str] = []
        self.told: list[list[str]] = []
        page.on("websocket", self._open)

    def _open(self, socket: WebSocket) -> None:
        told: list[str] = []
        self.urls.append(socket.url)
        self.told.append(told)
        socket.on("framereceived", lambda payload: told.append(str(payload)))

    def state(self, since: int = 0, patience: float = 30) -> float:
        """Wait until a websocket that was opened later is told the state of the components. Returns the seconds.

        Args:
            since: how many websockets there were before.
            patience: seconds after which it is given up.
        """
        began = time.monotonic()
        while not any('"html"' in text for told in self.told[since:] for text in told):
            assert time.monotonic() - began < patience, f"the page is told nothing: {self.told}"
            self.page.wait_for_timeout(50)
        return time.monotonic() - began
