"""The channel layer in Redis."""

import os
import subprocess
import sys
from pathlib import Path

import config


def test_layer_is_in_redis_below_the_name_of_the_installation() -> None:
    code = "from config.settings import CHANNEL_LAYERS as c; print(c['default'])"
    variables = {"REDIS_URL": "redis://redis.invalid", "APP_NAME": "shop"}
    cwd = Path(config.__path__[0]).parent
    program = subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, env={**os.environ, **variables}, capture_output=True, text=True, check=True
    )

    assert "RedisPubSubChannelLayer" in program.stdout
    assert "'prefix': 'shop'" in program.stdout
