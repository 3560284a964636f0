"""What tests of the template's own parts share; they run in a generated project, as ``tests/runtime`` of it."""

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from runtime.environment import base_dir

# The least that production needs.
PRODUCTION = {
    "SECRET_KEY": "Xk3vQ9-not-a-secret-but-long-and-varied-enough-Zt7wB2mJ",
    "ALLOWED_HOSTS": "testserver",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the project without ``.env``, which belongs to this machine."""
    root = tmp_path / "project"
    for name in ("src", "scripts"):
        shutil.copytree(base_dir / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(base_dir / ".env.example", root)
    return root


@pytest.fixture
def start(folder: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Start Python in the copy, with the variables of production. None removes a variable."""

    def run(*arguments: str, **variables: str | None) -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": "src",
            "DJANGO_SETTINGS_MODULE": "config.settings",
            **PRODUCTION,
            **variables,
        }
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=folder,
            env={name: value for name, value in environment.items() if value is not None},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.fixture
def refusal(start: Callable[..., subprocess.CompletedProcess[str]]) -> Callable[[str, str | None], str]:
    """Return the one line by which the settings refuse the value of a variable. It names the variable and shows no secret."""

    def refuse(variable: str, value: str | None) -> str:
        program = start("-c", "import config.settings", **{variable: value})
        assert program.returncode == 1
        assert program.stdout == ""
        (line,) = program.stderr.splitlines()
        assert variable in line
        assert "hunter2" not in line
        return line

    return refuse


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """The options of each task that is sent to the broker, in a project with Celery."""
    import celery  # noqa: PLC0415 - a project without Celery has neither
    from config import celery_app  # noqa: PLC0415

    options: list[dict[str, Any]] = []
    monkeypatch.setattr(celery.Celery, "send_task", lambda *_, **sent: options.append(sent))
    celery_app.conf.task_always_eager = False
    yield options
    celery_app.conf.task_always_eager = True


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Make a machine that has no programs except those that a test defines, as lines of shell."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CI", raising=False)

    def have(**programs: str) -> None:
        for name, line in programs.items():
            (tmp_path / name).write_text(f"#!/bin/sh\n{line}\n")
            (tmp_path / name).chmod(0o755)

    return have


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Load a module of the folder ``scripts`` that works on an empty folder."""

    def load(name: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location(name, base_dir / "scripts" / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        (tmp_path / "root").mkdir()
        monkeypatch.setattr(module, "ROOT", tmp_path / "root")
        return module

    return load
