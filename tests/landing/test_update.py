"""`copier update` of a project that its owner has edited: every edit and every change is there afterwards."""

import shutil
from pathlib import Path

import pytest
from projects import commit, copier, git, snapshot
from tools import change, run

# Edits of an owner outside of the places of their own: (file, old text, new text).
EDITS = [
    ("pyproject.toml", 'dependencies = [\n', 'dependencies = [\n    "markdown>=3.10",\n'),
    ("pyproject.toml", 'version = "0.1.0"', 'version = "0.2.0"'),
    ("src/config/settings/security.py", 'X_FRAME_OPTIONS = "DENY"', 'X_FRAME_OPTIONS = "SAMEORIGIN"'),
    ("src/my_site/users/models.py", "    objects = UserManager()", "    nickname = models.CharField(max_length=40)\n\n    objects = UserManager()"),
    ("src/my_site/welcome/urls.py", 'app_name = "welcome"', 'app_name = "start"'),
]  # fmt: skip

# Files that belong to the owner: by path, the pattern of its source in the template.
OWNED = {
    "README.md": "README.md.jinja",
    "compose.site.yml": "compose.site.yml",
    "docker/proxy/site.d/README.md": "docker/proxy/site.d/README.md",
    "src/config/settings/schedule.py": "src/config/settings/*schedule.py*",
    "src/config/settings/site.py": "src/config/settings/*site.py*",
    "src/my_site/routing.py": "src/{{project_slug}}/*routing.py*",
    "src/my_site/urls.py": "src/{{project_slug}}/urls.py*",
}

# Changes of a release of the template: (source, old text, new text).
CHANGES = [
    ("template/pyproject.toml.jinja", "line-length = 100", "line-length = 110"),
    ("template/src/config/settings/apps.py.jinja", '    "django.contrib.staticfiles",\n', '    "django.contrib.staticfiles",\n    "django.contrib.humanize",\n'),
    ("template/src/config/urls.py.jinja", '"""The URLs of the project.', '"""All URLs of the project.'),
    ("template/src/config/settings/security.py", '"SECURE_HSTS_SECONDS", 3600,', '"SECURE_HSTS_SECONDS", 7200,'),
    ("template/src/{{project_slug}}/users/models.py", '"""The user model:', '"""The model of users:'),
    ("template/src/{{project_slug}}/welcome/urls.py.jinja", 'app_name = "welcome"', 'app_name = "hello"'),
    ("template/.editorconfig", "indent_size = 2", "indent_size = 3"),
    ("template/.env.example.jinja", "# The environment of a development machine", "# The variables of a development machine"),
    ("template/.env.jinja", "# The environment of this machine", "# The variables of this machine"),
]  # fmt: skip

OURS = "# Ours, all of it.\n"


