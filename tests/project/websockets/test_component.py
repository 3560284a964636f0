"""The component ``websockets``, and its settings."""

import os
import subprocess
import sys
from pathlib import Path

import config
import pytest
from channels.layers import InMemoryChannelLayer, get_channel_layer
from pytest_django import Settings
from runtime.components import check, websockets


@pytest.fixture(autouse=True)
def layer(settings: Settings) -> None:
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}


def test_trial_sends_a_message_and_leaves_nothing() -> None:
    result = check(websockets.component, thorough=True)

    assert result.works
    assert result.detail == "InMemory"
    assert get_channel_layer().channels == {}


def test_lost_message_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    async def lose(*_: object) -> None:
        pass

    monkeypatch.setattr(InMemoryChannelLayer, "send", lose)
    monkeypatch.setattr(websockets, "TIMEOUT", 0.1)

    assert not check(websockets.component).works


@pytest.mark.parametrize(
    ("variable", "value"), [("WEBSOCKET_MAX_SIZE", "64k"), ("WEBSOCKET_MAX_RATE", "0"), ("WEBSOCKET_HEARTBEAT", "60")]
)
def test_malformed_variable_is_named(variable: str, value: str) -> None:
    command = [sys.executable, "-c", "import config.settings"]
    cwd = Path(config.__path__[0]).parent
    program = subprocess.run(command, cwd=cwd, env={**os.environ, variable: value}, capture_output=True, text=True, check=False)

    assert program.returncode == 1
    (line,) = program.stderr.splitlines()
    assert variable in line
