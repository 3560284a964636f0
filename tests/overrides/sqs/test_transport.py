"""Kombu's SQS transport stops to receive after an error: the reason for ``src/runtime/celery/transport.py`` in projects."""

from collections.abc import Callable
from pathlib import Path

import pytest
from projects import run_program

GONE = (
    "kombu's SQS transport receives again after a response that is an error: delete src/runtime/celery/transport.py, "
    "its line in src/config/settings/broker.py, and the condition on it in src/runtime/celery/worker.py"
)


@pytest.fixture
def receives(project: Callable[[str], Path]) -> Callable[[str], int]:
    """Count the receives of a transport from an SQS whose first response is an error."""
    folder = project("default")

    def count(transport: str) -> int:
        return int(run_program("receives", transport, environment=folder / ".venv", cwd=folder, env={"PYTHONPATH": "src"}))

    return count


def test_unmodified_transport_stops_to_receive_after_an_error(receives: Callable[[str], int]) -> None:
    found = receives("kombu.transport.SQS:Transport")
    print(f"unmodified, {found} receives")
    assert found, "nothing was received"
    assert found == 1, GONE


def test_transport_of_a_project_receives_again(receives: Callable[[str], int]) -> None:
    assert receives("runtime.celery.transport:Transport") > 1
