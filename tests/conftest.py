"""Tiers, lanes and shards (``support/lanes.py``), and what all tests share: the template, each answer set, an environment."""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import lanes
import pytest
from browsers import AXE, CHROMIUM
from containers import KEPT, MARKS, Site, fresh_names, names, remove
from copier import run_copy
from playwright.sync_api import Browser, sync_playwright
from projects import ISOLATED, add_app, commit, git, snapshot
from questionnaire import HOST_ROWS, ROOT, SETS, STACK_ROWS, answers_of
from stack import Stack, stack
from tasks import add_jobs
from tools import need, run, works
from xdist.scheduler import LoadScopeScheduling

PNPM = re.compile(r"^pnpm_version:.*?default: \"(.+?)\"", re.MULTILINE | re.DOTALL)

# Tests that run in a generated project (support/projects.add_runtime_tests).
collect_ignore = ["project"]

# What an answer set is rendered from; with other contents, all of them are rendered again.
SOURCES = ("copier.yml", "questions", "partials", "template", "pdm.lock")


@pytest.fixture(scope="session", autouse=True)
def _isolated() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for key, value in ISOLATED.items():
            patch.setenv(key, value)
        yield


@pytest.fixture(scope="session", autouse=True)
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of all lanes together, for what is made once (``lanes.once``)."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared"
    folder.mkdir(exist_ok=True)
    os.environ[MARKS] = str(folder)
    return folder


@pytest.fixture(scope="session")
def template(shared: Path) -> Path:
    """The template as it stands, as a repository with the tag 1.0.0. Not to be changed: copy it."""
    return lanes.once(shared, "template", snapshot)


@pytest.fixture(scope="session")
def render(template: Path) -> Callable[[str], Path]:
    """Render an answer set by name, once for all lanes and tiers. Not to be changed: copy it."""
    digest = hashlib.sha256()
    for path in sorted(path for source in SOURCES for path in [template / source, *(template / source).rglob("*")]):
        if path.is_file():
            digest.update(f"{path.relative_to(template)}\0".encode() + path.read_bytes())
    kept = ROOT / ".run" / "rendered"
    folder = kept / digest.hexdigest()[:16]
    with lanes.locked(ROOT / ".run", "rendered"):
        folder.mkdir(parents=True, exist_ok=True)
        os.utime(folder)
        # What nobody has used for a day goes; another run may be at work with another state of the template.
        for other in kept.iterdir():
            if other.stat().st_mtime < time.time() - 86_400:
                # Under another name first: what is half removed must not be taken for a state of the template.
                shutil.rmtree(other.rename(kept / f"old-{os.getpid()}-{other.name}"))

    def render_once(name: str) -> Path:
        def copy(target: Path) -> None:
            shutil.rmtree(target, ignore_errors=True)
            run_copy(str(template), target, data=answers_of(name), defaults=True, quiet=True, vcs_ref="1.0.0", settings=None)

        digest = hashlib.sha256(json.dumps(answers_of(name), sort_keys=True).encode()).hexdigest()[:8]
        return lanes.once(folder, re.sub(r"\W+", "-", f"{name} {digest}").strip("-").lower(), copy)

    return render_once


@pytest.fixture(scope="session")
def environment(render: Callable[[str], Path], shared: Path) -> Path:
    """A virtual environment with what the lock of the default project installs, and with the other app servers."""

    def install(project: Path) -> None:
        shutil.rmtree(project, ignore_errors=True)
        shutil.copytree(render("default"), project)
        run("pdm", "install", "--check", cwd=project, timeout=600)
        superset = project / "superset"
        superset.mkdir()
        for name in ("pyproject.toml", "pdm.lock"):
            shutil.copy(ROOT / "locks" / name, superset)
        (superset / ".venv").symlink_to(project / ".venv")
        groups = [f"--group={server}" for server in ("granian", "hypercorn", "uvicorn", "uvicorn-websockets", "uwsgi")]
        run("pdm", "sync", "--prod", *groups, cwd=superset, timeout=600)

    return lanes.once(shared, "environment", install) / ".venv"


@pytest.fixture
def project(render: Callable[[str], Path], environment: Path, tmp_path: Path) -> Callable[..., Path]:
    """Make a copy of a rendered answer set that is installed and may be changed."""

    def make(name: str = "default") -> Path:
        folder = tmp_path / "project"
        shutil.copytree(render(name), folder)
        (folder / ".venv").symlink_to(environment)
        return folder

    return make


