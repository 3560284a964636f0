"""Building images, and what they say of the commit that they are built from."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from config import images

Machine = Callable[..., None]

# A program in the place of Docker: prints what it was called with, and what it was told of the commit.
DOCKER = 'echo "$@"; echo "${REVISION-none} ${SOURCE_DATE_EPOCH-none}"; exit 3'


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "project").mkdir()
    monkeypatch.setattr(images, "ROOT", tmp_path / "project")
    monkeypatch.delenv("REVISION", raising=False)
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_COMMITTER_DATE", "1700000000 +0000")
    author = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    for command in (["init"], [*author, "commit", "--allow-empty", "--message", "One"]):
        subprocess.run(["git", *command], cwd=tmp_path / "project", check=True)  # noqa: S607
    return tmp_path / "project"


def test_one_line_says_that_docker_is_missing(
    machine: Machine, capfd: pytest.CaptureFixture[str]
) -> None:
    machine()

    assert images.main(["build"]) == 1
    line = capfd.readouterr().err
    assert line.startswith("Docker is not installed")
    assert line.count("\n") == 1


def test_compose_gets_the_arguments_and_its_exit_code_counts(
    machine: Machine, capfd: pytest.CaptureFixture[str]
) -> None:
    machine(docker=DOCKER)

    assert images.main(["build", "--no-cache"]) == 3
    assert capfd.readouterr().out == "compose --file compose.yml build --no-cache\nnone none\n"


def test_images_say_from_which_commit_they_are(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clean = images.commit()
    assert clean["SOURCE_DATE_EPOCH"] == "1700000000"
    assert len(clean["REVISION"]) == 40

    (repository / "changed").touch()
    assert images.commit() == {**clean, "REVISION": f"{clean['REVISION']}-dirty"}

    monkeypatch.setenv("PATH", str(tmp_path))
    assert images.commit() == {}


@pytest.mark.usefixtures("repository")
def test_what_the_environment_says_of_the_commit_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    docker = tmp_path / "docker"
    docker.write_text(f"#!/bin/sh\n{DOCKER}\n")
    docker.chmod(0o755)
    monkeypatch.setattr("shutil.which", lambda _: str(docker))
    monkeypatch.setenv("REVISION", "v1")

    images.main(["build"])

    assert capfd.readouterr().out.splitlines()[1] == "v1 1700000000"
