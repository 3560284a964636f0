"""What the tests share: the template as a repository, each answer set rendered once, and tools that may be missing."""

import contextlib
import fcntl
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from pytest_copie.plugin import Copie
from questionnaire import ROOT, SPECIAL, Answers, answer_sets
from xdist.scheduler import LoadScopeScheduling

SETS = answer_sets()

# What the developer's own settings of Copier and git say must not be tested.
ISOLATED = {
    "COPIER_SETTINGS_PATH": str(ROOT / "tests" / "copier-settings.yml"),
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_AUTHOR_NAME": "Owner",
    "GIT_AUTHOR_EMAIL": "owner@example.com",
    "GIT_COMMITTER_NAME": "Owner",
    "GIT_COMMITTER_EMAIL": "owner@example.com",
}


def clean_environment() -> dict[str, str]:
    """Return the environment without what the template's own environment and a checked-out project would add."""
    left_out = {"VIRTUAL_ENV", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "DJANGO_SETTINGS_MODULE"}
    return {key: value for key, value in os.environ.items() if key not in left_out} | {"PDM_CHECK_UPDATE": "0"}


def run(*command: str | Path, cwd: Path, env: dict[str, str] | None = None, code: int = 0, timeout: float = 300) -> str:
    """Run a command, and fail with all that it printed where its exit code is another one.

    Args:
        command: the program and its arguments.
        cwd: where it runs.
        env: variables besides those of a clean environment.
        code: the exit code that is expected.
        timeout: seconds that it may take.

    Returns:
        What it printed, stdout before stderr.
    """
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=clean_environment() | (env or {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    printed = done.stdout + done.stderr
    assert done.returncode == code, f"{' '.join(map(str, command))} ended with {done.returncode}:\n{printed}"
    return printed


def works(tool: str) -> bool:
    """Return whether a tool is installed, and for Docker whether its daemon answers."""
    if shutil.which(tool) is None:
        return False
    return tool != "docker" or subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0


def need(*tools: str) -> None:
    """Skip, naming them, where tools are missing; in CI that is a failure."""
    missing = [tool for tool in tools if not works(tool)]
    if missing:
        message = f"not installed, or not running: {', '.join(missing)}"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)


PNPM = re.compile(r"^pnpm_version:.*?default: \"(.+?)\"", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="session")
def pnpm(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The variables with which programs find Node.js and the pnpm that the documents name."""
    need("node", "npm")
    found = PNPM.search((ROOT / "questions" / "computed.yml").read_text())
    assert found is not None
    folder = tmp_path_factory.mktemp("pnpm")
    run("npm", "install", "--silent", "--prefix", folder, f"pnpm@{found[1]}", cwd=folder)
    return {"PATH": f"{folder}/node_modules/.bin:{os.environ['PATH']}"}


def free_port() -> int:
    """Return a port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def get(url: str, timeout: float = 5) -> tuple[int, str]:
    """Return the status and the body of a page; errors of HTTP are answers too."""
    try:
        with urllib.request.urlopen(url, timeout=timeout) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@contextlib.contextmanager
def started(
    name: str, command: Sequence[str | Path], cwd: Path, env: dict[str, str] | None = None
) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """Run a program until the block ends; then it is killed, with all that it has started. Yields it, and the file of its output.

    Args:
        name: what that file is called after.
        command: what starts it.
        cwd: where it runs.
        env: variables besides those of a clean environment.
    """
    log = cwd / f".{name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=cwd,
            env=clean_environment() | (env or {}),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process, log
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        log.unlink()


@contextlib.contextmanager
def serving(
    command: Sequence[str | Path], url: str, cwd: Path, env: dict[str, str] | None = None, patience: float = 60
) -> Iterator[float]:
    """Run a server until the block ends. Yields the seconds that it took to answer.

    Args:
        command: what starts it.
        url: what answers with 200 once it is up.
        cwd: where it runs.
        env: variables besides those of a clean environment.
        patience: seconds after which it is given up.
    """
    began = time.monotonic()
    with started("server", command, cwd, env) as (process, log):
        while True:
            with contextlib.suppress(OSError):
                if get(url)[0] == 200:
                    break
            assert process.poll() is None, f"{command} ended with {process.returncode}:\n{log.read_text()}"
            assert time.monotonic() - began < patience, f"{url} does not answer:\n{log.read_text()}"
            time.sleep(0.05)
        yield time.monotonic() - began


def change(path: Path, old: str, new: str) -> None:
    """Replace a text that is in a file once."""
    text = path.read_text()
    assert text.count(old) == 1, f"{path} has {text.count(old)} times {old!r}"
    path.write_text(text.replace(old, new))


def add_application(project: Path, name: str, files: dict[str, str]) -> str:
    """Add an application to a project, as its owner would.

    Args:
        project: its folder.
        name: that of the application.
        files: the texts of its modules, by their names.

    Returns:
        The name of the package in which it is.
    """
    package = next((project / "src").glob("*/core")).parent
    for module, text in files.items():
        path = package / name / module
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.lstrip())
    change(project / "src/config/settings/apps.py", "INSTALLED_APPS = [", f'INSTALLED_APPS = [\n    "{package.name}.{name}",')
    return package.name


def all_passed(printed: str) -> str:
    """Check that pytest found nothing to say but that tests passed, and return what it said."""
    passed = re.search(r"\d+ passed in [\d.]+s", printed)
    assert passed is not None, printed
    assert not re.search(r"\d+ (failed|skipped|error|xfailed|warning)", printed), printed
    return passed[0]


def eventually(holds: Callable[[], bool], message: str, patience: float = 30) -> float:
    """Wait until something holds, and return the seconds that it took.

    Args:
        holds: what is asked again and again.
        message: what to say when it is given up.
        patience: seconds after which it is.
    """
    started = time.monotonic()
    while not holds():
        assert time.monotonic() - started < patience, message
        time.sleep(0.05)
    return time.monotonic() - started


@contextlib.contextmanager
def watching(project: Path, env: dict[str, str]) -> Iterator[int]:
    """Run ``pdm run watch`` until the block ends. Yields the port on which it tells browsers what was built."""
    port = free_port()
    with started("watch", ["pdm", "run", "watch"], project, env | {"RELOAD_PORT": str(port)}) as (process, log):
        eventually(lambda: "Finished 'files'" in log.read_text() or process.poll() is not None, "it does not watch", 120)
        assert process.poll() is None, log.read_text()
        yield port
        assert process.poll() is None, log.read_text()


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


@pytest.fixture(scope="session", autouse=True)
def _isolated() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for key, value in ISOLATED.items():
            patch.setenv(key, value)
        yield


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template as it stands, as a repository with the tag 1.0.0. Not to be changed: copy it."""
    return snapshot(tmp_path_factory.mktemp("template"))


@pytest.fixture(scope="session")
def render(copie_session: Copie, template: Path) -> Callable[[str], Path]:
    """Render an answer set by name, once for all tests. Not to be changed: copy it."""
    rendered: dict[str, Path] = {}

    def render_once(name: str) -> Path:
        if name not in rendered:
            result = copie_session.copy(extra_answers=SETS[name], template_dir=template)
            assert result.exception is None, result.exception
            assert result.project_dir is not None
            rendered[name] = result.project_dir
        return rendered[name]

    return render_once


@pytest.fixture(scope="session")
def environment(render: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with what the lock of the default project installs, and with the other app servers."""
    project = tmp_path_factory.mktemp("environment")
    shutil.copytree(render("default"), project, dirs_exist_ok=True)
    run("pdm", "install", "--check", cwd=project)
    superset = tmp_path_factory.mktemp("superset")
    for name in ("pyproject.toml", "pdm.lock"):
        shutil.copy(ROOT / "locks" / name, superset)
    (superset / ".venv").symlink_to(project / ".venv")
    groups = [f"--group={server}" for server in ("granian", "hypercorn", "uvicorn", "uvicorn-websockets", "uwsgi")]
    run("pdm", "sync", "--prod", *groups, cwd=superset)
    return project / ".venv"


@pytest.fixture
def project(render: Callable[[str], Path], environment: Path, tmp_path: Path) -> Callable[[str], Path]:
    """Make a copy of a rendered answer set that is installed and may be changed."""

    def make(name: str = "default") -> Path:
        folder = tmp_path / "project"
        shutil.copytree(render(name), folder)
        (folder / ".venv").symlink_to(environment)
        return folder

    return make


# Modules that are to be in one lane, one after the other: those that measure stacks, the least sensitive first, and those
# that use the projects of all answer sets, which take minutes to render.
TOGETHER = {
    f"tests/test_{name}.py": scope
    for scope, names in (
        ("stacks", ("tasks", "stack", "websockets", "servers")),
        ("sets", ("docs", "project", "lock", "matrix")),
    )
    for name in names
}

# What takes longest begins first, and what is short comes last.
ORDER = [*TOGETHER, "tests/test_images.py", "tests/test_development.py"]


class Lanes(LoadScopeScheduling):  # type: ignore[misc] # it has no types
    """Two processes, and what is done in the same one. A module stays whole, because its tests share fixtures."""

    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.partition("::")[0]
        return TOGETHER.get(module, module)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let what takes long begin early: lanes take modules in the order of the tests."""
    if hasattr(config, "workerinput"):
        order = {module: number for number, module in enumerate(ORDER)}
        items.sort(key=lambda item: order.get(item.nodeid.partition("::")[0], len(order)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Let the other lane wait while a test runs that is marked ``alone``."""
    if not hasattr(item.config, "workerinput"):
        return (yield)
    shared = Path(item.config.option.basetemp).parent
    alone = item.get_closest_marker("alone") is not None
    with (shared / "gate").open("w") as gate, (shared / "machine").open("w") as machine:
        # Whoever waits for the machine holds the gate: else the other lane would take the machine again each time.
        fcntl.flock(gate, fcntl.LOCK_EX)
        fcntl.flock(machine, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(gate, fcntl.LOCK_UN)
        return (yield)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Lanes:
    """Spread the tests over the processes of ``./run test``."""
    return Lanes(config, log)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give every test that asks for ``answers`` all answer sets by name."""
    if "answers" in metafunc.fixturenames:
        metafunc.parametrize("answers", list(SETS), scope="session")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the table of ``./run matrix``."""
    parser.addoption("--table", action="store_true", help="print answer sets and checks as a table")


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print what passed tests have measured, and the table of answer sets and checks."""
    figures = [
        (report.nodeid, report.capstdout.strip())
        for report in terminalreporter.stats.get("passed", [])
        if report.capstdout.strip()
    ]
    if figures:
        terminalreporter.section("figures")
        for test, printed in figures:
            terminalreporter.line(f"{test}\n    " + printed.replace("\n", "\n    "))
    if not config.getoption("--table"):
        return
    marks = {"passed": "✓", "failed": "✗", "error": "✗", "skipped": "–"}
    rows: dict[str, dict[str, str]] = defaultdict(dict)
    for outcome, mark in marks.items():
        for report in terminalreporter.stats.get(outcome, []):
            test, _, rest = report.nodeid.rpartition("::")[2].partition("[")
            if rest[:-1] in SETS:
                rows[rest[:-1]][test] = mark
    checks = sorted({check for row in rows.values() for check in row})
    terminalreporter.section("answer sets and checks")
    for number, check in enumerate(checks, 1):
        terminalreporter.line(f"{number:>3}  {check.removeprefix('test_').replace('_', ' ')}")
    width = max(map(len, rows), default=0)
    terminalreporter.line("")
    terminalreporter.line(" " * width + "".join(f"{number:>4}" for number in range(1, len(checks) + 1)))
    for name, row in rows.items():
        cells = "".join(f"{row.get(check, ' '):>4}" for check in checks)
        terminalreporter.line(f"{name:<{width}}{cells}")
    counted = sum(len(row) for row in rows.values())
    special = sum(name in SPECIAL for name in rows)
    terminalreporter.line(f"\n{len(rows)} answer sets ({special} of texts) × {len(checks)} checks = {counted} cells")