@pytest.fixture(scope="session")
def pnpm(shared: Path) -> dict[str, str]:
    """The variables with which programs find Node.js and the pnpm that the documents name."""
    need("node", "npm")
    found = PNPM.search((ROOT / "questions" / "computed.yml").read_text())
    assert found is not None

    def install(folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        run("npm", "install", "--silent", "--prefix", folder, f"pnpm@{found[1]}", cwd=folder, attempts=3)

    return {"PATH": f"{lanes.once(shared, 'pnpm', install)}/node_modules/.bin:{os.environ['PATH']}"}


@pytest.fixture(scope="session")
def named() -> Iterator[dict[str, str]]:
    """The names of everything that the tests of a lane make with Docker."""
    with names() as env:
        yield env


Source = Callable[..., Site]


def _repository(folder: Path, project: Path, environment: Path) -> None:
    """Make a repository of a copy of a project, with an environment that git does not see."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(project, folder)
    git("init", "--quiet", cwd=folder)
    # A folder of that name is ignored; here it is a link.
    (folder / ".git/info/exclude").write_text(".venv\n")
    (folder / ".venv").symlink_to(environment)


@pytest.fixture(scope="session")
def source(
    render: Callable[[str], Path], environment: Path, named: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Source:
    """Make a copy of an answer set that is a repository, may be changed, and whose images are named as nobody else's."""

    def make(name: str = "default") -> Site:
        folder = tmp_path_factory.mktemp("source") / "project"
        _repository(folder, render(name), environment)
        commit(folder, "Start")
        return Site(folder, named | {"APP_IMAGE_TAG": folder.parent.name})

    return make


@pytest.fixture(scope="session")
def default_images(render: Callable[[str], Path], environment: Path, shared: Path) -> Site:
    """The default project with the applications of ``tests/apps``, after ``pdm run build``, once for all lanes.

    Not to be changed: copy or clone it, and build with a tag of its own.
    """

    def build(folder: Path) -> None:
        env = fresh_names()
        # Read when all lanes have ended.
        (shared / f"images-{env['APP_NAME']}").touch()
        _repository(folder, render("default"), environment)
        for app in ("files", "notes", "probe"):
            add_app(folder, app)
        add_jobs(folder, "sqs")
        commit(folder, "Start")
        (shared / "default-names.json").write_text(json.dumps(env))
        Site(folder, env).build()

    folder = lanes.once(shared, "default", build)
    return Site(folder, json.loads((shared / "default-names.json").read_text()))


@pytest.fixture(scope="session")
def stack_images(default_images: Site) -> dict[str, str]:
    """The variables that name the images of the default project."""
    return {name: value for name, value in default_images.env.items() if name != "APP_NAME"}


@pytest.fixture(scope="session")
def stack_folder(default_images: Site, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """Copy the default project: its stack changes the folder in which it runs."""

    def make() -> Path:
        folder = tmp_path_factory.mktemp("stack") / "project"
        shutil.copytree(default_images.folder, folder, symlinks=True)
        return folder

    return make


@pytest.fixture(scope="module")
def default_stack(stack_folder: Callable[[], Path], stack_images: dict[str, str]) -> Iterator[Stack]:
    """The stack of the default project, which runs, for the tests of a module. Each leaves all services up."""
    with stack(stack_folder(), **stack_images) as site:
        site.compose("up", "--detach", "--wait", attempts=2)
        yield site


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, without its calls to the network.

    It takes any certificate by its own option: a context with `ignore_https_errors` restarts the request of every new
    connection, and was once seen to fail one with ERR_TOO_MANY_RETRIES.
    """
    need("chromium")
    options = [
        "--no-sandbox",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--ignore-certificate-errors",
    ]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def axe(shared: Path) -> Path:
    """The script that finds what keeps people out."""
    need("npm")

    def install(folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        run("npm", "install", "--silent", "--no-save", "--prefix", folder, AXE, cwd=folder, attempts=3)

    return lanes.once(shared, "axe", install) / "node_modules/axe-core/axe.min.js"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what ``./run`` passes on."""
    group = parser.getgroup("tiers")
    group.addoption("--tier", choices=lanes.TIERS, help="the tests of one tier alone")
    group.addoption("--deep", action="store_true", help="of the nightly tests, those of what changed since the base, too")
    group.addoption("--base", help="the revision with which --deep compares (where the branch left origin/main)")
    group.addoption("--shard", help="of all units those of one shard, such as 2/7")
    group.addoption("--record", action="store_true", help=f"write what units took into {lanes.DURATIONS.name}")
    group.addoption("--table", action="store_true", help="print answer sets and checks as a table")


def pytest_configure(config: pytest.Config) -> None:
    """Refuse, in a sentence, what cannot be done, before anything is collected; and end orderly when the run is terminated."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if config.getoption("--record") and (config.option.keyword or any("::" in path for path in config.args)):
        raise pytest.UsageError("--record takes whole units: leave out -k and ::, or leave out --record")
    try:
        if config.getoption("--shard"):
            lanes.shard_of(config.getoption("--shard"))
        if config.getoption("--deep"):
            lanes.changed(config.getoption("--base"))
    except ValueError as error:
        raise pytest.UsageError(str(error)) from None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a test that asks for ``answers`` all answer sets by name; for ``host_row`` or ``stack_row`` those rows."""
    for argument, rows in (("answers", SETS), ("host_row", HOST_ROWS), ("stack_row", STACK_ROWS)):
        if argument in metafunc.fixturenames:
            metafunc.parametrize(argument, list(rows), scope="session", ids=list(rows))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what another shard does, and order the rest: cheap failures first, then what takes longest."""
    units = {item: lanes.unit(item) for item in items}
    kept = set(units.values())
    if tier := config.getoption("--tier"):
        kept = {unit for unit in kept if unit.startswith(f"{tier}/")}
    chosen: list[list[str]] = [[], []]
    if config.getoption("--deep"):
        nightly = {unit for unit in units.values() if unit.startswith("nightly/")}
        taken, left = lanes.deep(nightly, lanes.changed(config.getoption("--base")))
        kept |= taken
        chosen = [sorted(taken), sorted(left)]
    if config.getoption("--shard"):
        number, count = lanes.shard_of(config.getoption("--shard"))
        kept = lanes.shard(kept, number, count)
    config.hook.pytest_deselected(items=[item for item in items if units[item] not in kept])
    order = {name: number for number, name in enumerate(lanes.longest_first(units.values()))}
    items[:] = [item for item in items if units[item] in kept]
    items.sort(key=lambda item: 0 if lanes.tier(item) == "static" else 1 + order[units[item]])
    # The process that divides the tests and prints the summary collects nothing by itself where there are lanes.
    collected = {"units": {item.nodeid: units[item] for item in items}, "deep": chosen}
    # Each process has found the same: what it writes replaces that of another one whole.
    written = _base(config) / f"collected-{os.getpid()}.json"
    written.write_text(json.dumps(collected))
    written.replace(_base(config) / "collected.json")
    _collected(config)


def _base(config: pytest.Config) -> Path:
    """Return the temporary folder of all lanes together."""
    base: Path = config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@cache
def _collected(config: pytest.Config) -> dict[str, Any]:
    """Return what ``pytest_collection_modifyitems`` has found, here or in a lane. At the end, the file may be gone."""
    path = _base(config) / "collected.json"
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {"units": {}, "deep": [[], []]}
    return found


class Lanes(LoadScopeScheduling):  # type: ignore[misc] # it has no types
    """Gives each lane a unit at a time, in the order of the tests."""

    def _split_scope(self, nodeid: str) -> str:
        if not hasattr(self, "units"):
            self.units: dict[str, str] = _collected(self.config)["units"]
        return self.units[nodeid]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Lanes:
    """Spread the tests over the processes of ``./run test``."""
    return Lanes(config, log)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Take away what the lanes made once for all of them, and what one of them left, when the last of them has ended."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        return
    folder = _base(session.config) / "shared"
    for mark in folder.glob("images-*"):
        try:
            remove(mark.name.removeprefix("images-"))
        except AssertionError as error:
            # The summary of the tests is worth more than an exception here.
            session.config.stash.setdefault(LEFT, []).append(str(error))
            session.exitstatus = pytest.ExitCode.INTERNAL_ERROR
    shutil.rmtree(folder, ignore_errors=True)
    if os.environ.get("CI") and works("docker"):
        subprocess.run(["docker", "builder", "prune", "--force", "--max-used-space", KEPT], capture_output=True, check=False)


# What could not be taken away at the end.
LEFT = pytest.StashKey[list[str]]()


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print what tests have measured, what each unit and tier took, and the table of answer sets and checks."""
    reports = [report for listed in terminalreporter.stats.values() for report in listed if hasattr(report, "duration")]
    figures = [(report.nodeid, report.capstdout.strip()) for report in terminalreporter.stats.get("passed", [])]
    if any(printed for _, printed in figures):
        terminalreporter.section("figures")
        for test, printed in figures:
            if printed:
                terminalreporter.line(f"{test}\n    " + printed.replace("\n", "\n    "))
    collected = _collected(config)
    units = collected["units"]
    took: dict[str, float] = defaultdict(float)
    for report in reports:
        took[units.get(report.nodeid, report.nodeid)] += report.duration
    terminalreporter.section("seconds of one lane, by unit and by tier")
    tiers: dict[str, float] = defaultdict(float)
    for name, seconds in sorted(took.items(), key=lambda pair: -pair[1]):
        tiers[name.partition("/")[0]] += seconds
        if not name.startswith("static/"):
            terminalreporter.line(f"{seconds:>8.0f}  {name}")
    for name, seconds in tiers.items():
        terminalreporter.line(f"{seconds:>8.0f}  {name}: all of it")
    for said, chosen in zip(("deep tests of what changed", "left to ./run nightly"), collected["deep"], strict=True):
        if chosen:
            terminalreporter.line(f"{said}: {', '.join(chosen)}")
    for left in config.stash.get(LEFT, []):
        terminalreporter.line(f"not removed: {left}")
    if config.getoption("--record"):
        broken = {units.get(report.nodeid) for report in reports if report.outcome != "passed"}
        lanes.record({name: seconds for name, seconds in took.items() if not name.startswith("static/") and name not in broken})
    if config.getoption("--table"):
        _table(terminalreporter)


def _table(terminalreporter: Any) -> None:
    """Print a line for each answer set, and a column for each check of it."""
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
    terminalreporter.line(f"\n{len(rows)} answer sets × {len(checks)} checks = {sum(len(row) for row in rows.values())} cells")
