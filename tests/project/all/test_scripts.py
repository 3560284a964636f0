"""scripts/dotenv.py and scripts/images.py."""

import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from types import ModuleType

import pytest

Machine = Callable[..., None]
Script = Callable[[str], ModuleType]

# A program in the place of Docker: prints its arguments, and the variables about the commit.
DOCKER = 'echo "$@"; echo "${REVISION-none} ${SOURCE_DATE_EPOCH-none}"; exit 3'


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """A folder with an example."""
    (tmp_path / ".env.example").write_text("A_KEY=\nB_PASSWORD=\nC_TOKEN=fixed\n# D_KEY=\nDEBUG=\n")
    return tmp_path


def test_each_empty_secret_gets_its_own_value(script: Script, example: Path) -> None:
    script("dotenv").write(example)
    a, b, *others = (example / ".env").read_text().splitlines()
    assert len(a) >= len("A_KEY=") + 50
    assert a.removeprefix("A_KEY=") != b.removeprefix("B_PASSWORD=")
    assert len(b) >= len("B_PASSWORD=") + 50
    assert others == ["C_TOKEN=fixed", "# D_KEY=", "DEBUG="]
    assert stat.S_IMODE((example / ".env").stat().st_mode) == 0o600


def test_existing_env_file_is_unchanged(script: Script, example: Path) -> None:
    (example / ".env").write_text("A_KEY=mine\n")
    assert "unchanged" in script("dotenv").write(example)
    assert (example / ".env").read_text() == "A_KEY=mine\n"
    assert stat.S_IMODE((example / ".env").stat().st_mode) == 0o600


def test_written_env_file_is_enough_for_development(start: Callable[..., CompletedProcess[str]]) -> None:
    nothing = {"SECRET_KEY": None, "ALLOWED_HOSTS": None}
    written = start("scripts/dotenv.py", **nothing)
    started = start("-c", "import config.settings", **nothing)
    assert written.stdout
    assert (written.returncode, started.returncode) == (0, 0), written.stderr + started.stderr
    assert start("scripts/dotenv.py", "--quiet", **nothing).stdout == ""


@pytest.fixture
def images(script: Script, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, in a folder that is no repository."""
    monkeypatch.delenv("REVISION", raising=False)
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    return script("images")


@pytest.fixture
def repository(images: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder as a repository with a commit."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_COMMITTER_DATE", "1700000000 +0000")
    author = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    for command in (["init"], [*author, "commit", "--allow-empty", "--message", "One"]):
        subprocess.run(["git", *command], cwd=images.ROOT, check=True)
    root: Path = images.ROOT
    return root


def test_missing_docker_is_one_line(machine: Machine, images: ModuleType, capfd: pytest.CaptureFixture[str]) -> None:
    machine()
    assert images.main(["build"]) == 1
    line = capfd.readouterr().err
    assert line.startswith("Docker is not installed")
    assert line.count("\n") == 1


def test_compose_gets_the_arguments_and_returns_its_exit_code(
    machine: Machine, images: ModuleType, capfd: pytest.CaptureFixture[str]
) -> None:
    machine(docker=DOCKER)
    assert images.main(["build", "--no-cache"]) == 3
    command, commit = capfd.readouterr().out.splitlines()
    assert command.startswith("compose --file compose.yml ")
    assert command.endswith(" build --no-cache")
    assert commit == "none none"


def test_images_name_the_commit(images: ModuleType, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clean = images.commit()
    assert clean["SOURCE_DATE_EPOCH"] == "1700000000"
    assert len(clean["REVISION"]) == 40
    (repository / "changed").touch()
    assert images.commit() == {**clean, "REVISION": f"{clean['REVISION']}-dirty"}
    monkeypatch.setenv("PATH", str(tmp_path))
    assert images.commit() == {}


@pytest.mark.usefixtures("repository")
def test_variables_of_the_environment_win_over_the_commit(
    images: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "docker").write_text(f"#!/bin/sh\n{DOCKER}\n")
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("REVISION", "v1")
    images.main(["build"])
    assert capfd.readouterr().out.splitlines()[1] == "v1 1700000000"
