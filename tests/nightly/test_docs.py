"""The commands of documents: every fenced block of shell, line by line, in order.

Those of app servers are run by test_servers.py, and others by landing/default_stack/test_documents.py and test_images.py.
"""

import contextlib
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from documents import adapt, commands, play, with_copier
from projects import LAPTOP, PRODUCTION, commit, snapshot
from questionnaire import ROOT
from stack import DEVELOPMENT_FILES, stack
from tools import need, run

pytestmark = pytest.mark.unit("document")

URL = "https://github.com/copier-django/copier-django"

# What takes minutes, and is run by landing/test_development.py.
ELSEWHERE = {"docker compose exec app pdm run test", "docker compose exec app pdm run lint"}


@pytest.fixture
def owned(tmp_path: Path) -> Path:
    """A project with an environment of its own, committed, that can find its template again."""
    template = snapshot(tmp_path / "template")
    project = tmp_path / "project"
    run("copier", "copy", "--defaults", template, project, cwd=tmp_path, env=with_copier())
    commit(project, "Start")
    (template / "NEWS").touch()
    commit(template, "Release", tag="1.1.0")
    return project


Named = Callable[..., dict[str, str]]


@pytest.fixture
def named() -> Iterator[Named]:
    """Give the stack of a project names and ports of its own, and take it away at the end."""
    with contextlib.ExitStack() as stacks:

        def enter(folder: Path, *, production: bool) -> dict[str, str]:
            environment = folder / ".env"
            environment.touch()
            before = environment.read_text()
            files = {} if production else {"COMPOSE_FILE": DEVELOPMENT_FILES}
            env = stacks.enter_context(stack(folder, **files)).env
            environment.write_text(before or f"SECRET_KEY={PRODUCTION['SECRET_KEY']}\n")
            return env

        yield enter


@pytest.mark.parametrize("document", ["README.md", "docs/development.md", "docs/frontend.md", "docs/deployment.md"])
def test_every_command_of_a_new_project_works(
    document: str, owned: Path, pnpm: dict[str, str], request: pytest.FixtureRequest
) -> None:
    listed = commands(owned / document)
    if any("makemessages" in command for command in listed):
        need("msgfmt")
    env = LAPTOP | {"PATH": f"{ROOT / '.venv' / 'bin'}:{pnpm['PATH']}"}
    if document == "docs/deployment.md":
        (owned / ".env").unlink()
        env |= PRODUCTION
    if any(command.startswith("docker ") for command in listed):
        production = document == "docs/deployment.md"
        env |= {"DB_PASSWORD": "password-of-the-test"} | request.getfixturevalue("named")(owned, production=production)
    # The broker of a stack has no address outside of it.
    outside = {name: value for name, value in env.items() if name != "CELERY_BROKER_URL"}
    for number, command in enumerate(listed):
        # The tests of a project take minutes: they run once, after all that the document does before.
        if command in ELSEWHERE or (command == "pdm run test" and command in listed[number + 1 :]):
            continue
        if command == "copier update":
            # The owner commits, and lets the questions be.
            run("git", "add", "--all", cwd=owned)
            run("git", "commit", "--quiet", "--no-verify", "--message", "Work", cwd=owned)
            play("copier update --defaults", owned, env)
        else:
            play(adapt(command, env), owned, env if command.startswith(("docker ", "sh docker/")) else outside)


@pytest.mark.parametrize("document", ["README.md", "docs/start.md", "docs/update.md"])
def test_every_command_for_users_of_the_template_works(document: str, tmp_path: Path) -> None:
    listed = commands(ROOT / document)
    if any(command.startswith(("uvx", "pipx")) for command in listed):
        # Both are what a user has; they are installed from PyPI, and find Copier there by themselves.
        run("python3", "-m", "venv", "users", cwd=tmp_path)
        run("users/bin/pip", "install", "--quiet", "uv==0.9.10", "pipx==1.8.0", cwd=tmp_path)
    template = snapshot(tmp_path / "template")
    env = {"PATH": f"{tmp_path / 'users/bin'}:{os.environ['PATH']}", "PIPX_HOME": str(tmp_path / "pipx")}
    env |= {"UV_CACHE_DIR": str(tmp_path / "uv")}
    where = tmp_path / "work"
    where.mkdir()
    if document == "docs/update.md":
        where = where / "my-site"
        run("copier", "copy", "--defaults", template, where, cwd=tmp_path, env=with_copier())
        commit(where, "Start")
        (template / "NEWS").touch()
        commit(template, "Release", tag="1.1.0")
    for command in listed:
        words = shlex.split(command.replace(URL, str(template)))
        if words[:1] == ["cd"]:
            where = where / words[1]
            continue
        if "copy" in words or "update" in words:
            # Questions are answered by their defaults, into a new folder each time.
            if "--defaults" not in words:
                words.insert(words.index("copy" if "copy" in words else "update") + 1, "--defaults")
            if words[-1] == "my-site":
                shutil.rmtree(where / "my-site", ignore_errors=True)
            if document == "README.md" and "update" in words:
                commit(where / "my-site", "Start")
                run(*words, cwd=where / "my-site", env=env, timeout=900)
                continue
        if words[0] == "./run":
            assert words[1] in {"demo", "test"}, "test_run.py runs these"
            continue
        play(shlex.join(words), where, env)


def test_the_commands_of_maintainers_work() -> None:
    listed = commands(ROOT / "docs/maintain.md")
    # The first three are run by test_run.py; soaking, which takes long, and relocking by a maintainer.
    measured = ["benchmarks/generate", "benchmarks/start", "benchmarks/build", "benchmarks/serve", "benchmarks/tasks"]
    assert listed == [
        "./run test",
        "./run nightly --shard 1/3",
        "./run matrix",
        "./run soak",
        "./run pdm run relock --upgrade",
        *measured,
    ]
    assert "copier copy --defaults" in run("benchmarks/generate", "1", cwd=ROOT)
    assert "pdm run dev to the first page" in run("benchmarks/start", "1", cwd=ROOT)


def test_what_images_cost_is_measured() -> None:
    need("docker")
    printed = run("benchmarks/build", "1", cwd=ROOT, timeout=600)
    print(printed)
    assert len(re.findall(r"median [\d.]+ s of 1 ", printed)) == 3
    assert re.search(r"^ +[\d.]+ MB  django$", printed, re.MULTILINE)


def test_what_tasks_cost_is_measured() -> None:
    need("docker")
    small = ["--tasks", "50", "--idle", "10", "--brokers", "redis"]
    printed = run("benchmarks/tasks", "1", *small, cwd=ROOT, timeout=600)
    print(printed)
    assert re.search(r"^tasks per second, the result is ignored +[1-9]", printed, re.MULTILINE)
    assert re.search(r"^requests per minute of an idle worker +[1-9]", printed, re.MULTILINE)


def test_what_app_servers_give_is_measured() -> None:
    need("docker")
    small = ["--seconds", "1", "--servers", "gunicorn", "--processes", "1", "--websockets", "50"]
    # Whether the bounds are kept is a matter of longer measuring.
    program = subprocess.run(
        ["benchmarks/serve", "1", *small], cwd=ROOT, capture_output=True, text=True, timeout=600, check=False
    )
    print(program.stdout)
    assert "Traceback" not in program.stderr, program.stderr
    for page in ("no database", "one query", "sign-in page", "static file"):
        assert re.search(rf"^\| gunicorn, {page} \|.* [1-9]", program.stdout, re.MULTILINE)
    assert re.search(r"^gunicorn: [1-9][\d,]* requests/s of one process", program.stdout, re.MULTILINE)
