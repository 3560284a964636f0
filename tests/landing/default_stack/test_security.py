"""The stack of production as an attacker and as a visitor meet it: through nginx, with and without TLS in front."""

import asyncio
import base64
import contextlib
import gzip
import hashlib
import json
import re
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import observatory
import pytest
from browsers import SCREENSHOTS, WIDTHS, Watched, violations
from containers import Site
from playwright.sync_api import Browser, Page, Response
from stack import DOCKER_NETWORKS, Answer, Stack, request, stack
from tools import clean_environment, eventually, run

EMAIL = "ada@example.com"
PASSWORD = "correct horse battery"  # noqa: S105 - of the test
YEAR = 31_536_000

Running = Callable[..., contextlib.AbstractContextManager[Stack]]


@pytest.fixture(scope="module")
def with_variables(stack_folder: Callable[[], Path], stack_images: dict[str, str]) -> Running:
    """Run the project with variables in its .env, and with an account."""

    @contextlib.contextmanager
    def start(**variables: str) -> Iterator[Stack]:
        folder = stack_folder()
        with stack(folder, **stack_images) as site:
            lines = (folder / ".env").read_text().removesuffix("SECURE_SSL_REDIRECT=false\n")
            (folder / ".env").write_text(lines + "".join(f"{key}={value}\n" for key, value in variables.items()))
            site.compose("up", "--detach", "--wait", "--no-build", attempts=2)
            account = ("--noinput", "--email", EMAIL)
            site.compose(
                "exec", "--no-TTY", "--env", f"DJANGO_SUPERUSER_PASSWORD={PASSWORD}",
                "app", "python", "src/manage.py", "createsuperuser", *account,
            )  # fmt: skip
            yield site

    return start


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of this machine, with its key in the same file."""
    folder = tmp_path_factory.mktemp("certificate")
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    run(*command.split(), "-keyout", folder / "key.pem", "-out", folder / "cert.pem", cwd=folder)
    (folder / "both.pem").write_text((folder / "key.pem").read_text() + (folder / "cert.pem").read_text())
    return folder / "both.pem"


@contextlib.contextmanager
def tls(target: str, certificate: Path) -> Iterator[str]:
    """End TLS in front of a server, and say so as a proxy does. Yields the address."""
    behind = urlsplit(target)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    replaced = (b"connection:", b"x-forwarded-for:", b"x-forwarded-proto:")

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on what comes, and close when nothing comes any more."""
        with contextlib.suppress(OSError), contextlib.closing(writer):
            while part := await reader.read(1 << 16):
                writer.write(part)
                await writer.drain()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on one request with other headers, its answer as it is, and all that follows a websocket's."""
        with contextlib.closing(writer):
            try:
                lines = (await reader.readuntil(b"\r\n\r\n")).splitlines()[:-1]
            except (asyncio.IncompleteReadError, OSError):
                return
            kept = [line for line in lines if not line.lower().startswith(replaced)]
            upgrades = any(line.lower().startswith(b"upgrade:") for line in lines)
            visitor = writer.get_extra_info("peername")[0].encode()
            kept += [b"X-Forwarded-For: " + visitor, b"X-Forwarded-Proto: https"]
            kept += [b"Connection: " + (b"Upgrade" if upgrades else b"close"), b"", b""]
            answer, request = await asyncio.open_connection(behind.hostname, behind.port)
            request.write(b"\r\n".join(kept))
            await asyncio.gather(pump(reader, request), pump(answer, writer))

    port: Future[int] = Future()
    over = threading.Event()

    async def run() -> None:
        """Serve until the block ends."""
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
        port.set_result(server.sockets[0].getsockname()[1])
        await asyncio.to_thread(over.wait)

    # The thread of a browser has a loop already.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, run())
        try:
            yield f"https://127.0.0.1:{port.result(10)}"
        finally:
            over.set()


@dataclass(frozen=True)
class Secured:
    """A stack, and the address of a proxy in front of it that ends TLS."""

    stack: Stack
    url: str

    def request(self, path: str, method: str = "GET", headers: Mapping[str, str] | None = None) -> Answer:
        """Send a request over TLS."""
        return request(self.url, path, method, headers=headers)


