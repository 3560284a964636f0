"""The cache in Redis: its settings, and a server that is down."""

import socket
from collections.abc import Callable, Iterator
from subprocess import CompletedProcess

import pytest
from django.core.cache import cache
from pytest_django import Settings
from runtime.components import cache as component
from runtime.components import check

Start = Callable[..., CompletedProcess[str]]

PROGRAM = "import config.settings as s; c = s.CACHES['default']; print(c['BACKEND'], c.get('KEY_PREFIX'))"


@pytest.mark.parametrize(
    ("url", "backend"),
    [
        (None, "django.core.cache.backends.locmem.LocMemCache None"),
        ("rediss://ada:a%40b@cache.example:6380/15?ssl_cert_reqs=required", "django_redis.cache.RedisCache staging"),
        ("unix:///run/redis.sock?db=1", "django_redis.cache.RedisCache staging"),
    ],
)
def test_cache_is_in_redis_where_a_url_is_set(start: Start, url: str | None, backend: str) -> None:
    program = start("-c", PROGRAM, REDIS_URL=url, APP_NAME="staging")
    assert program.stdout.strip() == backend, program.stderr


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("redis:///0", "it is not understood"),
        ("redis://:hunter2@cache:6379/one", "it is not understood"),
        ("redis://:hunter2@cache?patience=1", "it is not understood"),
    ],
)
def test_malformed_url_stops_the_program_without_showing_it(refusal: Callable[[str, str], str], url: str, reason: str) -> None:
    assert reason in refusal("REDIS_URL", url)


@pytest.fixture
def frozen() -> Iterator[int]:
    """The port of a server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture(params=["down", "frozen"])
def dead_redis(request: pytest.FixtureRequest, settings: Settings, frozen: int) -> None:
    """A cache whose server refuses connections, or does not answer."""
    from config.settings import cache as module  # noqa: PLC0415 - the settings of the process

    port = frozen if request.param == "frozen" else 9
    settings.CACHES = {"default": {**module._redis, "LOCATION": f"redis://127.0.0.1:{port}/0"}}


@pytest.mark.usefixtures("dead_redis")
def test_dead_redis_is_a_cache_miss() -> None:
    cache.set("key", "value")
    assert cache.get("key") is None
    assert cache.get("key", "default") == "default"
    cache.delete("key")


@pytest.mark.usefixtures("dead_redis")
def test_dead_redis_fails_in_doctor() -> None:
    result = check(component.component, thorough=True)
    assert not result.works
    assert "could not be read" in result.detail
    # Two calls, one second each.
    assert result.seconds < 3
