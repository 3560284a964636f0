"""The pages in a real browser: at two widths, light and dark, by keyboard, without a complaint of the browser or of axe."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from browsers import SCREENSHOTS, WIDTHS, violations
from playwright.sync_api import Browser, Page, Request, WebSocketRoute
from projects import APPS, PRODUCTION, add_app
from questionnaire import answers_of
from tools import free_port, run, serving

# How the pages get their stylesheet and scripts: built by gulp, with a pipeline that was never run, and with none.
LOOKS = {"built": "texts", "not built": "texts", "none": "frontend=none"}
NIGHTLY = [pytest.param(look, marks=pytest.mark.nightly) for look in ("not built", "none")]
# The start page asks again and again, where nothing tells it.
POLLING = {"polling": "websockets=False"}


@pytest.fixture(scope="module", params=["built", *NIGHTLY])
def look(request: pytest.FixtureRequest) -> str:
    """One of these."""
    return str(request.param)


@pytest.fixture(scope="module")
def site(
    look: str,
    render: Callable[[str], Path],
    environment: Path,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Iterator[str]:
    """A site as in production, with an account, a page that is broken, and hashed static files."""
    folder = tmp_path_factory.mktemp("site") / "project"
    shutil.copytree(render((LOOKS | POLLING)[look]), folder)
    (folder / ".venv").symlink_to(environment)
    if look in {"built", *POLLING}:
        run("pdm", "run", "assets", cwd=folder, env=request.getfixturevalue("pnpm"))
    add_app(folder, "broken")
    port = free_port()
    env = {**PRODUCTION, "ALLOWED_HOSTS": "127.0.0.1", "SECURE_SSL_REDIRECT": "false", "PYTHONPATH": "src"}
    account = {"DJANGO_SUPERUSER_PASSWORD": "correct horse battery"}
    manage: list[str | Path] = [folder / ".venv/bin/python", "src/manage.py"]
    run(*manage, "migrate", "--verbosity", "0", cwd=folder, env=env)
    run(*manage, "collectstatic", "--noinput", "--verbosity", "0", cwd=folder, env=env)
    run(*manage, "createsuperuser", "--noinput", "--email", "ada@example.com", cwd=folder, env=env | account)
    url = f"http://127.0.0.1:{port}"
    env |= {"DJANGO_SETTINGS_MODULE": "config.settings"}
    with serving(
        [folder / ".venv/bin/python", APPS / "static_server.py", str(port)], f"{url}/health/live", cwd=folder, env=env
    ):
        yield url


@pytest.fixture
def complaints() -> list[str]:
    """What the browser says of a page: errors of the console, and requests that fail."""
    return []


def fault(request: Request) -> list[str]:
    """Return what there is to say of a request that failed: nothing where the person went on before it was answered."""
    return [] if request.failure == "net::ERR_ABORTED" else [f"failed: {request.failure} {request.url}"]


@pytest.fixture
def page(browser: Browser, complaints: list[str]) -> Iterator[Page]:
    """A new page, whose complaints are collected."""
    page = browser.new_page()
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("requestfailed", lambda request: complaints.extend(fault(request)))
    yield page
    page.close()


pytestmark = pytest.mark.unit("look")

PAGES = [("home", "/", 200), ("sign-in", "/accounts/login/", 200), ("404", "/nowhere/", 404), ("500", "/broken/", 500)]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(("name", "path", "status"), PAGES)
def test_a_page_is_whole_at_every_width_and_in_both_schemes(
    name: str,
    path: str,
    status: int,
    width: str,
    scheme: str,
    look: str,
    site: str,
    page: Page,
    axe: Path,
    complaints: list[str],
) -> None:
    page.set_viewport_size({"width": WIDTHS[width], "height": 800})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    response = page.goto(site + path)
    assert response is not None
    assert response.status == status
    # The status of the page itself is no surprise.
    assert [text for text in complaints if f"status of {status}" not in text] == []
    assert page.locator("h1").count() == 1
    assert answers_of(LOOKS[look]).get("project_name", "My Site") in page.title()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page is wider than the screen"
    assert page.evaluate("document.querySelectorAll('style, [style], script:not([src])').length") == 0
    SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{look.replace(' ', '-')}-{name}-{width}-{scheme}.png", full_page=True)
    assert violations(page, axe) == []


def test_a_task_runs_at_the_push_of_a_button(site: str, page: Page, axe: Path, complaints: list[str]) -> None:
    page.goto(site)
    page.evaluate("window.stays = true")
    page.get_by_role("button", name="Run a task").click()
    page.get_by_text("Done by ").wait_for()
    assert page.evaluate("window.stays"), "the page was loaded again"
    assert violations(page, axe) == []
    page.route("**/task/", lambda route: route.abort())
    page.get_by_role("button", name="Run a task").click()
    page.get_by_text("The server cannot be reached.", exact=True).wait_for()
    assert [text for text in complaints if "/task/" not in text and "ERR_FAILED" not in text] == []


def test_static_files_have_hashed_names(site: str, page: Page) -> None:
    page.goto(site)
    stylesheet = page.locator("link[rel=stylesheet]").first.get_attribute("href")
    assert stylesheet is not None
    assert stylesheet.startswith("/static/pages/site.")
    assert stylesheet != "/static/pages/site.css"


def test_a_person_signs_in_and_out_by_keyboard(site: str, page: Page, axe: Path, complaints: list[str]) -> None:
    page.goto(site)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to main content"
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Log in"
    page.keyboard.press("Enter")
    page.wait_for_url("**/accounts/login/**")
    assert page.evaluate("document.activeElement.name") == "username"

    page.keyboard.type("Ada@example.com")
    page.keyboard.press("Tab")
    page.keyboard.type("wrong")
    page.keyboard.press("Enter")
    page.get_by_role("alert").wait_for()
    assert violations(page, axe) == []

    page.get_by_label("Password").focus()
    page.keyboard.type("correct horse battery")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{site}/")
    assert "Welcome, ada@example.com." in page.get_by_role("status").first.inner_text()
    assert violations(page, axe) == []

    page.get_by_role("button", name="Close").focus()
    page.keyboard.press("Enter")
    page.get_by_text("Welcome, ada@example.com.").wait_for(state="detached")
    assert page.evaluate("document.activeElement.id") == "main"

    page.get_by_role("button", name="Log out").focus()
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Log in").wait_for()
    assert "Logged out" in page.get_by_role("status").first.inner_text()
    assert complaints == []


class Line:
    """What leads from the start page to the site: it can be cut, and mended."""

    def __init__(self, page: Page) -> None:
        self.is_cut = False
        self.sockets: list[WebSocketRoute] = []
        page.route_web_socket("**/ws/components/", self.open)
        page.route("**/components/", lambda route: route.abort() if self.is_cut else route.fallback())

    def open(self, socket: WebSocketRoute) -> None:
        """Let a websocket through, or not."""
        if self.is_cut:
            socket.close(code=1013)
        else:
            socket.connect_to_server()
            self.sockets.append(socket)

    def cut(self) -> None:
        """Let nothing through any more."""
        self.is_cut = True
        for socket in self.sockets:
            socket.close(code=1012)
        self.sockets.clear()

    def mend(self) -> None:
        """Let everything through again."""
        self.is_cut = False


@pytest.mark.parametrize("look", ["built", pytest.param("none", marks=pytest.mark.nightly)], indirect=True, scope="module")
def test_the_start_page_is_told_the_state_of_components_again_and_again(site: str, page: Page, complaints: list[str]) -> None:
    with page.expect_websocket() as opened:
        page.goto(site)
    for _ in range(2):
        opened.value.wait_for_event("framereceived", lambda frame: "data-component" in frame, timeout=15_000)
    assert page.locator("[data-component=websockets]").get_attribute("data-works") == "yes"
    assert complaints == []


@pytest.mark.parametrize("look", [pytest.param("polling", marks=pytest.mark.nightly)], indirect=True, scope="module")
def test_the_start_page_asks_for_the_state_of_components_again_and_again(site: str, page: Page) -> None:
    page.goto(site)
    with page.expect_response("**/components/", timeout=15_000) as fetched:
        pass
    assert fetched.value.ok
    assert page.locator("[data-component=database]").get_attribute("data-works") == "yes"


@pytest.mark.parametrize(
    "look",
    ["built", pytest.param("none", marks=pytest.mark.nightly), pytest.param("polling", marks=pytest.mark.nightly)],
    indirect=True,
    scope="module",
)
def test_the_start_page_says_that_it_is_cut_off_until_it_is_not(site: str, page: Page) -> None:
    line = Line(page)
    page.goto(site)
    warning = page.get_by_role("paragraph").filter(has_text="The server cannot be reached")
    for _ in range(2):
        line.cut()
        warning.wait_for(timeout=15_000)
        line.mend()
        warning.wait_for(state="hidden", timeout=15_000)


@pytest.mark.parametrize("look", ["built", pytest.param("none", marks=pytest.mark.nightly)], indirect=True, scope="module")
def test_without_websockets_the_start_page_asks(site: str, page: Page) -> None:
    page.route_web_socket("**/ws/components/", lambda socket: socket.close(code=1013))
    with page.expect_response("**/components/", timeout=15_000) as fetched:
        page.goto(site)
    assert fetched.value.ok
    page.get_by_role("paragraph").filter(has_text="The server cannot be reached").wait_for(state="hidden")


def test_pages_have_htmx_and_alpine_where_they_were_built(look: str, site: str, page: Page) -> None:
    page.goto(site)
    assert page.evaluate("[typeof htmx, typeof Alpine]") == ["object" if look == "built" else "undefined"] * 2
    heading = page.locator("h1").evaluate("element => getComputedStyle(element).fontFamily")
    assert heading.startswith('"Source Serif 4"' if look == "built" else "Charter")


@pytest.mark.parametrize(
    "look",
    ["built", pytest.param("none", marks=pytest.mark.nightly), pytest.param("polling", marks=pytest.mark.nightly)],
    indirect=True,
    scope="module",
)
def test_a_state_that_changes_is_said_once(site: str, page: Page) -> None:
    line = Line(page)
    page.goto(site)
    said = page.locator(".visually-hidden[role=status]")
    line.cut()
    page.get_by_text("The server cannot be reached", exact=False).nth(1).wait_for(state="attached", timeout=15_000)
    assert "cannot be reached" in said.inner_text()
    line.mend()
    page.get_by_role("status").filter(has_text="Everything works").wait_for(state="attached", timeout=15_000)


def test_the_start_page_works_without_javascript(site: str, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(site)
    assert page.locator("[data-component]").count() >= 4
    context.close()