@pytest.fixture(scope="module")
def secured(with_variables: Running, certificate: Path) -> Iterator[Secured]:
    """Production as it is meant: TLS ends in front of nginx, which trusts the proxy there."""
    with (
        with_variables(TRUSTED_PROXIES=DOCKER_NETWORKS, SECURE_HSTS_SECONDS=str(YEAR), LOG_REQUESTS="true") as site,
        tls(site.url, certificate) as url,
    ):
        save(site, "files/picture.png", PICTURE)
        yield Secured(site, url)


@pytest.fixture(scope="module")
def plain(with_variables: Running) -> Iterator[Stack]:
    """The same, reached directly and without TLS: nobody is trusted, and requests are small."""
    with with_variables(SECURE_SSL_REDIRECT="false", CLIENT_MAX_BODY_SIZE="1k") as site:
        yield site


@pytest.fixture(scope="module")
def prefixed(with_variables: Running) -> Iterator[Stack]:
    """The same below a path."""
    with with_variables(SECURE_SSL_REDIRECT="false", URL_PREFIX="/shop") as site:
        save(site, "files/picture.png", PICTURE)
        yield site


@pytest.fixture
def complaints() -> list[str]:
    """What the browser says of a page, except for the status of the page itself."""
    return []


@pytest.fixture
def page(browser: Browser, complaints: list[str]) -> Iterator[Page]:
    """A page of a visitor of his own."""

    def listen(text: str) -> None:
        if "the server responded with a status of" not in text:
            complaints.append(text)

    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(15_000)
    page.on("console", lambda message: listen(f"{message.text} {message.location['url']}") if message.type == "error" else None)
    page.on("pageerror", lambda error: listen(str(error)))
    yield page
    context.close()


@pytest.fixture
def unbound(browser: Browser) -> Iterator[Page]:
    """A page on which no policy counts: where the real one lets no script run, axe would not run either."""
    context = browser.new_context(bypass_csp=True)
    page = context.new_page()
    page.set_default_timeout(15_000)
    yield page
    context.close()


# One pixel.
PICTURE = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")


def save(site: Stack, name: str, content: bytes) -> None:
    """Put a file among the media, as a form would."""
    code = f"""
import base64
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
default_storage.save({name!r}, ContentFile(base64.b64decode({base64.b64encode(content).decode()!r})))
"""
    site.manage("shell", "--command", code)


def sign_in(page: Page, url: str) -> Response:
    """Sign in with the form that is there. Returns the answer to it."""
    page.goto(url)
    page.locator("[name=username]").fill(EMAIL)
    page.locator("[name=password]").fill(PASSWORD)
    with page.expect_response(lambda response: response.request.method == "POST") as answered:
        page.locator("form [type=submit]").last.click()
    page.wait_for_load_state()
    return answered.value


def stylesheet(page: Answer) -> str:
    """Return the path of the stylesheet that a page links."""
    found = re.search(r'href="([^"]+/pages/site\.[0-9a-f]{12}\.css)"', page.text)
    assert found is not None, page.text
    return found[1]


def raw(site: Stack, text: bytes, patience: float = 10) -> bytes:
    """Send bytes to the proxy, and return what it says until it closes or says no more."""
    port = int(site.env["HTTP_PORT"])
    answer = b""
    with socket.create_connection(("127.0.0.1", port), timeout=patience) as connection:
        connection.sendall(text)
        connection.settimeout(2)
        with contextlib.suppress(OSError):
            while part := connection.recv(65536):
                answer += part
    return answer


def logged(site: Stack, service: str) -> list[str]:
    """Return the lines of stdout of a service."""
    return subprocess.run(
        ["docker", "logs", site.container(service)], env=clean_environment(), capture_output=True, check=True
    ).stdout.decode(errors="replace").splitlines()  # fmt: skip


ONCE = [
    "content-security-policy",
    "cross-origin-opener-policy",
    "cross-origin-resource-policy",
    "permissions-policy",
    "referrer-policy",
    "server",
    "x-content-type-options",
    "x-frame-options",
]


