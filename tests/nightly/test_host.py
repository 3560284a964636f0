"""Every answer set that no change runs on the host: linted, typed, and its own tests and those of the runtime passed. Each is a unit of its own."""

from collections.abc import Callable
from pathlib import Path

import pytest
from projects import LAPTOP, add_runtime_tests, facts_of
from questionnaire import HOST_ROWS, SETS, answers_of
from tools import all_passed, run

pytestmark = pytest.mark.unit("name")


@pytest.mark.parametrize("name", [name for name in SETS if name not in HOST_ROWS])
def test_lint_and_tests_of_every_other_project_pass(name: str, project: Callable[[str], Path]) -> None:
    folder = project(name)
    run("pdm", "run", "lint", cwd=folder, env=LAPTOP, timeout=600)
    add_runtime_tests(folder, facts_of(answers_of(name)))
    print(all_passed(run("pdm", "run", "test", cwd=folder, timeout=600)))
