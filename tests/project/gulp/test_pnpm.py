"""scripts/pnpm.py."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

Machine = Callable[..., None]


@pytest.fixture
def pnpm(script: Callable[[str], ModuleType]) -> ModuleType:
    """The script, in a folder where nothing is installed."""
    return script("pnpm")


@pytest.mark.parametrize(
    ("programs", "message"),
    [
        ({}, "Node.js is not installed"),
        ({"node": "echo v12.22.9"}, "v12.22.9 is too old"),
        ({"node": "echo v99.0.0"}, "pnpm is not installed: npm install --global pnpm@"),
    ],
)
def test_missing_program_is_one_line(
    pnpm: ModuleType, machine: Machine, capfd: pytest.CaptureFixture[str], programs: dict[str, str], message: str
) -> None:
    machine(**programs)
    assert pnpm.main(["install"]) == 1
    line = capfd.readouterr().err
    assert message in line
    assert line.count("\n") == 1


def test_pnpm_gets_the_arguments_and_returns_its_exit_code(
    pnpm: ModuleType, machine: Machine, capfd: pytest.CaptureFixture[str]
) -> None:
    machine(node="echo v99.0.0", pnpm='echo "$@"; exit 3')
    assert pnpm.main(["exec", "gulp"]) == 3
    assert capfd.readouterr().out == "exec gulp\n"


def test_optional_command_is_skipped_with_a_line(pnpm: ModuleType, machine: Machine, capfd: pytest.CaptureFixture[str]) -> None:
    machine(node="echo v99.0.0", pnpm="exit 3")
    assert pnpm.main(["--optional", "exec", "biome"]) == 0
    assert capfd.readouterr().err.startswith("Skipped: exec biome. ")


def test_ci_skips_nothing(pnpm: ModuleType, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine()
    monkeypatch.setenv("CI", "true")
    assert pnpm.main(["--optional", "exec", "biome"]) == 1


def test_optional_command_runs_where_it_is_installed(pnpm: ModuleType, machine: Machine) -> None:
    machine(node="echo v99.0.0", pnpm="exit 3")
    root: Path = pnpm.ROOT
    (root / "node_modules").mkdir()
    assert pnpm.main(["--optional", "exec", "biome"]) == 3