def check_headers(answer: Answer, where: str, *, secure: bool = False) -> None:
    """See that the headers of security are there, each once, and tell no version."""
    given = [key for key, _ in answer.headers]
    wanted = [*ONCE, "strict-transport-security"] if secure else ONCE
    assert {name: given.count(name) for name in wanted} == dict.fromkeys(wanted, 1), where
    assert answer.header("server") == "nginx", where
    assert "x-powered-by" not in given


# A1 and A2: TLS in front.


def test_the_observatory_gives_full_marks(secured: Secured) -> None:
    home = secured.request("/")
    pages = {
        "home": ("/", 200),
        "sign-in": ("/accounts/login/", 200),
        "404": ("/nowhere/", 404),
        "404 of nginx": ("/static/nothing.css", 404),
        "static": (stylesheet(home), 200),
        "media": ("/media/files/picture.png", 200),
    }
    origin = "https://other.example"
    asked = {"Origin": origin, "Access-Control-Request-Method": "GET"}
    scores = {}
    for name, (path, status) in pages.items():
        answer = secured.request(path)
        assert answer.status == status, name
        redirected = secured.stack.request(path)
        if path.startswith(("/static/", "/media/")):
            # nginx has these at hand, and leaves the redirect to the proxy in front, which it has by then met.
            redirected = secured.stack.request("/")
        scores[name] = observatory.score(answer, redirected, secured.request(path, "OPTIONS", asked), "127.0.0.1", origin)
    large = request(secured.stack.url, "/", "POST", headers={"Content-Length": str(101 << 20), "X-Forwarded-Proto": "https"})
    assert large.status == 413
    scores["413"] = observatory.score(large, secured.stack.request("/"), large, "127.0.0.1", origin)
    print("\nscores:", {name: points for name, (points, _) in scores.items()})
    for name, (points, results) in scores.items():
        assert points >= 100, f"{name}: {results}"
        assert all(observatory.MODIFIERS[result] >= 0 for result in results), f"{name}: {results}"


def test_http_is_redirected_and_https_is_remembered(secured: Secured) -> None:
    redirect = secured.stack.request("/accounts/login/?next=/admin/")
    assert redirect.status == 301
    assert redirect.header("location") == secured.stack.url.replace("http", "https") + "/accounts/login/?next=/admin/"
    assert redirect.header("strict-transport-security") == ""
    for path in ("/", "/nowhere/", "/static/nothing.css", "/media/files/picture.png"):
        assert secured.request(path).header("strict-transport-security") == f"max-age={YEAR}"


def test_a_person_signs_in_over_tls(secured: Secured, page: Page, complaints: list[str]) -> None:
    watched = Watched(page)
    answer = sign_in(page, f"{secured.url}/accounts/login/")
    assert answer.status == 302
    assert page.url == f"{secured.url}/"
    page.get_by_text(f"Welcome, {EMAIL}.").wait_for()
    watched.state()
    assert set(watched.urls) == {secured.url.replace("https", "wss") + "/ws/components/"}
    cookies = {cookie.get("name"): cookie for cookie in page.context.cookies()}
    assert cookies.keys() == {"sessionid", "csrftoken"}
    for cookie in cookies.values():
        assert (cookie.get("secure"), cookie.get("httpOnly"), cookie.get("sameSite")) == (True, True, "Lax")
    assert complaints == []


SPOOFED = {
    "Forwarded": "for=203.0.113.9;host=evil.example;proto=https",
    "X-Forwarded-For": "203.0.113.9",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "https",
    "X-Real-IP": "203.0.113.9",
    "X-Request-ID": "evil-evil-evil-evil",
    "X-Forwarded-Port": "443",
    "X-Forwarded-Prefix": "/evil",
    "X-Forwarded-Protocol": "ssl",
    "X-Forwarded-Scheme": "https",
    "X-Forwarded-Ssl": "on",
    "Script-Name": "/evil",
    "Path-Info": "/evil",
    "SCRIPT_NAME": "/evil",
    "X_FORWARDED_PROTO": "https",
}


