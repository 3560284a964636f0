"""A generated project, installed and used as its owner would."""

import shutil
from collections.abc import Callable
from pathlib import Path

from projects import LAPTOP
from tools import run

Project = Callable[..., Path]


def test_the_start_page_can_be_deleted(project: Project) -> None:
    folder = project()
    slug = "my_site"
    shutil.rmtree(folder / "src" / slug / "welcome")
    shutil.rmtree(folder / "tests" / "welcome")
    for path in (folder / "src/config/settings/apps.py", folder / "src/config/urls.py"):
        lines = path.read_text().splitlines(keepends=True)
        kept = [line for line in lines if f"{slug}.welcome" not in line]
        assert len(kept) == len(lines) - 1
        path.write_text("".join(kept))
    run("pdm", "run", "lint", cwd=folder, env=LAPTOP)
    run("pdm", "run", "test", cwd=folder)
