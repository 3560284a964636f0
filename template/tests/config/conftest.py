"""A copy of the project, whose programs start in an environment of their own."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from runtime.environment import ROOT

# The least that production needs.
PRODUCTION = {
    "SECRET_KEY": "Xk3vQ9-not-a-secret-but-long-and-varied-enough-Zt7wB2mJ",
    "ALLOWED_HOSTS": "testserver",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    # Not .env, which belongs to this machine.
    root = tmp_path / "project"
    shutil.copytree(ROOT / "src", root / "src")
    shutil.copy(ROOT / ".env.example", root)
    return root


@pytest.fixture
def start(project: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    # None takes a variable away.
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
            cwd=project,
            env={name: value for name, value in environment.items() if value is not None},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Make a machine that has no program but those that a test gives to it, as lines of shell."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CI", raising=False)

    def have(**programs: str) -> None:
        for name, line in programs.items():
            (tmp_path / name).write_text(f"#!/bin/sh\n{line}\n")
            (tmp_path / name).chmod(0o755)

    return have
