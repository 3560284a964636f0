"""`copier update` of a project that its owner has edited: every edit and every change is there afterwards."""

import re
from pathlib import Path

from projects import ISOLATED, commit, snapshot
from questionnaire import ROOT
from tools import change, run


def test_the_oldest_copier_that_is_allowed_copies_and_updates(tmp_path: Path) -> None:
    oldest = re.search(r'^_min_copier_version: "(.+)"$', (ROOT / "copier.yml").read_text(), re.MULTILINE)
    assert oldest is not None
    run("python3", "-m", "venv", "old", cwd=tmp_path)
    run("old/bin/pip", "install", "--quiet", f"copier=={oldest[1]}", cwd=tmp_path)
    template = snapshot(tmp_path / "template")
    project = tmp_path / "project"
    run("old/bin/copier", "copy", "--defaults", template, project, cwd=tmp_path, env=ISOLATED)
    commit(project, "Start")
    change(template / "template/.editorconfig", "indent_size = 2", "indent_size = 3")
    commit(template, "Release", tag="1.1.0")
    run(tmp_path / "old/bin/copier", "update", "--defaults", project, cwd=project, env=ISOLATED)
    assert "indent_size = 3" in (project / ".editorconfig").read_text()
