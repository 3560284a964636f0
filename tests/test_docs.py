"""No document holds a command that was not run: every fenced block of shell, line by line, in order."""

import contextlib
import os
import re
import shlex
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import answers
import pytest
from conftest import commit, free_port, git, need, run, serving, snapshot, watching
from markdown_it import MarkdownIt
from questionnaire import NASTY, ROOT
from stack import stack
from test_project import LAPTOP, PRODUCTION

URL = "https://github.com/copier-django/copier-django"

# What takes minutes, and is run by tests/test_development.py.
ELSEWHERE = {"docker compose exec app pdm run test", "docker compose exec app pdm run lint"}


def commands(document: Path) -> list[str]:
    """Return the lines of the blocks marked ``sh``."""
    blocks = [token for token in MarkdownIt().parse(document.read_text()) if token.type == "fence"]
    assert {block.info for block in blocks} <= {"sh", "ini", "dockerfile", "html", "python", "yaml", "console", "js"}, (
        f"{document} has a block of an unknown kind"
    )
    console = [block.content for block in blocks if block.info == "console"]
    assert all(text.startswith("aws ") for text in console), "only what takes an account of AWS is not run"
    return [line for block in blocks if block.info == "sh" for line in block.content.splitlines() if line.strip()]


def play(command: str, cwd: Path, env: dict[str, str]) -> None:
    """Run one command of a document, as its reader would; what asks or never ends gets what it needs."""
    if command.startswith("pdm run dev"):
        port = free_port()
        with serving(["pdm", "run", "dev", f"127.0.0.1:{port}"], f"http://127.0.0.1:{port}", cwd=cwd, env=env):
            return
    if command == "pdm run watch":
        with watching(cwd, env):
            return
    if command == "pdm run manage createsuperuser":
        command += " --noinput --username owner --email owner@example.com"
        env = env | {"DJANGO_SUPERUSER_PASSWORD": "a password of the test"}
    run("sh", "-c", command, cwd=cwd, env=env, timeout=900)


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


def with_copier() -> dict[str, str]:
    """Put the template's own tools on the PATH, as they are for somebody who installed Copier."""
    return {"PATH": f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}"}


Named = Callable[..., dict[str, str]]


@pytest.fixture
def named() -> Iterator[Named]:
    """Give the stack of a project names and ports of its own, and take it away at the end."""
    with contextlib.ExitStack() as stacks:

        def enter(folder: Path, *, production: bool) -> dict[str, str]:
            environment = folder / ".env"
            environment.touch()
            before = environment.read_text()
            files = {} if production else {"COMPOSE_FILE": "compose.yml:compose.override.yml"}
            env = stacks.enter_context(stack(folder, **files)).env
            environment.write_text(before or f"SECRET_KEY={PRODUCTION['SECRET_KEY']}\n")
            return env

        yield enter


def adapt(command: str, env: dict[str, str]) -> str:
    """Return a command of Docker as it runs here: without a registry, with names of the test, and never for ever."""
    if "CELERY_BROKER_URL" in env:
        command = command.replace("--file compose.yml", "--file compose.yml --file compose.broker.yml")
    for written, here in (
        (r"compose up$", "compose up --detach"),
        (r"(compose .*)pull$", r"\1build"),
        (r"volume rm \w+_", f"volume rm {env.get('APP_NAME')}_"),
        (r"PASSWORD 'another'", f"PASSWORD '{env.get('DB_PASSWORD')}'"),
        (r"restore NAME$", "restore docs --force"),
        (r"run backup$", "run backup docs"),
        (r"127\.0\.0\.1:9324", f"127.0.0.1:{env.get('BROKER_PORT')}"),
    ):
        command = re.sub(written, here, command)
    return command


@pytest.mark.parametrize("document", ["README.md", "docs/development.md", "docs/deployment.md", "docs/settings.md"])
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


