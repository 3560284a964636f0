"""The command of the production image, as the Dockerfile has it, with the server of the project."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from runtime.environment import base_dir

DOCKERFILE = (base_dir / "Dockerfile").read_text()
COMMAND = json.loads(DOCKERFILE.rpartition("\nCMD ")[2].partition("\n")[0])

VARIABLES = {
    "PYTHONPATH": "../../src",
    "WEB_CONCURRENCY": "2",
    "WEB_THREADS": "4",
    "WEBSOCKET_HEARTBEAT": "20",
    "WEBSOCKET_MAX_SIZE": "65536",
}


# A server that has no use for a variable has none in its image.
CASES = [
    ("WEB_CONCURRENCY", "0", "greater than or equal to 1"),
    ("WEB_CONCURRENCY", "x", "valid integer"),
    ("WEB_CONCURRENCY", "", "valid integer"),
    ("WEB_THREADS", "x", "valid integer"),
]


@pytest.mark.parametrize(
    ("variable", "value", "rule"),
    [("SECRET_KEY", "short", "at least 50"), *[case for case in CASES if f"{case[0]}=" in DOCKERFILE]],
)
def test_invalid_variable_ends_the_server_with_one_line(variable: str, value: str, rule: str) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    server = subprocess.run(
        COMMAND,
        cwd=base_dir / "docker" / "app",
        env={**os.environ, **VARIABLES, "PATH": path, variable: value},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert server.returncode == 1
    assert server.stdout == ""
    (line,) = server.stderr.splitlines()
    assert variable in line
    assert rule in line
