"""Locked at birth: the lock of every answer set is one that pdm itself would write, and installs."""

import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from questionnaire import SETS
from tools import run

Render = Callable[[str], Path]


@pytest.fixture(scope="module")
def distinct(render: Render) -> dict[str, str]:
    """The answer sets whose locks differ, by the text of the lock: the first of each."""
    found: dict[str, str] = {}
    for name in SETS:
        found.setdefault((render(name) / "pdm.lock").read_text(), name)
    return found


def test_pdm_accepts_the_lock_of_every_answer_set(distinct: dict[str, str], render: Render) -> None:
    for name in distinct.values():
        run("pdm", "lock", "--check", cwd=render(name))


def test_every_lock_installs_for_production(distinct: dict[str, str], render: Render, tmp_path: Path) -> None:
    # One environment, in which only what differs from the lock before is installed or removed: those that are alike follow
    # each other.
    environment = tmp_path / "environment"
    run(sys.executable, "-m", "venv", "--without-pip", environment, cwd=tmp_path)
    alike = sorted(distinct, key=lambda lock: re.findall("^name = .*", lock, re.MULTILINE))
    for number, name in enumerate(distinct[lock] for lock in alike):
        project = tmp_path / str(number)
        shutil.copytree(render(name), project)
        (project / ".venv").symlink_to(environment)
        run("pdm", "sync", "--prod", "--no-editable", "--clean-unselected", cwd=project)
        # No module of development is there, and what is there fits together.
        run(environment / "bin/python", "-c", "import pytest", cwd=project, code=1)
        run(sys.executable, "-m", "pip", "--python", environment, "check", cwd=project)
        run("pdm", "run", "manage", "check", cwd=project)


def test_pdm_would_keep_the_lock_as_it_is(distinct: dict[str, str], render: Render, tmp_path: Path) -> None:
    for number, name in enumerate(distinct.values()):
        project = tmp_path / str(number)
        shutil.copytree(render(name), project)
        run("pdm", "lock", "--update-reuse", cwd=project)
        assert (project / "pdm.lock").read_text() == (render(name) / "pdm.lock").read_text()
