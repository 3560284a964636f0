"""The favicon, robots.txt, the error pages, the Content-Security-Policy and the static files."""

import errno
import re
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.core.management import call_command
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.templatetags.static import static
from django.test import Client
from django.urls import include, path, reverse
from django.utils.html import escape
from pytest_django import Settings
from pytest_django.asserts import assertContains

from config import urls
from config.settings.static import STORAGES

ERRORS: dict[str, Exception] = {
    "400": SuspiciousOperation(),
    "403": PermissionDenied(),
    "500": RuntimeError(),
    "file": FileNotFoundError(errno.ENOENT, "no such file"),
    "database": OperationalError("the connection is lost"),
    "disk": OSError(errno.ENOSPC, "no space left on device"),
}

# Inline code and styles without a nonce, which the Content-Security-Policy blocks.
INLINE = re.compile(
    r"<script(?![^>]*\b(src|nonce)=)|<style(?![^>]*\bnonce=)|\sstyle=|\son[a-z]+=\"|javascript:",
    re.IGNORECASE,
)


def fail(request: HttpRequest, error: str) -> HttpResponse:
    raise ERRORS[error]


# The URLs of the project and one that fails, for tests with pytest.mark.urls(__name__).
urlpatterns = [path("", include("config.urls")), path("fail/<error>/", fail)]
handler500 = urls.handler500


def test_robots_txt_disallows_the_admin(client: Client) -> None:
    response = client.get("/robots.txt")

    assert response["Content-Type"].startswith("text/plain")
    assertContains(response, f"Disallow: {reverse('admin:index')}")


def test_favicon_redirects_to_the_static_file(client: Client, settings: Settings) -> None:
    response = client.get("/favicon.ico")

    assert response.status_code == 302
    assert finders.find(response["Location"].removeprefix(settings.STATIC_URL))


@pytest.mark.urls(__name__)
@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("/fail/400/", 400),
        ("/fail/403/", 403),
        ("/nowhere/", 404),
        ("/fail/500/", 500),
        ("/fail/file/", 500),
        ("/fail/database/", 503),
        ("/fail/disk/", 503),
    ],
)
def test_error_pages_have_the_layout_of_the_site(settings: Settings, url: str, status: int) -> None:
    response = Client(raise_request_exception=False).get(url)

    assertContains(response, "<h1", status_code=status)
    assertContains(response, escape(settings.SITE_NAME), status_code=status)


@pytest.mark.urls(__name__)
@pytest.mark.parametrize("error", ["database", "disk"])
def test_temporary_error_has_retry_after_and_is_logged(
    error: str, caplog: pytest.LogCaptureFixture
) -> None:
    response = Client(raise_request_exception=False).get(f"/fail/{error}/")

    assert int(response["Retry-After"]) > 0
    assert str(ERRORS[error]) in caplog.text


@pytest.mark.urls(__name__)
def test_error_pages_work_without_collected_static_files(
    settings: Settings, tmp_path: Path
) -> None:
    settings.STORAGES = STORAGES
    settings.STATIC_ROOT = tmp_path
    client = Client(raise_request_exception=False)

    assertContains(client.get("/nowhere/"), "/static/pages/site.css", status_code=404)
    assertContains(client.get("/fail/500/"), "/static/pages/site.css", status_code=500)


def test_host_that_is_not_allowed_is_rejected(client: Client, settings: Settings) -> None:
    response = client.get("/", headers={"Host": "elsewhere.example"})

    assertContains(response, escape(settings.SITE_NAME), status_code=400)


def test_form_without_csrf_token_is_rejected(settings: Settings) -> None:
    response = Client(enforce_csrf_checks=True).post(reverse("login"))

    assertContains(response, escape(settings.SITE_NAME), status_code=403)


@pytest.mark.urls(__name__)
@pytest.mark.django_db
@pytest.mark.parametrize(
    "url", ["/accounts/login/", "/admin/login/", "/robots.txt", "/nowhere/", "/fail/500/"]
)
def test_responses_have_a_content_security_policy_and_comply_with_it(url: str) -> None:
    response = Client(raise_request_exception=False).get(url)

    policy = response["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert not INLINE.search(response.content.decode())


def test_static_files_have_names_with_a_hash(settings: Settings, tmp_path: Path) -> None:
    settings.STORAGES = STORAGES
    settings.STATIC_ROOT = tmp_path
    call_command("collectstatic", verbosity=0)

    url = static("pages/site.css")
    assert re.fullmatch(r"/static/pages/site\.[0-9a-f]{12}\.css", url)
    assert (tmp_path / url.removeprefix(settings.STATIC_URL)).is_file()
    # A link to a file that was not collected would raise an exception here.
    assertContains(Client().get(reverse("login")), url)