def test_what_a_visitor_claims_changes_nothing(plain: Stack) -> None:
    honest, spoofed = (json.loads(plain.request("/seen/", headers=headers).body) for headers in ({}, SPOOFED))
    assert honest["url"] == f"{plain.url}/seen/"
    assert honest["secure"] is False
    identifiers = [seen["meta"].pop("HTTP_X_REQUEST_ID") for seen in (honest, spoofed)]
    assert "evil-evil-evil-evil" not in identifiers
    for seen in (honest, spoofed):
        seen["meta"].pop("REMOTE_PORT")
    assert spoofed == honest
    # Nor the address by which the sign-in form is limited and requests are logged.
    line = next(json.loads(line) for line in logged(plain, "proxy") if identifiers[1] in line)
    assert (line["remote_addr"], line["scheme"], line["host"]) == (honest["meta"]["HTTP_X_REAL_IP"], "http", "127.0.0.1")


def test_a_trusted_proxy_is_believed(secured: Secured) -> None:
    claimed = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https", "X-Request-ID": "0123456789abcdef-given"}
    seen = json.loads(secured.stack.request("/seen/", headers=claimed).body)
    assert seen["secure"] is True
    assert seen["meta"]["HTTP_X_REAL_IP"] == seen["meta"]["HTTP_X_FORWARDED_FOR"] == "203.0.113.9"
    assert seen["meta"]["HTTP_X_REQUEST_ID"] == claimed["X-Request-ID"]


def test_headers_of_security_are_on_every_response_once(secured: Secured) -> None:
    style = stylesheet(secured.request("/"))
    media = secured.request("/media/files/picture.png")
    since = {"If-Modified-Since": media.header("last-modified")}
    seen = []
    for method, path, status, headers in (
        ("GET", "/", 200, {}),
        ("HEAD", "/", 200, {}),
        ("OPTIONS", "/", 405, {}),
        ("POST", "/", 403, {}),
        ("GET", "/admin/", 302, {}),
        ("GET", "/favicon.ico", 302, {}),
        ("GET", "/nowhere/", 404, {}),
        ("GET", "/health/ready", 404, {}),
        ("GET", "/health/live", 200, {}),
        ("GET", style, 200, {}),
        ("HEAD", style, 200, {}),
        ("POST", style, 405, {}),
        ("GET", "/static/nothing.css", 404, {}),
        ("GET", "/static/../x", 404, {}),
        ("GET", "/media/files/picture.png", 200, {}),
        ("GET", "/media/files/picture.png", 304, since),
        ("GET", "/media/files/picture.png", 416, {"Range": "bytes=999-"}),
        ("GET", "/media/files/", 404, {}),
        ("GET", f"/{'a' * 9000}", 414, {}),
        ("GET", "/", 400, {"X-Large": "a" * 40_000}),
    ):
        answer = secured.request(path, method, headers)
        assert answer.status == status, f"{method} {path[:40]}: {answer.status}"
        # A request that nginx could not read says nothing of TLS either.
        check_headers(answer, f"{method} {path[:40]}", secure=status not in {400, 414})
        seen.append(status)
    print(f"\n{len(seen)} responses: {seen}")
    redirect = secured.stack.request("/")
    assert redirect.status == 301
    check_headers(redirect, "redirect")


def test_a_host_that_is_not_ours_is_refused_without_noise(plain: Stack) -> None:
    before = len(plain.compose("logs", "--no-log-prefix", "app").splitlines())
    for host in ("evil.example", "evil.example:80@127.0.0.1", "127.0.0.1.evil.example"):
        answer = plain.request("/accounts/login/", headers={"Host": host})
        assert answer.status == 400, host
        check_headers(answer, host)
        assert "Traceback" not in answer.text
        assert "evil" not in answer.text
    lines = plain.compose("logs", "--no-log-prefix", "app").splitlines()[before:]
    assert lines
    assert not [line for line in lines if "Traceback" in line]
    # Nobody is written to: Django would send a mail to ADMINS for each of them.
    sends = "import logging; print([type(h).__name__ for n in ('django', 'django.security', '') for h in logging.getLogger(n).handlers])"
    assert "AdminEmailHandler" not in plain.manage("shell", "--command", sends)
    assert b" 400 " in raw(plain, b"GET / HTTP/1.1\r\n\r\n").splitlines()[0]


