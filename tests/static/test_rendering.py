"""Every answer set, rendered once: what must hold for all of them, in seconds."""

import ast
import hashlib
import json
import re
import tomllib
from collections.abc import Callable
from functools import cache, reduce
from pathlib import Path
from typing import Any

import pytest
import yaml
from markdown_it import MarkdownIt
from questionnaire import (
    HOST_ROWS,
    LEAVES,
    QUESTIONS,
    ROOT,
    RULES,
    SETS,
    STACK_ROWS,
    UNBUILT,
    Answers,
    all_pairs,
    answers_of,
    choices,
)
from tools import run

from components import components

BIN = ROOT / ".venv" / "bin"

PAIRS = all_pairs({key: values for key, values in choices().items() if key not in LEAVES})

Render = Callable[[str], Path]

# Written byte for byte from elsewhere: texts of licences, and what pdm wrote.
FOREIGN = {"LICENSE", "pdm.lock"}


@cache
def files(project: Path) -> tuple[tuple[str, str], ...]:
    """Return the path and the text of every text file; a rendered set is not changed."""
    return tuple(
        (path.relative_to(project).as_posix(), path.read_bytes().decode())
        for path in sorted(project.rglob("*"))
        if path.is_file() and path.suffix != ".ico"
    )


def texts(name: str) -> list[str]:
    """Return the answers that people wrote, the longest first, as they are and as JSON and Python escape them."""
    written = [value for key, value in SETS[name].items() if key in {"project_name", "description", "author_name"}]
    escaped = [json.dumps(value, ensure_ascii=False)[1:-1] for value in written]
    escaped += [value.replace("\\", "\\\\").replace("'", "\\'") for value in written]
    return sorted({*written, *escaped}, key=len, reverse=True)


def test_the_answer_sets_hold_every_choice_and_every_pair_of_choices() -> None:
    listed = choices()
    complete = [RULES.full(answers) for answers in SETS.values()]
    for key, values in listed.items():
        assert {full[key] for full in complete} == set(values), key
    seen = {pair for full in complete for pair in PAIRS if all(full[key] == value for key, value in pair)}
    assert set(PAIRS) - seen == set()


@pytest.mark.parametrize(("rows", "axes"), [(HOST_ROWS, {"license", "app_server"}), (STACK_ROWS, {"license", "ci", "mirrors"})])
def test_the_rows_that_are_run_hold_every_choice_and_are_as_few_as_can_be(rows: dict[str, Answers], axes: set[str]) -> None:
    listed = {key: values for key, values in choices().items() if key not in axes}
    complete = [RULES.full(answers) for answers in rows.values()]
    unbuilt = UNBUILT if rows is STACK_ROWS else set()
    for key, values in listed.items():
        wanted = {value for value in values if (key, value) not in unbuilt}
        assert {full[key] for full in complete} == wanted, key
    assert len(rows) == max(map(len, listed.values()))


def test_every_choice_is_of_a_question_that_is_asked() -> None:
    assert {key for answers in SETS.values() for key in answers} <= QUESTIONS.keys()
    assert list(choices())


def test_the_answers_are_kept(answers: str, render: Render) -> None:
    kept = yaml.safe_load((render(answers) / ".copier-answers.yml").read_text())
    expected = RULES.full(SETS[answers])
    asked = RULES.asked(expected)
    assert {key: value for key, value in kept.items() if not key.startswith("_")} == asked
    assert kept["_commit"] == "1.0.0"


def test_nothing_of_the_template_is_left(answers: str, render: Render) -> None:
    names = "|".join([*QUESTIONS, "_copier", "partials", "include", "endif", "endfor"])
    for path, text in files(render(answers)):
        if path == ".copier-answers.yml":
            continue
        ours = reduce(lambda rest, written: rest.replace(written, ""), texts(answers), text)
        assert not re.search(rf"(?<!\$){{[{{%][^}}\n]*\b({names})\b", ours) or path.endswith(".html"), path
        assert not re.search(r"(?<!\$)\{\{|\{#", ours) or path.endswith((".html", ".md")), path
        assert not re.search(r"\b(TODO|FIXME|XXX)\b", ours), path
        assert "jinja" not in ours.lower() or path == "pdm.lock", path


def test_no_space_is_stray(answers: str, render: Render) -> None:
    for path, text in files(render(answers)):
        if path == ".copier-answers.yml":
            continue
        assert "\r" not in text, path
        assert text == "" or text.endswith("\n"), f"{path} does not end with a line break"
        assert not text.startswith("\n"), f"{path} begins with an empty line"
        assert not text.endswith("\n\n"), f"{path} ends with an empty line"
        assert not re.search(r"[ \t]$", text, re.MULTILINE), f"{path} has a space at the end of a line"
        if path not in FOREIGN and not path.endswith(".py"):
            # Python in documents has two empty lines, too.
            prose = re.sub(r"^```python$.*?^```$", "```", text, flags=re.MULTILINE | re.DOTALL)
            assert "\n\n\n" not in prose, f"{path} has two empty lines"


