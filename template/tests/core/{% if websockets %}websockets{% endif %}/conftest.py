"""The layer of these tests is in memory, whatever this machine has."""

import pytest
from pytest_django import Settings


@pytest.fixture(autouse=True)
def layer(settings: Settings) -> None:
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