# A3: files that people send.


def test_an_image_that_is_uploaded_in_the_admin_is_served(secured: Secured, page: Page, complaints: list[str]) -> None:
    sign_in(page, f"{secured.url}/admin/login/?next=/admin/files/file/add/")
    page.locator("[name=file]").set_input_files({"name": "dot.png", "mimeType": "image/png", "buffer": PICTURE})
    page.locator("[name=_save]").click()
    page.wait_for_url("**/admin/files/file/")
    page.locator("#result_list tbody a").first.click()
    path = page.locator(".file-upload a").get_attribute("href")
    assert path == "/media/files/dot.png"
    answer = secured.request(path)
    assert (answer.status, answer.body) == (200, PICTURE)
    assert answer.header("content-type") == "image/png"
    assert answer.header("x-content-type-options") == "nosniff"
    assert answer.header("content-disposition") == ""
    page.goto(secured.url + path)
    shown = page.locator("img").bounding_box()
    assert shown is not None
    assert shown["width"] == 1
    # Chromium's own page around a picture has a style, which the policy of a file refuses.
    assert [text for text in complaints if "Applying inline style" not in text] == []


SCRIPT = "try { localStorage.ran = 'yes' } catch {} fetch('/ran/'); new Image().src = '/ran/'"
PAGE = f"<!doctype html><html><body>{'x' * 600}<script>{SCRIPT}</script></body></html>"
XML = '<?xml version="1.0"?>'
DRAWING = f'{XML}<svg xmlns="http://www.w3.org/2000/svg"><script>{SCRIPT}</script></svg>'
STRICT_PAGE = f'{XML}<html xmlns="http://www.w3.org/1999/xhtml"><body><script>{SCRIPT}</script></body></html>'


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("page.html", PAGE),
        ("page.htm", PAGE),
        ("page.xhtml", STRICT_PAGE),
        ("page.xml", STRICT_PAGE),
        ("page.svg", DRAWING),
        ("page.png", PAGE),
        ("page.txt", PAGE),
        ("page.unknown", PAGE),
        ("page", PAGE),
    ],
    ids=lambda value: value if len(value) < 20 else "",
)
def test_a_file_that_holds_a_script_does_not_run_it(name: str, text: str, secured: Secured, page: Page) -> None:
    text = text.replace("/ran/", f"/ran/{name}/")
    save(secured.stack, f"scripts/{name}", text.encode())
    path = f"/media/scripts/{name}"
    assert secured.request(path).body == text.encode()
    page.goto(f"{secured.url}/nowhere/")
    downloads: list[str] = []
    page.on("download", lambda download: downloads.append(download.suggested_filename))
    # As a visitor opens it, and as another page of the site would embed it.
    with contextlib.suppress(Exception):
        page.goto(secured.url + path)
    page.wait_for_timeout(300)
    shown = secured.request(path).header("content-disposition") == ""
    assert shown or downloads == [name]
    page.goto(f"{secured.url}/nowhere/")
    assert page.evaluate("localStorage.ran") is None
    assert not [line for line in logged(secured.stack, "proxy") if f"/ran/{name}/" in line]
    print(f"\n{name}: {'shown' if shown else 'downloaded'}")


def test_an_upload_that_is_too_large_is_refused_before_it_is_sent(secured: Secured) -> None:
    size = 101 << 20
    head = f"POST /accounts/login/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {size}\r\n\r\n".encode()
    answer = raw(secured.stack, head + b"a" * 1000)
    assert answer.splitlines()[0] == b"HTTP/1.1 413 Request Entity Too Large"
    assert b"too large" in answer.lower()
    print(f"\n413 after 1000 of {size} bytes")
    below = f"POST /nowhere/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {99 << 20}\r\n\r\n".encode()
    assert raw(secured.stack, below + b"a" * 1000) == b""


