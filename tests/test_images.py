"""The images of a generated project: built, run, looked into, and pushed."""

import base64
import hashlib
import json
import os
import re
import shutil
import time
import tomllib
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from conftest import ISOLATED, SETS, all_passed, change, commit, copier, eventually, get, git, need, run
from containers import Site, answering, container, docker, healthy, inspect, names, published, registry, saved, state
from packaging.markers import Marker
from questionnaire import ROOT, Rules
from test_docs import commands
from test_project import PRODUCTION

STAGES = ["python_builder", "node_builder", "gulp_builder", "django_builder", "dev", "prod", "nginx"]

# What a careful operator takes away from a container.
HARDENED = ["--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]  # noqa: S108
PRODUCED = [part for key, value in PRODUCTION.items() for part in ("--env", f"{key}={value}")]

# Nothing listens there.
NOWHERE = "http://127.0.0.1:9"

Source = Callable[..., Site]
Handler = type[BaseHTTPRequestHandler]


@pytest.fixture(scope="session")
def named() -> Iterator[dict[str, str]]:
    """The names of everything that these tests make."""
    with names() as env:
        yield env


@pytest.fixture(scope="session")
def source(
    render: Callable[[str], Path], environment: Path, named: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Source:
    """Make a copy of an answer set that is a repository, may be changed, and whose images are named as nobody else's."""

    def make(name: str = "default") -> Site:
        folder = tmp_path_factory.mktemp("source") / "project"
        shutil.copytree(render(name), folder)
        git("init", "--quiet", cwd=folder)
        # A folder of that name is ignored; here it is a link.
        (folder / ".git/info/exclude").write_text(".venv\n")
        (folder / ".venv").symlink_to(environment)
        commit(folder, "Start")
        return Site(folder, named | {"APP_IMAGE_TAG": folder.parent.name})

    return make


@pytest.fixture(scope="session")
def site(source: Source, named: dict[str, str]) -> Site:
    """The default project after ``pdm run build``. Not to be changed: clone it."""
    made = replace(source(), env=named)
    made.build()
    return made


@pytest.fixture(scope="session")
def developer() -> tuple[int, int]:
    """The user and the group of somebody who develops; where the tests are root's, those of nobody in particular."""
    return (os.getuid(), os.getgid()) if os.getuid() else (1234, 1235)


@pytest.fixture(scope="session")
def development(source: Source, developer: tuple[int, int]) -> Callable[[str], Site]:
    """Build the image of development of an answer set, once; the folder is the developer's."""
    built: dict[str, Site] = {}

    def build(name: str) -> Site:
        if name not in built:
            made = source(name)
            uid, gid = developer
            arguments = ["--build-arg", f"UID={uid}", "--build-arg", f"GID={gid}", "--tag", made.image]
            made.stage("dev", *arguments)
            (made.folder / ".venv").unlink()
            for path in [made.folder, *made.folder.rglob("*")]:
                os.chown(path, uid, gid, follow_symlinks=False)
            built[name] = made
        return built[name]

    return build


def clone(site: Site, folder: Path, tag: str) -> Site:
    """Clone the repository of a project, as another machine would have it."""
    git("clone", "--quiet", str(site.folder), str(folder), cwd=site.folder)
    (folder / ".git/info/exclude").write_text(".venv\n")
    (folder / ".venv").symlink_to((site.folder / ".venv").resolve())
    return Site(folder, site.env | {"APP_IMAGE_TAG": tag})


def seconds(action: Callable[[], object]) -> float:
    """Return how long something takes."""
    started = time.monotonic()
    action()
    return time.monotonic() - started


# Seconds that `copier --version` takes on the machine for which the bounds were set.
REFERENCE = 0.42


def within(bound: float, measured: list[float], what: str) -> None:
    """Print figures, and fail where none is within the bound: whatever else the machine does makes them larger.

    A slower machine, or one whose processors others use, too, is given as much longer as ``copier --version`` takes on it.
    """
    own = min(seconds(lambda: copier("--version", cwd=ROOT)) for _ in range(5))
    allowed = bound * max(1, own / REFERENCE)
    figures = ", ".join(f"{took:.1f}" for took in measured)
    print(f"{what}: {figures} s, {bound} s are allowed, which is {allowed:.1f} s at the pace of this machine")
    assert min(measured) <= allowed


def cached(printed: str, step: str) -> bool:
    """Return whether the step of a build that holds a text came from the cache, for all images that need it."""
    numbers = set(re.findall(rf"^#(\d+) \[[^\]]+ \d+/\d+\] RUN .*{re.escape(step)}", printed, re.MULTILINE))
    ended = {number: re.findall(rf"^#{number} (CACHED|DONE)\b", printed, re.MULTILINE) for number in numbers}
    assert numbers, printed
    assert all(ended.values()), printed
    return all(set(words) == {"CACHED"} for words in ended.values())


# Stages


@pytest.mark.parametrize("name", ["default", "frontend=none"])
def test_every_stage_builds_by_its_name(name: str, source: Source) -> None:
    made = source(name)
    documented = re.findall(r"^\| `(\w+)` ", (made.folder / "docs/images.md").read_text(), re.MULTILINE)
    expected = [stage for stage in STAGES if name == "default" or stage not in {"node_builder", "gulp_builder"}]
    assert documented == expected
    for stage in expected:
        print(f"{stage}: {seconds(lambda stage=stage: made.stage(stage)):.1f} s")  # type: ignore[misc]
    if name == "frontend=none":
        printed = made.stage("prod")
        assert not re.search("node|pnpm|gulp", printed)
        made.stage("gulp_builder", code=1)


@pytest.mark.parametrize("name", ["python_version=3.13", "frontend=none"])
def test_the_site_of_other_answers_is_healthy(name: str, source: Source) -> None:
    made = source(name)
    made.build()
    full = Rules().complete(SETS[name])
    assert full is not None
    with container(made.image, *HARDENED, *PRODUCED, "--volume", "/app/data") as started:
        print(f"healthy after {healthy(started):.1f} s")
        assert f"Python {full['python_version']}." in docker("exec", started, "python", "--version")
        assert f"Python {full['python_version']}." in docker("exec", started, "/opt/venv/bin/python", "--version")


def test_a_lock_that_is_stale_stops_the_build_with_the_way_out(source: Source) -> None:
    made = source()
    change(made.folder / "pyproject.toml", "dependencies = [\n", 'dependencies = [\n    "requests",\n')
    printed = made.build(code=1)
    lines = [line for line in printed.splitlines() if re.search(r"^#\d+ [\d.]+ pdm\.lock is stale", line)]
    assert len(lines) == 1, printed
    assert lines[0].endswith("pdm.lock is stale: run 'pdm lock --update-reuse', commit it and build again.")
    assert not re.search(r"^#\d+ .*Install .* successful", printed, re.MULTILINE)
    print(lines[0])


@pytest.mark.parametrize("changed", ["package.json", "pnpm-lock.yaml"])
def test_packages_of_the_frontend_that_differ_from_their_lock_stop_the_build(changed: str, source: Source) -> None:
    made = source()
    text = (made.folder / changed).read_text()
    pattern = r'("gulp": ")[\d.]+' if changed == "package.json" else r"(\n      gulp:\n        specifier: )[\d.]+"
    assert re.search(pattern, text)
    (made.folder / changed).write_text(re.sub(pattern, r"\g<1>4.0.2", text))
    printed = made.stage("node_builder", code=1)
    assert "ERR_PNPM_OUTDATED_LOCKFILE" in printed
    assert "frozen-lockfile" in printed


# What runs


@pytest.fixture(scope="module")
def running(site: Site) -> Iterator[str]:
    """A container of production, which may write nothing but its data."""
    with container(site.image, *HARDENED, *PRODUCED, "--volume", "/app/data", "--publish", "127.0.0.1::8000") as started:
        print(f"healthy after {healthy(started):.1f} s")
        yield started


def test_the_image_says_what_it_is(site: Site) -> None:
    config = inspect(site.image)["Config"]
    env = dict(entry.split("=", 1) for entry in config["Env"])
    assert config["User"] == "1000:1000"
    assert docker("run", "--rm", site.image, "id") == "uid=1000(web) gid=1000(web) groups=1000(web)"
    assert env["PATH"].startswith("/opt/venv/bin:")
    assert env["PYTHONPATH"] == "/app/src"
    assert env["DJANGO_SETTINGS_MODULE"] == "config.settings"
    assert not re.search("SECRET|PASSWORD|TOKEN", "".join(env))
    label = {key.removeprefix("org.opencontainers.image."): value for key, value in config["Labels"].items()}
    assert label["version"] == "1.2.3"
    assert label["revision"] == git("rev-parse", "HEAD", cwd=site.folder).strip()
    assert (label["title"], label["licenses"]) == ("my_site", "MIT")


# Run inside: every module that can be compiled is, by a file that is never compared with its source (PEP 552).
COMPILED = """
import importlib.util, sys
from pathlib import Path
wrong, good = [], 0
for path in [*Path("/opt/venv/lib").rglob("*.py"), *Path("/app/src").rglob("*.py")]:
    module = Path(importlib.util.cache_from_source(path))
    if module.exists() and int.from_bytes(module.read_bytes()[4:8], "little") == 0b01:
        good += 1
        continue
    try:
        compile(path.read_bytes(), path, "exec")
    except SyntaxError:
        continue
    wrong.append(str(path))
print(good, *wrong)
"""


def test_every_module_is_compiled_for_good(site: Site) -> None:
    good, *wrong = docker("run", "--rm", site.image, "python", "-c", COMPILED).split()
    print(f"{good} modules")
    assert not wrong
    assert int(good) > 1000


def test_no_tool_that_builds_is_in_the_image(site: Site) -> None:
    tools = ["gcc", "cc", "g++", "make", "node", "npm", "pnpm", "pdm", "git"]
    found = docker("run", "--rm", site.image, "sh", "-c", f"for tool in {' '.join(tools)}; do command -v $tool; done; true")
    assert found == ""


def test_nothing_of_the_build_is_left_in_the_image(site: Site) -> None:
    everything = docker("run", "--rm", "--user", "0", site.image, "find", "/", "-xdev", "-not", "-path", "/proc/*").split("\n")
    assert len(everything) > 3000
    unwanted = r"\.map$|/\.env|/\.git(/|$)|/\.cache\b|/\.npmrc$|/\.netrc$|/node_modules\b|\.po$|^/roo[t]/.+/|^/app/(tests|frontend|docs)\b"
    assert [path for path in everything if re.search(unwanted, path)] == []
    at_home = {path.split("/")[2] for path in everything if path.startswith("/app/")}
    assert at_home == {"data", "entrypoint.py", "gunicorn.conf.py", "healthcheck.py", "manage.py", "src", "staticfiles"}
    assert [path for path in everything if path.startswith("/app/data/")] == ["/app/data/media"]


def test_the_site_is_healthy_with_nothing_but_its_data_to_write(running: str, site: Site) -> None:
    assert get(f"{published(running)}/health/live") == (200, get(f"{published(running)}/health/live")[1])
    docker("exec", running, "python", "src/manage.py", "migrate", "--verbosity", "0")
    docker("exec", running, "python", "src/manage.py", "doctor")
    assert get(f"{published(running)}/health/ready")[0] == 200
    assert docker("exec", running, "sh", "-c", "touch /app/x 2>&1 || true").endswith("Read-only file system")
    assert not re.search("error|warn|traceback", docker("logs", running), re.IGNORECASE), docker("logs", running)
    assert docker("diff", running) == ""
    # Where it could write elsewhere, it does not.
    with container(site.image, *PRODUCED, "--volume", "/app/data", "--tmpfs", "/tmp") as free:  # noqa: S108
        healthy(free)
        docker("exec", free, "python", "src/manage.py", "migrate", "--verbosity", "0")
        assert docker("diff", free) == ""


def test_the_site_ends_when_it_is_told_to(site: Site) -> None:
    with container(site.image, *HARDENED, *PRODUCED) as started:
        healthy(started)
        took = seconds(lambda: docker("stop", started))
        print(f"stopped after {took:.1f} s")
        assert state(started)["ExitCode"] == 0
        assert took < 5


def test_a_site_that_does_not_answer_is_not_healthy(site: Site) -> None:
    with container(site.image, *PRODUCED, command=("sleep", "60")) as started:
        printed = docker("exec", started, "python", "healthcheck.py", code=1)
    assert re.fullmatch(r"/health/live: .*refused", printed)


def test_a_missing_secret_key_ends_a_container_with_one_line(site: Site) -> None:
    with container(site.image, *HARDENED) as started:
        eventually(lambda: not state(started)["Running"], "it does not end", 20)
        printed = docker("logs", started)
        assert state(started)["ExitCode"] == 1
    assert re.fullmatch(r'Environment variable "SECRET_KEY" not set\..*', printed)
    print(printed)


def test_the_image_lists_the_packages_of_the_lock_and_no_others(site: Site) -> None:
    lock = tomllib.loads((site.folder / "pdm.lock").read_text())["package"]
    here = {"python_version": "3.14", "python_full_version": "3.14.0", "sys_platform": "linux", "platform_system": "Linux"}
    needed = {
        re.sub(r"[-_.]+", "-", package["name"]).lower(): package["version"]
        for package in lock
        if "default" in package["groups"]
        and Marker(package.get("marker", "python_version > '3'")).evaluate({**here, "os_name": "posix"})
    }
    documented = next(line for line in commands(site.folder / "docs/images.md") if line.endswith(" list"))
    listing = json.loads(docker("run", "--rm", site.image, *documented.split()[4:], "--format", "json"))
    assert {re.sub(r"[-_.]+", "-", package["name"]).lower(): package["version"] for package in listing} == needed
    assert "django" in needed
    assert not needed.keys() & {"pytest", "ruff", "mypy", "django-stubs"}
    print(f"{len(needed)} packages of {len(lock)}")


# What is sent to a build


def test_what_belongs_to_a_machine_never_reaches_a_build(source: Source, tmp_path: Path) -> None:
    made = source()
    canary = "a canary that must not be sent"
    planted = [
        ".env", "src/.env", "src/config/.env.local", ".venv-old/lib/x.py", "node_modules/x/index.js", "data/db.sqlite3",
        "src/config/__pycache__/x.cpython-314.pyc", "src/locale/x.mo", "static/core/site.css", "staticfiles/x.css",
        "frontend/.DS_Store", ".pytest_cache/x", ".mypy_cache/x", ".ruff_cache/x", ".netrc", ".npmrc", "tests/x.py", "dump.sql",
    ]  # fmt: skip
    for name in planted:
        path = made.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(canary)
    (made.folder / ".git/canary").write_text(canary)
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text("FROM scratch\nCOPY . /\n")
    context = tmp_path / "context"
    run("docker", "build", "--file", dockerfile, "--output", context, ".", cwd=made.folder, env=made.env)
    arrived = {path.relative_to(context).as_posix() for path in context.rglob("*") if path.is_file()}
    assert not [name for name in arrived if canary in (context / name).read_text(errors="ignore")]
    allowed = (
        "docker/app/", "docker/dev/", "docker/nginx/", "frontend/", "src/", "static/.gitignore", "gulpfile.mjs", "manage.py", "package.json", "pdm.lock", "pnpm-lock.yaml",
        "pnpm-workspace.yaml", "pyproject.toml",
    )  # fmt: skip
    tracked = git("ls-files", cwd=made.folder).splitlines()
    assert arrived == {name for name in tracked if name.startswith(allowed)}
    print(f"{len(arrived)} files of {len(tracked)}, {sum((context / name).stat().st_size for name in arrived) // 1000} kB")


# Development


def test_the_image_of_development_serves_what_is_mounted(
    development: Callable[[str], Site], developer: tuple[int, int]
) -> None:
    made = development("default")
    mounted = ["--volume", f"{made.folder}:/app", "--publish", "127.0.0.1::8000"]
    with container(made.image, *mounted) as started:
        url = f"{published(started)}/"

        def shows(text: str) -> bool:
            try:
                return text in get(url)[1]
            except OSError:
                assert state(started)["Running"], docker("logs", started)
                return False

        print(f"the first page after {eventually(lambda: shows('My Site'), 'it does not answer', 60):.1f} s")
        docker("exec", started, "sh", "-c", "pytest --version && ruff --version && mypy --version")
        docker("exec", "--workdir", "/app/src", started, "python", "manage.py", "startapp", "letters")
        written = [made.folder / ".env", made.folder / "data/db.sqlite3", *(made.folder / "src/letters").rglob("*")]
        assert len(written) > 7
        assert {(path.stat().st_uid, path.stat().st_gid) for path in written} == {developer}
        change(made.folder / "src/config/settings/base.py", 'SITE_NAME = "My Site"', 'SITE_NAME = "Our Site"')
        print(f"reloaded after {eventually(lambda: shows('Our Site'), 'it does not reload'):.1f} s")
        took = seconds(lambda: docker("stop", started))
        print(f"stopped after {took:.1f} s")
        assert took < 5
    change(made.folder / "src/config/settings/base.py", "Our Site", "My Site")
    shutil.rmtree(made.folder / "src/letters")


@pytest.mark.parametrize("name", ["default", "python_version=3.13"])
def test_the_tests_of_a_project_pass_in_its_image_of_development(name: str, development: Callable[[str], Site]) -> None:
    made = development(name)
    printed = docker("run", "--rm", "--network", "none", "--volume", f"{made.folder}:/app", made.image, "pdm", "run", "test")
    full = Rules().complete(SETS[name])
    assert full is not None
    assert f"python {full['python_version']}." in printed
    print(all_passed(printed))


# Packages that are not public

PASSWORD = "canary-of-a-password"  # noqa: S105 - of the index below
PRIVATE = "quay-of-the-owner"


def wheel(folder: Path) -> Path:
    """Write a package that is on no public index."""
    module, version = PRIVATE.replace("-", "_"), "1.0"
    path = folder / f"{module}-{version}-py3-none-any.whl"
    info = f"{module}-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{module}.py", "")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {PRIVATE}\nVersion: {version}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", f"{module}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
    return path


def private_index(package: Path) -> Handler:
    """Return an index that shows a package to those who know the password."""
    allowed = f"Basic {base64.b64encode(f'owner:{PASSWORD}'.encode()).decode()}"
    digest = hashlib.sha256(package.read_bytes()).hexdigest()
    page = f'<a href="/{package.name}#sha256={digest}">{package.name}</a>'.encode()

    class Index(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.headers.get("Authorization") != allowed:
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="index"')
                self.end_headers()
                return
            self.send_response(200)
            self.send_header("Content-Type", "text/html" if self.path.startswith("/simple/") else "application/zip")
            self.end_headers()
            self.wfile.write(page if self.path.startswith("/simple/") else package.read_bytes())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Index


# Put into the step that installs: what the agent answers to whom asks for its keys.
# https://datatracker.ietf.org/doc/html/draft-ietf-sshm-ssh-agent
AGENT = (
    "import os, socket; agent = socket.socket(socket.AF_UNIX); agent.connect(os.environ['SSH_AUTH_SOCK']); "
    "agent.sendall(bytes([0, 0, 0, 1, 11])); answer = agent.makefile('rb'); "
    "print('agent:', answer.read(int.from_bytes(answer.read(4), 'big')).hex())"
)


def test_credentials_reach_the_step_that_installs_and_stay_nowhere(source: Source, tmp_path: Path) -> None:
    need("ssh-keygen")
    made = source()
    key = tmp_path / "key"
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key, cwd=tmp_path)
    public = base64.b64decode(key.with_suffix(".pub").read_text().split()[1]).hex()
    netrc = tmp_path / ".netrc"
    netrc.write_text(f"machine 127.0.0.1\nlogin owner\npassword {PASSWORD}\n")
    netrc.chmod(0o600)
    install = "&& pdm install --check --prod --no-editable"
    change(made.folder / "Dockerfile", install, f'&& python -c "{AGENT}" {install}')
    for target in ("prod", "nginx"):
        change(made.folder / "compose.yml", f"      target: {target}\n", f"      target: {target}\n      network: host\n")
    (made.folder / "src/config/canary.txt").write_text("this one is in the image")
    with answering(private_index(wheel(tmp_path))) as port:
        pyproject = made.folder / "pyproject.toml"
        change(pyproject, "dependencies = [\n", f'dependencies = [\n    "{PRIVATE}>=1.0",\n')
        listed = f'name = "private"\nurl = "http://127.0.0.1:{port}/simple"\ninclude_packages = ["{PRIVATE}"]\n'
        pyproject.write_text(f"{pyproject.read_text()}\n[[tool.pdm.source]]\n{listed}")
        run("pdm", "lock", "--update-reuse", cwd=made.folder, env={"HOME": str(tmp_path)})
        commit(made.folder, "Need what is ours")
        refused = made.build("--ssh", f"default={key}", code=1, NETRC="")
        assert f"Install {PRIVATE} 1.0 failed" in refused
        printed = made.build("--ssh", f"default={key}", NETRC=netrc.read_text())
    assert f"Install {PRIVATE} 1.0 successful" in printed
    assert public in printed
    docker("run", "--rm", made.image, "python", "-c", f"import {PRIVATE.replace('-', '_')}")
    # The first line of a key is that of all keys of its kind, which modules hold, too.
    secret = [PASSWORD.encode(), *(line.encode() for line in key.read_text().splitlines()[2:-1] if len(line) > 20)]
    assert len(secret) > 3
    history = docker("history", "--no-trunc", made.image)
    assert not any(line.decode() in history + printed for line in secret)
    held = list(saved(made.image, tmp_path))
    assert any(b"this one is in the image" in content for content in held)
    assert not any(line in content for content in held for line in secret)
    print(f"{len(held)} files of the image, {sum(map(len, held)) // 1000000} MB, hold none of {len(secret)} lines")


# Mirrors


def mirror(asked: list[str], upstream: str, passes: str) -> Handler:
    """Return a mirror that remembers what it was asked for, sends on what matches, and has nothing else."""

    class Mirror(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            known = re.search(passes, self.path)
            self.send_response(302 if known else 404)
            if known:
                self.send_header("Location", upstream + self.path)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing: what was asked for is remembered."""

    return Mirror


def test_mirrors_are_the_defaults_of_arguments(render: Callable[[str], Path]) -> None:
    found = {}
    for name in ("default", "mirrors=china"):
        text = (render(name) / "Dockerfile").read_text()
        found[name] = dict(re.findall(r"^ARG (PIP_INDEX_URL|NPM_CONFIG_REGISTRY|DEBIAN_MIRROR)=?(.*)$", text, re.MULTILINE))
    assert set(found["default"].values()) == {""}
    assert found["default"].keys() == found["mirrors=china"].keys()
    assert found["mirrors=china"] == {
        "PIP_INDEX_URL": "https://pypi.tuna.tsinghua.edu.cn/simple",
        "NPM_CONFIG_REGISTRY": "https://registry.npmmirror.com",
        "DEBIAN_MIRROR": "https://mirrors.tuna.tsinghua.edu.cn",
    }


def python_index() -> str:
    """Return the index that pip takes by itself, without the path of its simple pages."""
    # The pip of pdm's own environment, the first Python on the PATH of tests.
    url = run("python3", "-c", "from pip._internal.models.index import PyPI; print(PyPI.url)", cwd=ROOT)
    return url.strip().rstrip("/")


def npm_registry() -> str:
    """Return the registry that npm takes by itself."""
    need("npm")
    return run("npm", "config", "get", "registry", cwd=ROOT).splitlines()[0].rstrip("/")


def test_a_mirror_of_python_packages_serves_pip_and_pdm(source: Source) -> None:
    made = source("mirrors=china")
    asked: list[str] = []
    with answering(mirror(asked, python_index(), "")) as port:
        index = f"PIP_INDEX_URL=http://127.0.0.1:{port}/simple"
        made.stage("python_builder", "--network", "host", "--build-arg", index)
    assert "/simple/pdm/" in asked
    assert "/simple/django/" in asked
    assert NOWHERE in made.stage(
        "python_builder", "--network", "host", "--build-arg", f"PIP_INDEX_URL={NOWHERE}/simple", code=1
    )


def test_a_mirror_of_npm_serves_npm_and_pnpm(source: Source, named: dict[str, str]) -> None:
    made = source("mirrors=china")
    asked: list[str] = []
    # All but one package: after the first that is missing, pnpm asks for no other.
    with answering(mirror(asked, npm_registry(), "^(?!/gulp/)")) as port:
        # Without the packages that were downloaded before, pnpm has to ask for them.
        address = f"http://127.0.0.1:{port}"
        empty = ["--build-arg", f"BUILDKIT_CACHE_MOUNT_NS={named['APP_NAME']}-npm"]
        arguments = ["--network", "host", *empty, "--build-arg", f"NPM_CONFIG_REGISTRY={address}"]
        printed = made.stage("node_builder", *arguments, code=1)
    assert "/pnpm" in asked
    assert re.search(r"ERR_PNPM_FETCH_404.*" + re.escape(f"{address}/gulp/"), printed), printed
    assert [path for path in asked if path.startswith("/gulp/")]


def test_a_mirror_of_debian_serves_apt(source: Source) -> None:
    made = source("mirrors=china")
    asked: list[str] = []
    with answering(mirror(asked, "http://deb.debian.org", "^/$")) as port:
        arguments = ["--network", "host", "--build-arg", f"DEBIAN_MIRROR=http://127.0.0.1:{port}"]
        printed = made.stage("django_builder", *arguments, code=1)
    assert f"http://127.0.0.1:{port}/debian" in printed
    assert any(path.startswith("/debian/dists/") for path in asked)


# What is built again, and how fast


@pytest.fixture(scope="module")
def rebuilt(site: Site, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Site, float]]:
    """Three clones, the last with a commit of another time, each built without any cache; and the seconds that it took."""
    done = []
    for number in range(3):
        copy = clone(site, tmp_path_factory.mktemp("clone") / "project", f"clone-{number}")
        if number == 2:
            later = ISOLATED | {"GIT_COMMITTER_DATE": "2040-01-01T00:00:00Z"}
            run("git", "commit", "--quiet", "--amend", "--no-edit", cwd=copy.folder, env=later)
        # Nor with what was downloaded before: a namespace of its own is empty.
        empty = f"BUILDKIT_CACHE_MOUNT_NS={copy.env['APP_NAME']}-{number}"
        done.append((copy, seconds(lambda copy=copy, empty=empty: copy.build("--no-cache", "--build-arg", empty))))  # type: ignore[misc]
    return done


@pytest.mark.alone  # the first that needs the builds, which are timed
def test_equal_sources_make_equal_layers(rebuilt: list[tuple[Site, float]]) -> None:
    one, other, later = (inspect(copy.image) for copy, _ in rebuilt)
    packages, code = -2, -1
    assert one["Id"] != later["Id"]
    assert one["RootFS"]["Layers"][packages:] == other["RootFS"]["Layers"][packages:]
    assert one["Created"] == other["Created"] != later["Created"]
    assert one["RootFS"]["Layers"][packages] == later["RootFS"]["Layers"][packages]
    assert one["RootFS"]["Layers"][code] != later["RootFS"]["Layers"][code]
    assert later["Created"].startswith("2040-01-01T00:00:00")


def test_all_images_are_built_within_a_minute(rebuilt: list[tuple[Site, float]]) -> None:
    within(60, [took for _, took in rebuilt], "all images, without any cache")


CHANGED = {
    "src/config/urls.py": ("\nCHANGED = {}\n", 5, []),
    "frontend/styles/htmx.css": ("\n.changed {{ order: {}; }}\n", 8, ["gulp build"]),
}


@pytest.mark.alone
@pytest.mark.parametrize("path", CHANGED)
def test_a_changed_line_is_built_without_installing_anything(path: str, site: Site, tmp_path: Path) -> None:
    line, bound, runs = CHANGED[path]
    copy = clone(site, tmp_path / "project", path.rpartition(".")[2])
    measured = []
    for number in range(3):
        with (copy.folder / path).open("a") as file:
            file.write(line.format(time.time_ns() + number))
        started = time.monotonic()
        printed = copy.build()
        measured.append(time.monotonic() - started)
        for step in ("pdm install", "pnpm install", "gulp build", "apt-get"):
            assert cached(printed, step) == (step not in runs), printed
    within(bound, measured, f"after a line of {path}")


def test_a_changed_lock_is_installed(site: Site, tmp_path: Path) -> None:
    copy = clone(site, tmp_path / "project", "lock")
    with (copy.folder / "pdm.lock").open("a") as file:
        file.write(f"# {time.time_ns()}\n")
    printed = copy.stage("prod")
    assert not cached(printed, "pdm install")
    assert cached(printed, "pnpm install")
    assert cached(printed, "gulp build")


def test_the_image_is_small(site: Site) -> None:
    megabytes = inspect(site.image)["Size"] / 1e6
    layers = docker("history", "--format", "{{.Size}}\t{{.CreatedBy}}", site.image).splitlines()
    print(f"{megabytes:.0f} MB", *(line[:100] for line in layers if not line.startswith("0B")), sep="\n")
    # 40 of them are daphne's, with Twisted and cryptography.
    assert megabytes <= 300


# Names, releases and documents


def test_a_release_is_pushed_under_its_name(site: Site, named: dict[str, str]) -> None:
    with registry() as (address, manifests):
        name = f"{address}/{named['APP_NAME']}"
        release = replace(site, env=named | {"APP_IMAGE_NAME": name, "APP_IMAGE_TAG": "4.5.6"})
        release.build()
        run("pdm", "run", "push", cwd=site.folder, env=release.env)
        arrived = json.loads(manifests[f"{named['APP_NAME']}:4.5.6"])
    assert arrived["config"]["digest"] == inspect(release.image)["Id"]


def test_without_a_daemon_a_build_says_so(site: Site) -> None:
    printed = site.build(code=1, DOCKER_HOST="unix:///nonexistent.sock")
    assert "Cannot connect to the Docker daemon at unix:///nonexistent.sock" in printed
    assert "Traceback" not in printed


def test_images_for_several_processors_are_planned(source: Source) -> None:
    made = source()
    platforms = "*.platform=linux/amd64,linux/arm64"
    printed = run("docker", "buildx", "bake", "--file", "compose.yml", "--print", "--set", platforms, cwd=made.folder)
    planned, _ = json.JSONDecoder().raw_decode(printed[printed.index("{\n") :])
    assert planned["target"].keys() == set(planned["group"]["default"]["targets"])
    for target in planned["target"].values():
        assert ",".join(target["platforms"]) == "linux/amd64,linux/arm64"


@pytest.mark.parametrize("name", ["default", "frontend=none", "mirrors=china", "nasty", "long", "short"])
def test_docker_finds_nothing_to_say_about_its_files(name: str, render: Callable[[str], Path], named: dict[str, str]) -> None:
    run("docker", "compose", "--file", "compose.yml", "config", "--quiet", cwd=render(name), env=named)
    assert "no warnings found" in run("docker", "build", "--check", ".", cwd=render(name))


def test_every_command_about_images_works(site: Site, named: dict[str, str], tmp_path: Path) -> None:
    env = named | {"APP_IMAGE_TAG": "documented"}
    (tmp_path / ".netrc").write_text(f"machine 127.0.0.1 login owner password {PASSWORD}\n")
    need("ssh-agent")
    copy = clone(site, tmp_path / "project", "documented")
    run("pdm", "run", "env", cwd=copy.folder)
    with registry() as (address, manifests):
        for line in commands(copy.folder / "docs/images.md"):
            # The image has another name, the registry is of this test, and home is elsewhere.
            command = line.replace("registry.example.com/my_site", f"{address}/{named['APP_NAME']}").replace("~", str(tmp_path))
            command = re.sub(r"(?<= )my_site\b", f"{named['APP_NAME']}/site:documented", command)
            if command.startswith("export "):
                env |= dict(word.split("=", 1) for word in command.split()[1:])
                continue
            if "--platform" in command or ".platform" in command or "--sbom" in command:
                # Docker's own builder makes neither: what is asked of another one is printed.
                command = command.replace("--push", "--print")
            if "--ssh" in command:
                command = f"ssh-agent {command}"
            run("sh", "-c", command, cwd=copy.folder, env=env, timeout=600)
        assert sorted(manifests) == [f"{named['APP_NAME']}-nginx:1.0.0", f"{named['APP_NAME']}:1.0.0"]
