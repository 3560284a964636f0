"""Every answer set that no change runs on the host: linted, typed, and its own tests passed. Each is a unit of its own."""

from collections.abc import Callable
from pathlib import Path

import pytest
from projects import LAPTOP
from questionnaire import HOST_ROWS, SETS
from tools import all_passed, run

pytestmark = pytest.mark.unit("name")


@pytest.mark.parametrize("name", [name for name in SETS if name not in HOST_ROWS])
def test_lint_and_tests_of_every_other_project_pass(name: str, project: Callable[[str], Path]) -> None:
    folder = project(name)
    run("pdm", "run", "lint", cwd=folder, env=LAPTOP, timeout=600)
    print(all_passed(run("pdm", "run", "test", cwd=folder, timeout=600)))
