"""The template as a repository, and projects that are made of it and edited as their owner would."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from questionnaire import ROOT, RULES, Answers
from tools import change, clean_environment, run

# What the developer's own settings of Copier and git say must not be tested.
ISOLATED = {
    "COPIER_SETTINGS_PATH": str(ROOT / "tests" / "support" / "copier-settings.yml"),
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_AUTHOR_NAME": "Owner",
    "GIT_AUTHOR_EMAIL": "owner@example.com",
    "GIT_COMMITTER_NAME": "Owner",
    "GIT_COMMITTER_EMAIL": "owner@example.com",
}

# What production sets. The key is a placeholder of the right length.
PRODUCTION = {
    "ENVIRONMENT": "production",
    "DEBUG": "false",
    "SECRET_KEY": "0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz",
    "ALLOWED_HOSTS": "example.com",
}

# The same, reached from this machine without TLS.
PRODUCTION_HERE = {**PRODUCTION, "ALLOWED_HOSTS": "127.0.0.1", "SECURE_SSL_REDIRECT": "false"}

# A machine on which linters that are not installed are left out; a pipeline leaves none out.
LAPTOP = {"CI": ""}


def git(*arguments: str, cwd: Path) -> str:
    """Run git without the developer's settings."""
    return run("git", "-c", "init.defaultBranch=main", *arguments, cwd=cwd, env=ISOLATED)


def commit(folder: Path, message: str, tag: str | None = None) -> None:
    """Commit all that is in a folder, which becomes a repository; and tag it."""
    if not (folder / ".git").exists():
        git("init", "--quiet", cwd=folder)
    git("add", "--all", cwd=folder)
    git("commit", "--quiet", "--message", message, cwd=folder)
    if tag:
        git("tag", tag, cwd=folder)


def copier(*arguments: str | Path, cwd: Path, code: int = 0, env: dict[str, str] | None = None) -> str:
    """Run the real command line, without --trust."""
    return run(Path(sys.prefix) / "bin" / "copier", *arguments, cwd=cwd, code=code, env=ISOLATED | (env or {}))


def data(answers: Answers) -> list[str]:
    """Return answers as arguments of the command line."""
    return [part for key, value in answers.items() for part in ("--data", f"{key}={value}")]


def snapshot(folder: Path) -> Path:
    """Copy the template as it stands, with what is not committed, and make a tagged repository of it."""
    listed = git("ls-files", "--cached", "--others", "--exclude-standard", "-z", cwd=ROOT)
    for name in filter(None, listed.split("\0")):
        source, target = ROOT / name, folder / name
        if source.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    commit(folder, "The template as it stands", tag="1.0.0")
    return folder


# Apps of the tests, as an owner would write them.
APPS = ROOT / "tests" / "apps"

# Tests of what the template maintains in a project, in a folder for each fact of questions/computed.yml; ``all`` and
# ``postgresql`` are true of every project.
RUNTIME_TESTS = ROOT / "tests" / "project"


def program(name: str) -> str:
    """Return the text of a program of ``tests/apps/programs``, for ``python -c`` in a container."""
    return (APPS / "programs" / f"{name}.py").read_text()


def run_program(name: str, *arguments: str | Path, environment: Path, cwd: Path, env: dict[str, str] | None = None) -> str:
    """Run a program of ``tests/apps/programs`` on the host, and return its standard output.

    Args:
        name: that of the program.
        arguments: its arguments.
        environment: the virtual environment with what it imports.
        cwd: where it runs.
        env: variables besides those of a clean environment.
    """
    command = [environment / "bin/python", "-c", program(name), *arguments]
    variables = clean_environment() | (env or {})
    return subprocess.run(command, cwd=cwd, env=variables, stdout=subprocess.PIPE, text=True, check=True).stdout


def add_app(project: Path, name: str) -> str:
    """Add an app of ``tests/apps`` to a project, as its owner would.

    Args:
        project: its folder.
        name: that of the app. Its websockets are left out where the project has none.

    Returns:
        The name of the package in which it is.
    """
    package = next((project / "src").glob("*/pages")).parent
    shutil.copytree(APPS / name, package / name, ignore=shutil.ignore_patterns("__pycache__"))
    app = f"{package.name}.{name}"
    change(project / "src/config/settings/site.py", "INSTALLED_APPS = [\n", f'INSTALLED_APPS = [\n    "{app}",\n')
    if (package / name / "urls.py").exists():
        patterns = "urlpatterns: list[URLPattern | URLResolver] = [\n"
        change(package / "urls.py", patterns, f'{patterns}    path("", include("{app}.urls")),\n')
    if not (package / "routing.py").exists():
        for module in ("consumers.py", "routing.py"):
            (package / name / module).unlink(missing_ok=True)
    elif (package / name / "routing.py").exists():
        welcome = "from .welcome import routing as welcome\n"
        change(package / "routing.py", welcome, f"from .{name} import routing as {name}\n{welcome}")
        patterns = "websocket_urlpatterns: list[URLPattern] = [\n"
        change(package / "routing.py", patterns, f"{patterns}    *{name}.websocket_urlpatterns,\n")
    return package.name


def facts_of(answers: Answers) -> set[str]:
    """Return the facts of ``questions/computed.yml`` that are true with these answers; ``delays``: a worker holds delayed tasks."""
    facts = {"all", "postgresql"} | {key for key, value in RULES.full(answers).items() if value is True}
    return facts | {"delays"} if facts & {"rabbitmq", "redis_broker"} else facts


def add_runtime_tests(project: Path, facts: set[str]) -> None:
    """Add the tests of ``src/runtime`` and of the settings to a project, as ``tests/runtime``.

    Args:
        project: its folder.
        facts: which folders of ``tests/project`` to add (``facts_of``).
    """
    ignored = shutil.ignore_patterns("__pycache__")
    target = project / "tests" / "runtime"
    for folder in sorted(RUNTIME_TESTS.iterdir()):
        if folder.name in facts:
            shutil.copytree(
                folder, target if folder.name == "all" else target / folder.name, ignore=ignored, dirs_exist_ok=True
            )