def test_no_folder_is_empty(answers: str, render: Render) -> None:
    project = render(answers)
    for folder in [path for path in project.rglob("*") if path.is_dir()]:
        assert any(path.name != "__init__.py" for path in folder.iterdir()) or folder.name == "tests", folder
    empty = [path for path in project.rglob("*") if path.is_file() and path.stat().st_size == 0]
    assert {path.name for path in empty} <= {"__init__.py"}


class Loader(yaml.SafeLoader):
    """Reads the tags of Compose and of CloudFormation.

    https://docs.docker.com/reference/compose-file/merge/#replace-value
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html
    """


def _replacement(loader: yaml.SafeLoader, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node)
    assert isinstance(node, yaml.SequenceNode)
    return loader.construct_sequence(node)


def _function(loader: yaml.SafeLoader, node: yaml.Node) -> str:
    assert isinstance(node, yaml.ScalarNode)
    return str(loader.construct_scalar(node))


Loader.add_constructor("!override", _replacement)
for tag in ("!GetAtt", "!Ref", "!Sub"):
    Loader.add_constructor(tag, _function)


def test_every_file_can_be_parsed(answers: str, render: Render) -> None:
    parsers: dict[str, Callable[[str], Any]] = {
        ".json": json.loads,
        ".lock": tomllib.loads,
        ".py": ast.parse,
        ".toml": tomllib.loads,
        ".yaml": yaml.safe_load,
        ".yml": lambda text: yaml.load(text, Loader),  # noqa: S506 - a safe loader
    }
    parsed = [path for path, text in files(render(answers)) if Path(path).suffix in parsers]
    for path in parsed:
        parsers[Path(path).suffix]((render(answers) / path).read_text())
    assert len(parsed) > 30


def test_the_texts_arrive_as_they_were_written(answers: str, render: Render) -> None:
    project = render(answers)
    full = RULES.full(SETS[answers])
    toml = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    assert toml.get("description", "") == full["description"]
    author = {key: full[f"author_{key}"] for key in ("name", "email") if full[f"author_{key}"]}
    assert toml.get("authors", []) == ([author] if author else [])
    settings = ast.parse((project / "src/config/settings/base.py").read_text())
    constants = {
        node.targets[0].id: node.value.value
        for node in settings.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.targets[0], ast.Name)
    }
    assert constants["SITE_NAME"] == full["project_name"]
    assert constants["site_host"] == full["host"]
    assert json.loads((project / ".devcontainer/devcontainer.json").read_text())["name"] == full["project_name"]
    assert full["owner"] in (project / "LICENSE").read_text() or full["license"] in {"Apache-2.0", "GPL-3.0-or-later"}


def test_the_lock_has_the_hash_of_the_project(answers: str, render: Render) -> None:
    project = render(answers)
    pyproject = tomllib.loads((project / "pyproject.toml").read_text())
    lock = tomllib.loads((project / "pdm.lock").read_text())
    hashed = {
        "sources": [],
        "dependencies": pyproject["project"]["dependencies"],
        "dev-dependencies": pyproject["dependency-groups"],
        "optional-dependencies": {},
        "requires-python": pyproject["project"]["requires-python"],
        "resolution": {},
    }
    digest = hashlib.sha256(json.dumps(hashed, sort_keys=True).encode()).hexdigest()
    assert lock["metadata"]["content_hash"] == f"sha256:{digest}"


def test_the_lock_holds_only_what_is_needed(answers: str, render: Render) -> None:
    project = render(answers)
    pyproject = tomllib.loads((project / "pyproject.toml").read_text())
    packages = tomllib.loads((project / "pdm.lock").read_text())["package"]
    for group, needs in {"default": pyproject["project"]["dependencies"], **pyproject["dependency-groups"]}.items():
        reached: set[str] = set()
        queue = [requirement(need) for need in needs]
        while queue:
            name = queue.pop()
            if name not in reached:
                reached.add(name)
                queue += [
                    requirement(need)
                    for package in packages
                    if package["name"] == name
                    for need in package.get("dependencies", [])
                ]
        assert {package["name"] for package in packages if group in package["groups"]} <= reached


def requirement(text: str) -> str:
    """Return the normalised name of a requirement, without extras, version and marker."""
    match = re.match(r"[A-Za-z0-9._-]+", text)
    assert match is not None
    return re.sub(r"[-_.]+", "-", match[0]).lower()


# Texts that name everything, and what pdm and Copier wrote.
ANYTHING = {"pdm.lock", ".copier-answers.yml", "LICENSE"}


