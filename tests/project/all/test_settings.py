"""The settings in various environments, in processes of their own."""

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

Start = Callable[..., CompletedProcess[str]]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SECRET_KEY", None),
        ("SECRET_KEY", "django-insecure-" + "hunter2" * 8),
        ("DEBUG", "flase"),
        ("ALLOWED_HOSTS", None),
        ("ALLOWED_HOSTS", "https://example.com"),
        ("CSRF_TRUSTED_ORIGINS", "https://example.com/path"),
        ("DATABASE_URL", "postgres://ada:hunter2@home@db/name"),
        ("DATABASE_POOL_MAX_SIZE", "-1"),
        ("URL_PREFIX", "/shop/"),
        ("URL_PREFIX", "/a/../b"),
        ("EMAIL_URL", "smpt://ada:hunter2@mail"),
        ("LOG_LEVEL", "LOUD"),
        ("SECURE_HSTS_SECONDS", "-1"),
    ],
)
def test_missing_or_malformed_variable_stops_the_program_with_one_line(
    refusal: Callable[[str, str | None], str], variable: str, value: str | None
) -> None:
    assert refusal(variable, value)


def test_missing_driver_of_a_database_is_named(start: Start, folder: Path) -> None:
    (folder / "src" / "MySQLdb.py").write_text("raise ImportError\n")
    program = start("-c", "import config.settings", DATABASE_URL="mysql://ada:hunter2@db/name")
    (line,) = program.stderr.splitlines()
    assert "MySQLdb" in line
    assert "add it by `pdm add`" in line


def test_env_file_that_cannot_be_read_is_named(start: Start, folder: Path) -> None:
    (folder / ".env").mkdir()
    program = start("-c", "import config.settings")
    assert program.returncode == 1
    (line,) = program.stderr.splitlines()
    assert ".env cannot be read" in line


def test_empty_env_file_means_no_file(start: Start, folder: Path) -> None:
    (folder / ".env").write_text("DEBUG=flase")
    program = start("-c", "import config.settings", ENV_FILE="")
    assert program.returncode == 0, program.stderr


def test_manage_stops_with_the_same_line(start: Start) -> None:
    program = start("src/manage.py", "check", DEBUG="flase")
    assert program.returncode == 1
    assert program.stderr == start("-c", "import config.settings", DEBUG="flase").stderr


def test_check_deploy_finds_nothing(start: Start) -> None:
    program = start("src/manage.py", "check", "--deploy", "--fail-level", "WARNING")
    assert program.returncode == 0, program.stderr


def test_wsgi_application_is_found(start: Start) -> None:
    program = start("-c", "import config.wsgi", DJANGO_SETTINGS_MODULE=None)
    assert program.returncode == 0, program.stderr


# Upper-case names that the template or a package reads, and that Django does not know.
OURS = {"DEAD_LETTER_QUEUES", "SITE_NAME", "SITE_DESCRIPTION", "PROXY_URL", "CONTENT_SECURITY_POLICY"}
PACKAGES = ("ASGI_APPLICATION", "CELERY_", "CHANNEL_LAYERS", "DAPHNE_", "DJANGO_REDIS_", "EMAIL_FILE_PATH", "WEBSOCKET_")


def test_diffsettings_shows_only_settings(start: Start) -> None:
    program = start("src/manage.py", "diffsettings")
    assert program.returncode == 0, program.stderr
    unknown = {line.split(" = ")[0] for line in program.stdout.splitlines() if line.endswith("  ###")}
    assert {name for name in unknown - OURS if not name.startswith(PACKAGES)} <= {"ROOT_URLCONF", "SETTINGS_MODULE"}


def test_settings_of_the_owner_win(start: Start, folder: Path) -> None:
    with (folder / "src/config/settings/site.py").open("a") as file:
        file.write('\nfrom .apps import MIDDLEWARE\n\nX_FRAME_OPTIONS = "SAMEORIGIN"\n')
        file.write('INSTALLED_APPS = ["django.contrib.sites", *INSTALLED_APPS]\n')
        file.write('MIDDLEWARE = [*MIDDLEWARE, "django.middleware.gzip.GZipMiddleware"]\n')
    program = start("-c", "from config.settings import *; print(X_FRAME_OPTIONS, INSTALLED_APPS, MIDDLEWARE)")
    assert "SAMEORIGIN" in program.stdout, program.stderr
    assert "django.contrib.sites" in program.stdout
    assert "GZipMiddleware" in program.stdout


