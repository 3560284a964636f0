"""The site under a path of a host that it shares."""

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

Start = Callable[..., CompletedProcess[str]]

PROGRAM = """
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
prefix = settings.URL_PREFIX


def get(path):
    # The proxy takes the prefix away; a server for ASGI tells both, the prefix and the whole path.
    return Client().get(path), async_to_sync(AsyncClient().get)(prefix + path)


forms = get("/accounts/login/")
urls = [
    static("pages/site.css"),
    default_storage.url("a.png"),
    reverse("admin:index"),
    reverse(settings.LOGIN_URL),
    settings.LOGIN_REDIRECT_URL,
    settings.LOGOUT_REDIRECT_URL,
]
found = {
    "urls": urls,
    "pages": [form.content.decode() for form in forms],
    "cookies": [form.cookies["csrftoken"]["path"] for form in forms],
    "admin": [answer["Location"] for answer in get("/admin/")],
    "robots": Client().get("/robots.txt").content.decode(),
    "health": [answer.status_code for answer in get("/health/ready")],
    "media": str(urlpatterns[-1].pattern),
}
json.dump(found, sys.stdout)
"""


@pytest.mark.parametrize("prefix", ["", "/shop", "/a/b"])
def test_every_url_begins_with_the_prefix(start: Start, tmp_path: Path, prefix: str) -> None:
    database = f"sqlite:///{tmp_path}/db.sqlite3"
    program = start("-c", PROGRAM, URL_PREFIX=prefix, DEBUG="true", DATABASE_URL=database)
    assert program.returncode == 0, program.stderr
    found = json.loads(program.stdout)

    assert found["urls"] == [
        f"{prefix}/static/pages/site.css",
        f"{prefix}/media/a.png",
        f"{prefix}/admin/",
        f"{prefix}/accounts/login/",
        f"{prefix}/",
        f"{prefix}/",
    ]
    for page in found["pages"]:
        assert f'href="{prefix}/"' in page
        assert f'"{prefix}/static/pages/site.css"' in page
    assert found["cookies"] == [f"{prefix}/"] * 2
    assert found["admin"] == [f"{prefix}/admin/login/?next={prefix}/admin/"] * 2
    assert f"Disallow: {prefix}/admin/" in found["robots"]
    assert found["health"] == [200] * 2
    # The proxy has taken the prefix away before.
    assert found["media"] == "^media/(?P<path>.*)$"
