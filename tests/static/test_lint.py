"""The template's own code: formatted, typed and clean, as it asks of the projects that it makes."""

import re
from collections.abc import Callable
from pathlib import Path

import answers
import pytest
from projects import git
from questionnaire import QUESTIONS, ROOT
from tools import run

BIN = ROOT / ".venv" / "bin"
SHELL = ["run", ".ci/run"]


def test_python_is_formatted_and_clean() -> None:
    scripts = ["benchmarks/build", "benchmarks/generate", "benchmarks/serve", "benchmarks/start", "benchmarks/tasks"]
    run(BIN / "ruff", "check", ".", *scripts, cwd=ROOT)
    run(BIN / "ruff", "format", "--check", ".", *scripts, cwd=ROOT)


def test_python_of_a_default_project_is_formatted_and_clean(render: Callable[[str], Path]) -> None:
    # The first to fail of a mistake in the template; those of all answer sets follow.
    run(BIN / "ruff", "check", "--no-cache", cwd=render("default"))
    run(BIN / "ruff", "format", "--check", "--no-cache", cwd=render("default"))


def test_python_is_typed() -> None:
    run(BIN / "mypy", cwd=ROOT)


def test_shell_is_clean() -> None:
    run(BIN / "shellcheck", *SHELL, cwd=ROOT)


def test_yaml_is_clean() -> None:
    rules = "{extends: default, rules: {document-start: disable, line-length: {max: 160}, truthy: {check-keys: false}}}"
    run(BIN / "yamllint", "--strict", "--config-data", rules, "questions", "copier.yml", ".github", "mkdocs.yml", cwd=ROOT)


@pytest.mark.parametrize("name", ["default", "ci=gitlab"])
def test_a_pipeline_is_one_that_its_host_understands(name: str, render: Callable[[str], Path]) -> None:
    project = render(name)
    if name == "default":
        for workflow in (project / ".github/workflows/ci.yml", *(ROOT / ".github/workflows").iterdir()):
            run(BIN / "check-jsonschema", "--builtin-schema", "vendor.github-workflows", workflow, cwd=ROOT)
        # Actions of GitHub itself may be pinned by version, and what reads the locks stands in none; all else is an error.
        config = project.parent / "zizmor.yml"
        pins = "{config: {policies: {'actions/*': ref-pin, '*': hash-pin}}}"
        config.write_text(f"rules: {{unpinned-uses: {pins}, adhoc-packages: {{disable: true}}}}\n")
        run(BIN / "zizmor", "--offline", "--quiet", "--config", config, project / ".github", ROOT / ".github", cwd=ROOT)
    else:
        run(BIN / "check-jsonschema", "--builtin-schema", "vendor.gitlab-ci", project / ".gitlab-ci.yml", cwd=ROOT)


@pytest.mark.parametrize("name", ["default", "frontend=none", "mirrors=china", "python_version=3.12", "long"])
def test_hadolint_has_nothing_to_say(name: str, render: Callable[[str], Path]) -> None:
    dockerfile = render(name) / "Dockerfile"
    assert run(BIN / "hadolint", "--no-color", dockerfile, cwd=dockerfile.parent) == ""
    assert "hadolint ignore" not in dockerfile.read_text()
    scripts = [
        path
        for path in render(name).rglob("*")
        if path.is_file() and path.read_bytes().startswith((b"#!/bin/sh", b"#!/usr/bin/env bash"))
    ]
    if scripts:
        run(BIN / "shellcheck", *scripts, cwd=dockerfile.parent)


def test_block_tags_stand_alone_on_their_line() -> None:
    for path in [*(ROOT / "template").rglob("*.jinja"), *(ROOT / "questions").glob("*.jinja")]:
        for line in path.read_text().splitlines():
            tags = re.findall(r"\{%-?.*?-?%\}", re.sub(r"\{% raw %\}.*?\{% endraw %\}", "", line))
            assert not tags or line.strip() == "".join(tags) or path.suffix != ".jinja" or line.strip() == tags[0], (
                f"{path}: {line}"
            )


def test_a_path_is_guarded_by_one_name() -> None:
    guards = {
        guard
        for path in (ROOT / "template").rglob("*")
        for guard in re.findall(r"\{% if (.+?) %\}", path.relative_to(ROOT).as_posix())
    }
    assert guards <= QUESTIONS.keys()


def test_jinja_is_used_only_where_an_answer_is_inside() -> None:
    for path in (ROOT / "template").rglob("*.jinja"):
        assert re.search(r"\{\{|\{%", path.read_text()), f"{path} is plain: leave .jinja out of its name"
        assert path.suffixes[-2:] != [".html", ".jinja"], path


def test_the_page_of_questions_is_that_of_the_questionnaire() -> None:
    assert (ROOT / "docs" / "answers.md").read_text() == answers.page(), "run `pdm run answers`"


def test_the_documentation_builds_without_a_broken_link(tmp_path: Path) -> None:
    run(ROOT / ".venv/bin/mkdocs", "build", "--strict", "--site-dir", tmp_path / "site", cwd=ROOT)
    assert (tmp_path / "site/answers/index.html").exists()


def test_the_template_has_no_trace_of_a_machine() -> None:
    for name in git("ls-files", cwd=ROOT).splitlines():
        # Builders of images are root's, whose caches are at home.
        if not (ROOT / name).exists():
            continue
        text = (ROOT / name).read_text(errors="ignore").replace("target=/root/", "")
        found = re.findall(r"/wor[k]/|/roo[t]/|\bstand-?in[s]?\b", text)
        assert not found or name == ".ci/run", f"{name} holds {found}"


def test_the_documents_of_a_project_name_only_commands_that_exist(render: Callable[[str], Path]) -> None:
    project = render("default")
    scripts = set(re.findall(r"^(\w+) = \{ (?:env|cmd|composite)", (project / "pyproject.toml").read_text(), re.MULTILINE))
    tools = {"pre-commit", "pytest"}
    for document in [project / "README.md", *(project / "docs").glob("*.md")]:
        named = set(re.findall(r"pdm run ([\w-]+)", document.read_text()))
        assert named <= scripts | tools, document
    assert {"dev", "test", "lint", "format", "manage", "doctor", "env"} <= scripts