@pytest.mark.parametrize(
    ("variable", "value", "setting", "result"),
    [
        ("BEHIND_PROXY", "on", "SECURE_PROXY_SSL_HEADER", "('HTTP_X_FORWARDED_PROTO', 'https')"),
        ("ALLOWED_HOSTS", "a.example, .b.example,[::1]", "ALLOWED_HOSTS", "['a.example', '.b.example', '[::1]']"),
        ("DATABASE_URL", "sqlite:////a%40b?timeout=9", "DATABASES['default']['NAME']", "/a@b"),
        ("EMAIL_URL", "file:////var/mail", "EMAIL_FILE_PATH", "/var/mail"),
        ("EMAIL_URL", "submission://ada:a%40b@mail.example", "EMAIL_HOST_PASSWORD", "a@b"),
        ("URL_PREFIX", "/a/shop-2.0", "SESSION_COOKIE_PATH", "/a/shop-2.0/"),
    ],
)
def test_setting_has_the_value_of_its_variable(
    start: Start, variable: str, value: str | None, setting: str, result: str
) -> None:
    program = start("-c", f"import config.settings as s; print(s.{setting})", **{variable: value})
    assert program.stdout.strip() == result, program.stderr


PREFIX = """
import json
import sys

import django
from asgiref.sync import async_to_sync

django.setup()

from django.conf import settings
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.templatetags.static import static
from django.test import AsyncClient, Client
from django.urls import reverse

from config.urls import urlpatterns

call_command("migrate", verbosity=0)
prefix = settings.FORCE_SCRIPT_NAME or ""


def get(path):
    # The proxy strips the prefix; an ASGI server passes both, the prefix and the whole path.
    return Client().get(path), async_to_sync(AsyncClient().get)(prefix + path)


forms = get("/accounts/login/")
found = {
    "urls": [
        static("pages/site.css"),
        default_storage.url("a.png"),
        reverse("admin:index"),
        reverse(settings.LOGIN_URL),
        settings.LOGIN_REDIRECT_URL,
        settings.LOGOUT_REDIRECT_URL,
    ],
    "pages": [form.content.decode() for form in forms],
    "cookies": [form.cookies["csrftoken"]["path"] for form in forms],
    "admin": [response["Location"] for response in get("/admin/")],
    "robots": Client().get("/robots.txt").content.decode(),
    "health": [response.status_code for response in get("/health/ready")],
    "media": [str(pattern.pattern) for pattern in urlpatterns if "media" in str(pattern.pattern)],
}
json.dump(found, sys.stdout)
"""


@pytest.mark.parametrize("prefix", ["", "/a/b"])
def test_every_url_has_the_prefix(start: Start, tmp_path: Path, prefix: str) -> None:
    database = f"sqlite:///{tmp_path}/db.sqlite3"
    program = start("-c", PREFIX, URL_PREFIX=prefix, DEBUG="true", DATABASE_URL=database)
    assert program.returncode == 0, program.stderr
    found = json.loads(program.stdout)
    paths = ("static/pages/site.css", "media/a.png", "admin/", "accounts/login/", "", "")
    assert found["urls"] == [f"{prefix}/{path}" for path in paths]
    for page in found["pages"]:
        assert f'href="{prefix}/"' in page
        assert f'"{prefix}/static/pages/site.css"' in page
    assert found["cookies"] == [f"{prefix}/"] * 2
    assert found["admin"] == [f"{prefix}/admin/login/?next={prefix}/admin/"] * 2
    assert f"Disallow: {prefix}/admin/" in found["robots"]
    assert found["health"] == [200] * 2
    assert found["media"] == ["^media/(?P<path>.*)$"]
