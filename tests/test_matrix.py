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
from conftest import SETS
from questionnaire import QUESTIONS, Rules, all_pairs, choices

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
    rules = Rules()
    complete = [rules.complete(answers) for answers in SETS.values()]
    assert None not in complete
    pairs = all_pairs()
    seen = {
        pair
        for answers in complete
        if answers is not None
        for pair in pairs
        if all(answers[key] == value for key, value in pair)
    }
    assert pairs - seen == set()


def test_every_choice_is_of_a_question_that_is_asked() -> None:
    assert {key for answers in SETS.values() for key in answers} <= QUESTIONS.keys()
    assert list(choices())


def test_the_answers_are_kept(answers: str, render: Render) -> None:
    kept = yaml.safe_load((render(answers) / ".copier-answers.yml").read_text())
    expected = Rules().complete(SETS[answers])
    assert expected is not None
    asked = Rules().asked(expected)
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
            assert "\n\n\n" not in text, f"{path} has two empty lines"


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
    full = Rules().complete(SETS[answers])
    assert full is not None
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
    assert constants["SITE_HOST"] == full["host"]
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


def test_a_pipeline_that_was_not_chosen_leaves_no_trace(answers: str, render: Render) -> None:
    project = render(answers)
    full = Rules().complete(SETS[answers])
    assert full is not None
    pipelines = {"github": project / ".github", "gitlab": project / ".gitlab-ci.yml"}
    assert {name for name, path in pipelines.items() if path.exists()} == {full["ci"]} - {"none"}
    others = [name for name in pipelines if name != full["ci"]]
    for path, text in files(project):
        if path not in {"pdm.lock", ".copier-answers.yml", "LICENSE"}:
            assert not re.search("|".join(others), text, re.IGNORECASE), path


# What stands only in projects that have a component: names of files and words of texts.
TRACES = {
    "china": r"\b(tuna|tsinghua|npmmirror|aliyun|ustc|douban|huaweicloud)\b|\bmirrors? in China\b",
    "gulp": r"\b(node_modules|node\.?js|npm|pnpm|gulp\w*|tailwind\w*|htmx|alpine|biome|esbuild|frontend)\b|\bh?x-(data|get|on|ref)\b",
    "redis_needed": r"redis(?!t)",
    "celery": r"\bcelery\b|\b(kombu|amqp|billiard|vine)\b",
    "beat": r"\bbeat\b|celery[-_]beat",
    "sqs": r"\bsqs\b|elasticmq|\bboto|pycurl",
    "redis_broker": r"redis://broker|noeviction",
    "rabbitmq": r"rabbitmq|\bamqps?://",
    "websockets": r"websockets?|\bchannels\b|(?<![\w/.-])wss?://",
    "redis_channels": r"channels[-_]redis",
    "ws": r"\bWS_(REPLICAS|CPUS|MEMORY)\b|\n  ws:\n",
    "uwsgi": r"(?<!/)\buwsgi\b",  # but for the folder /tmp/uwsgi, without which nginx does not start
    "daphne_needed": r"\bdaphne\b|\btwisted\b|\bautobahn\b",
    **{server: rf"\b{server}\b" for server in ("gunicorn", "granian", "uvicorn", "hypercorn")},
}


@pytest.mark.parametrize("component", TRACES)
def test_a_component_left_out_leaves_no_trace(component: str, answers: str, render: Render) -> None:
    full = Rules().complete(SETS[answers])
    assert full is not None
    found = {
        path
        for path, text in files(render(answers))
        if path not in {"pdm.lock", ".copier-answers.yml", "LICENSE"}
        and re.search(TRACES[component], f"{path}\n{text}", re.IGNORECASE)
    }
    assert bool(found) == full[component], found


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
