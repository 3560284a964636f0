"""The images of a generated project: built, run, looked into, and pushed."""

import base64
import hashlib
import re
import shutil
import time
import zipfile
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from containers import Site, answering, cached, clone, container, docker, inspect, published, registry, saved, state
from documents import commands
from load import bounded
from projects import ISOLATED, commit
from questionnaire import RULES, answers_of
from tools import all_passed, change, eventually, get, need, run, seconds

STAGES = ["python_builder", "node_builder", "gulp_builder", "django_builder", "dev", "prod", "proxy"]

Source = Callable[..., Site]

Handler = type[BaseHTTPRequestHandler]


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
        bounded("docker stop", took, 5)
    change(made.folder / "src/config/settings/base.py", "Our Site", "My Site")
    shutil.rmtree(made.folder / "src/letters")


@pytest.mark.parametrize("name", ["default", "python_version=3.13"])
def test_the_tests_of_a_project_pass_in_its_image_of_development(name: str, development: Callable[[str], Site]) -> None:
    made = development(name)
    printed = docker("run", "--rm", "--network", "none", "--volume", f"{made.folder}:/app", made.image, "pdm", "run", "test")
    full = RULES.full(answers_of(name))
    assert f"python {full['python_version']}." in printed
    print(all_passed(printed))


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
    for target in ("prod", "proxy"):
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


@pytest.fixture(scope="module")
def rebuilt(default_images: Site, tmp_path_factory: pytest.TempPathFactory) -> list[Site]:
    """Three clones, the last with a commit of another time, each built without any cache."""
    done = []
    for number in range(3):
        copy = clone(default_images, tmp_path_factory.mktemp("clone") / "project", f"clone-{number}")
        if number == 2:
            later = ISOLATED | {"GIT_COMMITTER_DATE": "2040-01-01T00:00:00Z"}
            run("git", "commit", "--quiet", "--amend", "--no-edit", cwd=copy.folder, env=later)
        # Nor with what was downloaded before: a namespace of its own is empty.
        empty = f"BUILDKIT_CACHE_MOUNT_NS={copy.env['APP_NAME']}-{number}"
        copy.build("--no-cache", "--build-arg", empty)
        done.append(copy)
    return done


def test_equal_sources_make_equal_layers(rebuilt: list[Site]) -> None:
    one, other, later = (inspect(copy.image) for copy in rebuilt)
    packages, code = -2, -1
    assert one["Id"] != later["Id"]
    assert one["RootFS"]["Layers"][packages:] == other["RootFS"]["Layers"][packages:]
    assert one["Created"] == other["Created"] != later["Created"]
    assert one["RootFS"]["Layers"][packages] == later["RootFS"]["Layers"][packages]
    assert one["RootFS"]["Layers"][code] != later["RootFS"]["Layers"][code]
    assert later["Created"].startswith("2040-01-01T00:00:00")


def test_a_changed_lock_is_installed(default_images: Site, tmp_path: Path) -> None:
    copy = clone(default_images, tmp_path / "project", "lock")
    with (copy.folder / "pdm.lock").open("a") as file:
        file.write(f"# {time.time_ns()}\n")
    printed = copy.stage("prod")
    assert not cached(printed, "pdm install")
    assert cached(printed, "pnpm install")
    assert cached(printed, "gulp build")


def test_every_command_about_images_works(default_images: Site, named: dict[str, str], tmp_path: Path) -> None:
    env = named | {"APP_IMAGE_TAG": "documented"}
    (tmp_path / ".netrc").write_text(f"machine 127.0.0.1 login owner password {PASSWORD}\n")
    need("ssh-agent")
    copy = clone(default_images, tmp_path / "project", "documented")
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
        assert sorted(manifests) == [f"{named['APP_NAME']}-proxy:1.0.0", f"{named['APP_NAME']}:1.0.0"]
