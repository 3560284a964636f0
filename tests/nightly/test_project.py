"""A generated project, installed and used as its owner would."""

import shutil
from collections.abc import Callable
from pathlib import Path

from projects import LAPTOP
from tools import change, run

Project = Callable[..., Path]


def test_an_app_replaces_the_start_page(project: Project) -> None:
    # The steps of docs/development.md.
    folder = project()
    source = folder / "src/my_site"
    shop = source / "shop"
    shop.mkdir()
    (shop / "__init__.py").touch()
    (shop / "urls.py").write_text(
        '"""The shop."""\n\nfrom django.urls import path\nfrom django.views.generic import RedirectView\n\n'
        'urlpatterns = [path("", RedirectView.as_view(url="/admin/"), name="home")]\n'
    )
    site, urls, routing = folder / "src/config/settings/site.py", source / "urls.py", source / "routing.py"
    change(site, '    "my_site.welcome",\n', '    "my_site.welcome",\n    "my_site.shop",\n')
    welcome = '    path("", include("my_site.welcome.urls")),\n'
    change(urls, welcome, welcome + welcome.replace("welcome", "shop"))
    shutil.rmtree(source / "welcome")
    shutil.rmtree(folder / "tests/welcome")
    for path in (site, urls, routing):
        lines = path.read_text().splitlines(keepends=True)
        path.write_text("".join(line for line in lines if "welcome" not in line))
    run("pdm", "run", "format", cwd=folder, env=LAPTOP)
    run("pdm", "run", "lint", cwd=folder, env=LAPTOP)
    run("pdm", "run", "test", cwd=folder)

    # The lists of URLs may be empty.
    change(urls, welcome.replace("welcome", "shop"), "")
    run("pdm", "run", "format", cwd=folder, env=LAPTOP)
    run("pdm", "run", "lint", cwd=folder, env=LAPTOP)