@pytest.mark.parametrize("tagged", [True, False], ids=["tagged", "without tags"])
def test_an_update_keeps_every_edit_and_brings_every_change(tagged: bool, tmp_path: Path) -> None:
    template = snapshot(tmp_path / "template")
    if not tagged:
        git("tag", "--delete", "1.0.0", cwd=template)
    project = tmp_path / "project"
    copier("copy", "--defaults", "--data", "license=BSD-3-Clause", template, project, cwd=tmp_path)
    commit(project, "Start")
    secrets = (project / ".env").read_text()

    for name, old, new in EDITS:
        change(project / name, old, new)
    shop = project / "src/my_site/shop"
    shop.mkdir()
    (shop / "__init__.py").touch()
    (shop / "urls.py").write_text("urlpatterns = []\n")
    (project / ".vscode/launch.json").unlink()
    shutil.rmtree(project / "tests/welcome")
    (project / ".env").write_text(secrets + "PAYMENT_TOKEN=ours\n")
    icon = "pages/static/pages/favicon.ico"
    (project / "src/my_site" / icon).write_bytes(b"ours")
    for lock in (project / "pdm.lock", project / "pnpm-lock.yaml"):
        lock.write_text(lock.read_text() + "# ours\n")
    commit(project, "Edit as an owner does")

    for name, old, new in CHANGES:
        change(template / name, old, new)
    (template / "template/docs/new.md").write_text("# New\n")
    ico = template / "template/src/{{project_slug}}" / icon
    ico.write_bytes(ico.read_bytes() + b"new")
    tests = template / "template/tests/welcome"
    (tests / "test_more.py").write_text('"""More."""\n')
    commit(template, "Release", tag="1.1.0" if tagged else None)

    printed = copier("update", "--defaults", project, cwd=project)
    assert "pdm lock --update-reuse" in printed
    assert "git status" in printed

    status = {line[3:]: line[:2] for line in git("status", "--porcelain", cwd=project).splitlines()}
    assert [name for name, code in status.items() if "U" in code] == [], "a conflict"
    assert not list(project.rglob("*.rej"))

    for name, _, new in EDITS:
        assert new in (project / name).read_text(), f"the edit of {name} is lost"
    assert not (project / ".vscode/launch.json").exists()
    assert (shop / "urls.py").exists()
    assert (project / ".env").read_text() == secrets + "PAYMENT_TOKEN=ours\n"
    assert (project / "src/my_site" / icon).read_bytes() == b"ours"
    assert (project / "pdm.lock").read_text().endswith("# ours\n")
    assert (project / "pnpm-lock.yaml").read_text().endswith("# ours\n")
    assert "license: BSD-3-Clause" in (project / ".copier-answers.yml").read_text()

    for name, _, new in CHANGES:
        target = project / name.removeprefix("template/").removesuffix(".jinja").replace("{{project_slug}}", "my_site")
        if target.name != ".env" and "welcome" not in target.parts:
            assert new in target.read_text(), f"the change of {name} is missing"
    assert (project / "docs/new.md").exists()
    # The start page is the owner's: it is neither changed nor recreated.
    assert 'app_name = "start"' in (project / "src/my_site/welcome/urls.py").read_text()
    assert not (project / "tests/welcome").exists()


def test_an_update_never_changes_files_of_the_owner(tmp_path: Path) -> None:
    template = snapshot(tmp_path / "template")
    project = tmp_path / "project"
    copier("copy", "--defaults", template, project, cwd=tmp_path)
    for name in OWNED:
        assert (project / name).exists(), name
        (project / name).write_text(OURS)
    (project / "docker/proxy/site.d/legacy.conf").write_text(OURS)
    commit(project, "Start")
    for pattern in OWNED.values():
        (source,) = (template / "template").glob(pattern)
        source.write_text(source.read_text() + "# A change of the template.\n")
    commit(template, "Release", tag="1.1.0")
    copier("update", "--defaults", project, cwd=project)
    assert git("diff", "--name-only", cwd=project).split() == [".copier-answers.yml"]


def test_an_updated_project_equals_a_fresh_one(tmp_path: Path) -> None:
    template = snapshot(tmp_path / "template")
    project, fresh = tmp_path / "project", tmp_path / "fresh"
    copier("copy", "--defaults", template, project, cwd=tmp_path)
    commit(project, "Start")
    for name, old, new in CHANGES:
        if "welcome" not in name:
            change(template / name, old, new)
    commit(template, "Release", tag="1.1.0")
    copier("update", "--defaults", "--data", "ci=gitlab", project, cwd=project)
    copier("copy", "--defaults", "--data", "ci=gitlab", template, fresh, cwd=tmp_path)
    (fresh / ".env").unlink()
    (project / ".env").unlink()
    assert run("diff", "--recursive", "--exclude", ".git", project, fresh, cwd=tmp_path) == ""


def test_a_pristine_project_is_updated_without_a_change(tmp_path: Path) -> None:
    template = snapshot(tmp_path / "template")
    project = tmp_path / "project"
    copier("copy", "--defaults", template, project, cwd=tmp_path)
    commit(project, "Start")
    (template / "README.md").write_text("# Changed for maintainers only\n")
    commit(template, "Release", tag="1.0.1")
    copier("update", "--defaults", project, cwd=project)
    assert git("diff", "--name-only", cwd=project).split() == [".copier-answers.yml"]
