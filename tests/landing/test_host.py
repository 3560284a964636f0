"""Projects that cover the questionnaire, on the host: linted, typed, and their own tests and those of the runtime passed. Each is a unit of its own."""

from collections.abc import Callable
from pathlib import Path

import pytest
from projects import LAPTOP, add_runtime_tests, facts_of
from questionnaire import answers_of
from tools import all_passed, run

pytestmark = pytest.mark.unit("host_row")


def test_lint_and_tests_of_a_project_pass(host_row: str, project: Callable[[str], Path]) -> None:
    folder = project(host_row)
    run("pdm", "run", "lint", cwd=folder, env=LAPTOP, timeout=600)
    add_runtime_tests(folder, facts_of(answers_of(host_row)))
    print(all_passed(run("pdm", "run", "test", cwd=folder, timeout=600)))