@pytest.mark.parametrize(
    "path",
    [
        "/media/../compose.yml",
        "/media/..%2fcompose.yml",
        "/media/..%2Fstatic/pages/site.css",
        "/media/%2e%2e/static/pages/site.css",
        "/media/%2e%2e%2fetc/passwd",
        "/media/..%5cetc/passwd",
        "/media../etc/passwd",
        "/media/files/../../../etc/passwd",
        "/media/files/..%252f..%252fetc/passwd",
        "/media//etc/passwd",
        "/media/%00",
        "/static/../static/pages/site.css",
        "/static..%2fnginx.conf",
        "/static/..;/etc/passwd",
        "/../../etc/passwd",
    ],
)
def test_no_path_leads_out_of_the_media(path: str, secured: Secured) -> None:
    answer = raw(
        secured.stack,
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Forwarded-Proto: https\r\nConnection: close\r\n\r\n".encode(),
    )
    status = answer.split(b" ", 2)[1]
    assert status == (b"400" if "%00" in path else b"404")
    assert b"root:" not in answer


# A4: below a path.


def links(answer: Answer) -> set[str]:
    """Return the paths to which a page leads, or which it loads."""
    found = re.findall(r'(?:href|src|action|hx-get|data-live)="([^"#]+)"', answer.text)
    return {urlsplit(urljoin("http://here/shop/", link)).path for link in found if not link.startswith(("data:", "mailto:"))}


def test_every_link_stays_below_the_path_of_the_site(prefixed: Stack, page: Page, complaints: list[str]) -> None:
    answer = sign_in(page, f"{prefixed.url}/shop/accounts/login/?next=/shop/admin/")
    assert answer.status == 302
    assert page.url == f"{prefixed.url}/shop/admin/"
    cookies = {str(cookie.get("name")): str(cookie.get("value")) for cookie in page.context.cookies()}
    assert {cookie.get("path") for cookie in page.context.cookies()} == {"/shop/"}
    session = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
    followed: set[str] = set()
    for path, headers in (
        ("/shop/", {}),
        ("/shop/accounts/login/", {}),
        ("/shop/nowhere/", {}),
        ("/shop/admin/", session),
        ("/shop/admin/users/user/", session),
        ("/shop/admin/files/file/add/", session),
    ):
        followed |= links(prefixed.request(path, headers=headers))
    assert len(followed) > 15
    # The admin leads to /shop, and the proxy on to /shop/.
    assert {path for path in followed if not path.startswith("/shop/")} <= {"/shop"}
    # Leaving, and running a task, is by POST only, and htmx asks for parts of a page.
    allowed = {"/shop/accounts/logout/": 405, "/shop/admin/logout/": 405, "/shop/task/": 405}
    for path in sorted(followed):
        status = prefixed.request(path, headers=session).status
        assert status in {200, 302, 308} or status == allowed.get(path), f"{path}: {status}"
    print(f"\n{len(followed)} links, all below /shop/")
    page.goto(f"{prefixed.url}/shop/")
    page.get_by_role("button", name="Log out").click()
    page.wait_for_url(f"{prefixed.url}/shop/")
    assert complaints == []


def test_outside_of_its_path_the_site_is_not_there(prefixed: Stack) -> None:
    for path in ("/", "/accounts/login/", "/static/pages/site.css", "/media/files/picture.png", "/shopping/", "/health/live"):
        assert prefixed.request(path).status == 404, path
    redirect = prefixed.request("/shop?a=b")
    assert redirect.status in {301, 308}
    assert redirect.header("location") == "/shop/?a=b"
    assert prefixed.request("/shop/media/files/picture.png").body == PICTURE
    assert prefixed.request("/shop/health/ready").status == 404
    assert prefixed.request("/shop/media/..%2f..%2fetc/passwd").status == 404
    assert re.search(r"^proxy +ok ", prefixed.manage("doctor", "--skip", "mail"), re.MULTILINE)


# A5: limits, logs and connections.