@pytest.mark.parametrize("document", ["docs/celery.md", "docs/database.md", "docs/nginx.md"])
def test_every_command_for_a_service_works(
    document: str, render: Callable[[str], Path], environment: Path, tmp_path: Path, named: Named
) -> None:
    project = tmp_path / "project"
    shutil.copytree(render("default"), project)
    (project / ".venv").symlink_to(environment)
    password = {"DB_PASSWORD": "password-of-the-test"}
    env = password | named(project, production=True)
    run("docker", "compose", "build", cwd=project, env=env, timeout=600)
    run("docker", "compose", "up", "--detach", "--wait", cwd=project, env=env)
    sqlite3.connect(project / "data/db.sqlite3").close()
    (project / "backups").chmod(0o777)
    for command in commands(project / document):
        if command == "docker compose up --detach --wait broker":
            # From here on, development.
            env = password | named(project, production=False)
        play(adapt(command, env), project, env)
    assert document != "docs/database.md" or (project / "backups/before-upgrade/database.dump").exists()


def test_the_documents_of_a_project_name_only_commands_that_exist(render: Callable[[str], Path]) -> None:
    project = render("default")
    scripts = set(re.findall(r"^(\w+) = \{ (?:cmd|composite)", (project / "pyproject.toml").read_text(), re.MULTILINE))
    tools = {"pre-commit", "pytest"}
    for document in [project / "README.md", *(project / "docs").glob("*.md")]:
        named = set(re.findall(r"pdm run ([\w-]+)", document.read_text()))
        assert named <= scripts | tools, document
    assert {"dev", "test", "lint", "format", "manage", "doctor", "env"} <= scripts


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
            assert words[1] in {"demo", "test"}, "tests/test_run.py runs these"
            continue
        play(shlex.join(words), where, env)


def test_the_commands_of_maintainers_work() -> None:
    listed = commands(ROOT / "docs/maintain.md")
    # The first two are run by tests/test_run.py; soaking, which takes long, and relocking by a maintainer.
    measured = ["benchmarks/generate", "benchmarks/start", "benchmarks/build", "benchmarks/serve", "benchmarks/tasks"]
    assert listed == ["./run test", "./run matrix", "./run soak", "pdm run relock --upgrade", *measured]
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
    assert program.returncode in {0, 1}, program.stderr
    for page in ("no database", "one query", "sign-in page", "static file"):
        assert re.search(rf"^\| gunicorn, {page} \|.* [1-9]", program.stdout, re.MULTILINE)
    assert re.search(r"^gunicorn: [1-9][\d,]* requests/s of one process", program.stdout, re.MULTILINE)


def test_the_page_of_questions_is_that_of_the_questionnaire() -> None:
    assert (ROOT / "docs" / "answers.md").read_text() == answers.page(), "run `pdm run answers`"


def test_the_documentation_builds_without_a_broken_link(tmp_path: Path) -> None:
    run(ROOT / ".venv/bin/mkdocs", "build", "--strict", "--site-dir", tmp_path / "site", cwd=ROOT)
    assert (tmp_path / "site/answers/index.html").exists()


def headings(document: Path) -> set[str]:
    """Return the names by which links reach the headings of a document."""
    tokens = MarkdownIt().parse(document.read_text())
    texts = [tokens[index + 1].content for index, token in enumerate(tokens) if token.type == "heading_open"]
    return {text.lower().replace(" ", "-") for text in texts}


def test_every_link_between_the_documents_of_a_project_leads_somewhere(answers: str, render: Callable[[str], Path]) -> None:
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


@pytest.mark.parametrize("name", ["default", "texts", "nasty", "nasty, proprietary", "long"])
def test_a_readme_shows_the_texts_as_they_were_written(name: str, render: Callable[[str], Path]) -> None:
    from conftest import SETS  # noqa: PLC0415 - the one test that looks at it

    tokens = MarkdownIt().parse((render(name) / "README.md").read_text())
    shown = ["".join(child.content for child in token.children or []) for token in tokens if token.type == "inline"]
    full = {"project_name": "My Site", "description": ""} | SETS[name]
    assert shown[0] == full["project_name"]
    if full["description"]:
        assert shown[1] == full["description"]
    assert len(NASTY) > 100


def test_the_template_has_no_trace_of_a_machine() -> None:
    for name in git("ls-files", cwd=ROOT).splitlines():
        # Builders of images are root's, whose caches are at home.
        text = (ROOT / name).read_text(errors="ignore").replace("target=/root/", "")
        found = re.findall(r"/wor[k]/|/roo[t]/|\bstand-?in[s]?\b", text)
        assert not found or name == ".ci/run", f"{name} holds {found}"
