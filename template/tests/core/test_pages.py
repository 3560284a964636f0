"""What every site has: robots, an icon, pages for errors, and static files."""

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


def fail(_request: HttpRequest, error: str) -> HttpResponse:
    raise ERRORS[error]


# The URLs of the site, and one that fails: for the tests that are marked with this module.
urlpatterns = [path("", include("config.urls")), path("fail/<error>/", fail)]
handler500 = urls.handler500


def test_crawlers_are_kept_out_of_the_admin(client: Client) -> None:
    answer = client.get("/robots.txt")

    assert answer["Content-Type"].startswith("text/plain")
    assertContains(answer, f"Disallow: {reverse('admin:index')}")


def test_browsers_find_an_icon(client: Client, settings: Settings) -> None:
    answer = client.get("/favicon.ico")

    assert answer.status_code == 302
    assert finders.find(answer["Location"].removeprefix(settings.STATIC_URL))


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
def test_an_error_has_a_page_of_the_site(settings: Settings, url: str, status: int) -> None:
    answer = Client(raise_request_exception=False).get(url)

    assertContains(answer, "<h1", status_code=status)
    assertContains(answer, escape(settings.SITE_NAME), status_code=status)


@pytest.mark.urls(__name__)
@pytest.mark.parametrize("error", ["database", "disk"])
def test_what_passes_is_answered_with_when_to_come_back_and_logged(
    error: str, caplog: pytest.LogCaptureFixture
) -> None:
    answer = Client(raise_request_exception=False).get(f"/fail/{error}/")

    assert int(answer["Retry-After"]) > 0
    assert str(ERRORS[error]) in caplog.text


@pytest.mark.urls(__name__)
@pytest.mark.django_db
def test_without_static_files_errors_are_readable_and_the_site_is_not_ready(
    settings: Settings, tmp_path: Path
) -> None:
    settings.STORAGES = STORAGES
    settings.STATIC_ROOT = tmp_path
    client = Client(raise_request_exception=False)

    assertContains(client.get("/nowhere/"), "/static/pages/site.css", status_code=404)
    assertContains(client.get("/fail/500/"), "/static/pages/site.css", status_code=500)
    assert client.get("/health/ready").json()["failing"] == ["static"]


def test_a_host_that_is_not_the_sites_is_refused(client: Client, settings: Settings) -> None:
    answer = client.get("/", headers={"Host": "elsewhere.example"})

    assertContains(answer, escape(settings.SITE_NAME), status_code=400)


def test_a_form_without_its_token_is_refused(settings: Settings) -> None:
    answer = Client(enforce_csrf_checks=True).post(reverse("login"))

    assertContains(answer, escape(settings.SITE_NAME), status_code=403)


def test_static_files_are_served_by_names_with_a_hash(settings: Settings, tmp_path: Path) -> None:
    settings.STORAGES = STORAGES
    settings.STATIC_ROOT = tmp_path
    call_command("collectstatic", verbosity=0)

    url = static("pages/site.css")
    assert re.fullmatch(r"/static/pages/site\.[0-9a-f]{12}\.css", url)
    assert (tmp_path / url.removeprefix(settings.STATIC_URL)).is_file()
    # A page that links a file that was not collected would raise an exception here.
    assertContains(Client().get(reverse("login")), url)