def test_tries_to_sign_in_are_limited_by_address(secured: Secured) -> None:
    def tries(address: str, number: int, path: str = "/accounts/login/") -> list[int]:
        headers = {"X-Forwarded-For": address, "X-Forwarded-Proto": "https"}
        return [secured.stack.request(path, "POST", b"", headers).status for _ in range(number)]

    assert tries("203.0.113.1", 12) == [403] * 10 + [429] * 2
    assert tries("203.0.113.1", 1, "/admin/login/") == [429], "the two forms have one limit"
    assert tries("203.0.113.2", 1) == [403], "another visitor"
    answer = secured.stack.request(
        "/accounts/login/", "POST", b"", {"X-Forwarded-For": "203.0.113.1", "X-Forwarded-Proto": "https"}
    )
    check_headers(answer, "429", secure=True)
    read = {"X-Forwarded-For": "203.0.113.1", "X-Forwarded-Proto": "https"}
    assert {secured.stack.request("/accounts/login/", headers=read).status for _ in range(20)} == {200}
    assert secured.stack.request("/seen/", "POST", b"", read).status == 403


def test_a_visitor_cannot_pass_the_limit_by_another_address(plain: Stack) -> None:
    statuses = [
        plain.request("/accounts/login/", "POST", b"", {"X-Forwarded-For": f"203.0.113.{number}"}).status
        for number in range(12)
    ]
    assert statuses == [403] * 10 + [429] * 2


def test_every_line_of_the_access_log_is_json_and_has_the_id_of_the_site(secured: Secured) -> None:
    odd = {"User-Agent": 'a "quoted" \\ agent', "Referer": "http://x/\t<script>", "X-Forwarded-Proto": "https"}
    identifier = secured.stack.request('/nowhere/?q=%22%0a"', headers=odd).header("x-request-id")
    for garbage in (
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\xff\xfe\r\n\r\n",
        b"GET /\r\n",
        b"\r\n",
        b"GET /\xff\xfe HTTP/1.0\r\n\r\n",
    ):
        raw(secured.stack, garbage)
    lines = [json.loads(line) for line in logged(secured.stack, "proxy")]
    line = next(line for line in lines if line["request_id"] == identifier)
    assert (line["status"], line["method"], line["scheme"]) == (404, "GET", "https")
    assert line["user_agent"] == odd["User-Agent"]
    site = [
        json.loads(line) for line in secured.stack.compose("logs", "--no-log-prefix", "app").splitlines() if identifier in line
    ]
    assert {entry["request_id"] for entry in site} == {identifier}
    assert any("/nowhere/" in entry["message"] for entry in site)
    # Probes are not logged by the site, nor what its server refuses.
    passed = {
        line["request_id"]
        for line in lines
        if line["upstream_seconds"] and not line["path"].startswith("/health/") and line["status"] != 400
    }
    said = secured.stack.compose("logs", "--no-log-prefix", "app", "ws")
    assert {one for one in passed if one not in said} == set(), "requests that the site did not log"
    print(f"\n{len(lines)} lines, {len(passed)} ids that the site logged too")


def connections(site: Stack) -> set[str]:
    """Return the connections between the proxy and the site, those that were closed a moment ago too."""
    found = set()
    for line in site.execute("app", "cat", "/proc/net/tcp").splitlines()[1:]:
        _, local, remote, *_ = line.split()
        if local.endswith(":1F40") and not remote.startswith(("0100007F", "00000000")):
            found.add(remote)
    for line in site.execute("proxy", "cat", "/proc/net/tcp").splitlines()[1:]:
        _, local, remote, *_ = line.split()
        if remote.endswith(":1F40"):
            found.add(local)
    return found


def test_connections_to_the_site_are_used_again(secured: Secured) -> None:
    before = connections(secured.stack)
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.5"}
    assert {secured.stack.request("/robots.txt", headers=headers).status for _ in range(200)} == {200}
    opened = connections(secured.stack) - before
    print(f"\n200 requests opened {len(opened)} connections")
    assert len(opened) < 10


def test_pages_and_files_are_compressed(secured: Secured) -> None:
    home = secured.request("/")
    for path, sizes in (("/", home.body), (stylesheet(home), None)):
        answer = secured.request(path, headers={"Accept-Encoding": "gzip"})
        assert answer.header("content-encoding") == "gzip", path
        assert ("vary", "Accept-Encoding") in answer.headers
        whole = gzip.decompress(answer.body)
        assert sizes is None or len(whole) == pytest.approx(len(sizes), abs=400)
        print(f"\n{path}: {len(whole)} bytes in {len(answer.body)}")
        assert len(answer.body) < len(whole) / 2


