"""Writing .env."""

import stat
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from config import dotenv


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / ".env.example").write_text("A_KEY=\nB_PASSWORD=\nC_TOKEN=fixed\n# D_KEY=\nDEBUG=\n")
    return tmp_path


def test_each_empty_secret_gets_a_value_of_its_own(folder: Path) -> None:
    dotenv.write(folder)

    a, b, *others = (folder / ".env").read_text().splitlines()
    assert len(a) >= len("A_KEY=") + 50
    assert a.removeprefix("A_KEY=") != b.removeprefix("B_PASSWORD=")
    assert len(b) >= len("B_PASSWORD=") + 50
    assert others == ["C_TOKEN=fixed", "# D_KEY=", "DEBUG="]


def test_nobody_else_can_read_it(folder: Path) -> None:
    dotenv.write(folder)

    assert stat.S_IMODE((folder / ".env").stat().st_mode) == 0o600


def test_a_file_that_exists_keeps_its_text(folder: Path) -> None:
    (folder / ".env").write_text("A_KEY=mine\n")

    assert "stays" in dotenv.write(folder)
    assert (folder / ".env").read_text() == "A_KEY=mine\n"
    assert stat.S_IMODE((folder / ".env").stat().st_mode) == 0o600


def test_what_it_writes_is_all_that_development_needs(
    start: Callable[..., CompletedProcess[str]],
) -> None:
    nothing = {"SECRET_KEY": None, "ALLOWED_HOSTS": None}
    written = start("-m", "config.dotenv", **nothing)
    started = start("-c", "import config.settings", **nothing)

    assert written.stdout
    assert (written.returncode, started.returncode) == (0, 0), written.stderr + started.stderr


@pytest.mark.parametrize(("arguments", "said"), [([], "written\n"), (["--quiet"], "")])
def test_it_says_what_it_did_unless_asked_not_to(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    said: str,
) -> None:
    monkeypatch.setattr(dotenv, "write", lambda: "written")

    dotenv.main(arguments)

    assert capsys.readouterr().out == said