def test_components_left_out_leave_no_trace(answers: str, render: Render) -> None:
    full = RULES.full(SETS[answers])
    ours = [(path, text) for path, text in files(render(answers)) if path not in ANYTHING]
    for component in components():
        for fact, words in component.words.items():
            found = [path for path, text in ours if words.search(f"{path}\n{text}")]
            assert bool(found) == full[fact], f"{component.folder} ({fact}): {found or 'nothing of it is there'}"
    assert (render(answers) / ".github").exists() == full["github"]
    assert (render(answers) / ".gitlab-ci.yml").exists() == full["gitlab"]


def test_every_link_between_the_documents_of_a_project_leads_somewhere(answers: str, render: Render) -> None:
    project = render(answers)
    for document in [project / "README.md", *(project / "docs").glob("*.md")]:
        for token in MarkdownIt().parse(document.read_text()):
            for child in token.children or []:
                target = str(child.attrGet("href") or "")
                if child.type == "link_open" and "://" not in target:
                    name, _, heading = target.partition("#")
                    there = document.parent / name if name else document
                    assert there.exists(), f"{document} leads to {target}"
                    assert not heading or heading in headings(there), f"{document} leads to {target}"


def headings(document: Path) -> set[str]:
    """Return the names by which links reach the headings of a document."""
    tokens = MarkdownIt().parse(document.read_text())
    texts = [tokens[index + 1].content for index, token in enumerate(tokens) if token.type == "heading_open"]
    return {text.lower().replace(" ", "-") for text in texts}


def test_python_and_yaml_of_all_answer_sets_are_formatted_and_clean(render: Render, tmp_path: Path) -> None:
    # Each set with the configuration that it ships: ruff and yamllint look for it from the file upwards, and from here.
    folders = [render(name) for name in SETS]
    printed = run(BIN / "ruff", "check", "--no-cache", *folders, cwd=tmp_path)
    assert "All checks passed" in printed
    run(BIN / "ruff", "format", "--check", "--no-cache", *folders, cwd=tmp_path)
    configurations = {(folder / ".yamllint.yml").read_text() for folder in folders}
    for number, configuration in enumerate(configurations):
        alike = [folder for folder in folders if (folder / ".yamllint.yml").read_text() == configuration]
        (tmp_path / f"{number}.yml").write_text(configuration)
        run(BIN / "yamllint", "--strict", "--config-file", tmp_path / f"{number}.yml", *alike, cwd=tmp_path)


def test_the_linters_of_the_template_are_those_of_a_project() -> None:
    ours, theirs = (
        dict(re.findall(r'^name = "(ruff|yamllint)"\nversion = "(.+)"', (ROOT / path).read_text(), re.MULTILINE))
        for path in ("pdm.lock", "locks/pdm.lock")
    )
    assert len(ours) == 2
    assert ours == theirs


@pytest.mark.parametrize("name", ["default", "texts", "nasty", "nasty, proprietary", "long"])
def test_a_readme_shows_the_texts_as_they_were_written(name: str, render: Render) -> None:
    tokens = MarkdownIt().parse((render(name) / "README.md").read_text())
    shown = ["".join(child.content for child in token.children or []) for token in tokens if token.type == "inline"]
    full = {"project_name": "My Site", "description": ""} | SETS[name]
    assert shown[0] == full["project_name"]
    if full["description"]:
        assert shown[1] == full["description"]


@pytest.mark.parametrize("name", ["default", "python_version=3.13", "python_version=3.12"])
def test_the_python_of_the_answers_is_the_one_of_the_pipeline(name: str, render: Render) -> None:
    project = render(name)
    found = set()
    for path in [project / ".github/workflows/ci.yml", project / ".devcontainer/devcontainer.json"]:
        found |= set(re.findall(r"\b3\.1[1-9]\b", path.read_text()))
    assert found == {RULES.full(answers_of(name))["python_version"]}


def test_secrets_are_fresh(render: Render) -> None:
    secrets = [
        value
        for name in SETS
        for key, value in re.findall(r"^(\w+_(?:KEY|PASSWORD|TOKEN))=(.+)$", (render(name) / ".env").read_text(), re.MULTILINE)
    ]
    assert len(secrets) >= len(SETS)
    assert len(set(secrets)) == len(secrets)
    assert all(len(secret) >= 50 and len(set(secret)) >= 5 for secret in secrets)


@pytest.mark.parametrize("name", ["default", "nasty"])
def test_no_secret_is_in_a_file_that_git_keeps(name: str, render: Render) -> None:
    project = render(name)
    secrets = re.findall(r"^\w+_(?:KEY|PASSWORD|TOKEN)=(.+)$", (project / ".env").read_text(), re.MULTILINE)
    assert secrets
    for path, text in files(project):
        assert path == ".env" or not any(secret in text for secret in secrets), path
    assert ".env\n" in (project / ".gitignore").read_text()