def test_what_fails_is_not_public(secured: Secured) -> None:
    for path in ("/health/ready", "/health//ready", "/health/%72eady", "//health/ready", "/health/./ready"):
        assert secured.request(path).status == 404, path
    assert secured.request("/health/live").status == 200
    assert '"ready": true' in secured.stack.execute(
        "app",
        "python",
        "-c",
        "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8000/health/ready').read().decode())",
    )


def test_the_largest_request_is_one_variable(plain: Stack) -> None:
    chunked = (
        b"POST /seen/ HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n800\r\n" + b"a" * 2048 + b"\r\n0\r\n\r\n"
    )
    assert plain.request("/seen/", "POST", b"a" * 1000).status == 403
    assert plain.request("/seen/", "POST", b"a" * 1025).status == 413
    assert b" 413 " in raw(plain, chunked).splitlines()[0]


# A6: the pages of the proxy itself.


def test_the_policy_of_the_proxy_allows_the_style_of_its_own_pages(default_images: Site) -> None:
    proxy = default_images.folder / "docker/proxy"
    allowed = set(re.findall(r"'(sha256-[^']+)'", (proxy / "site.conf.in").read_text()))
    pages = list((proxy / "errors").glob("*.html"))
    styles = {re.findall(r"<style>(.*?)</style>", page.read_text(), re.DOTALL)[0] for page in pages}
    hashes = {f"sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}" for style in styles}
    assert len(pages) == 4
    assert hashes == allowed


def post(page: Page, url: str, size: int) -> int:
    """Send a form, and return the status of the page that is open then."""
    page.goto(urljoin(url, "/robots.txt"))
    with page.expect_navigation() as answered:
        page.evaluate(
            """([url, size]) => {
                const form = Object.assign(document.createElement('form'), {method: 'post', action: url});
                form.append(Object.assign(document.createElement('textarea'), {name: 'a', value: 'a'.repeat(size)}));
                document.body.append(form);
                form.submit();
            }""",
            [url, size],
        )
    return answered.value.status if answered.value else 0


@pytest.fixture(scope="module")
def without_site(plain: Stack) -> Iterator[Stack]:
    """The proxy alone."""
    plain.compose("stop", "app")
    yield plain
    plain.compose("start", "app")
    plain.wait()


@pytest.mark.parametrize("name", ["404", "413", "429", "503"])
def test_a_page_of_the_proxy_is_whole(
    name: str, plain: Stack, page: Page, unbound: Page, axe: Path, complaints: list[str], request: pytest.FixtureRequest
) -> None:
    def visit(page: Page) -> int:
        """Let the proxy show its page. Returns the status."""
        if name in {"413", "429"}:
            return post(page, f"{plain.url}/accounts/login/", 2000 if name == "413" else 1)
        answer = page.goto(f"{plain.url}/static/nothing.css" if name == "404" else plain.url)
        return answer.status if answer else 0

    if name == "503":
        request.getfixturevalue("without_site")
        for method in ("GET", "HEAD", "POST"):
            answer = plain.request("/", method)
            assert answer.status in {502, 503, 504}
            check_headers(answer, f"{method} without the site")
    for one in (page, unbound):
        eventually(lambda one=one: visit(one) in ({502, 503, 504} if name == "503" else {int(name)}), f"there is no {name}")  # type: ignore[misc]
    SCREENSHOTS.mkdir(exist_ok=True)
    for width, pixels in WIDTHS.items():
        for scheme in ("light", "dark"):
            for one in (page, unbound):
                one.set_viewport_size({"width": pixels, "height": 800})
                one.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            page.screenshot(path=SCREENSHOTS / f"proxy-{name}-{width}-{scheme}.png", full_page=True)
            body = page.locator("body").bounding_box()
            assert body is not None
            assert body["width"] < 720, "its style was refused"
            assert unbound.evaluate("document.documentElement.scrollWidth <= innerWidth")
            assert violations(unbound, axe) == []
    assert complaints == []
