"""The folders of the frontend, and the reload of development."""

import re
from collections.abc import Callable
from subprocess import CompletedProcess

import pytest
from django.contrib.staticfiles import finders
from pytest_django import Settings
from runtime.environment import base_dir


def constant(name: str) -> str:
    """Return a constant of the gulpfile."""
    gulpfile = (base_dir / "gulpfile.mjs").read_text()
    found = re.search(rf'^const {name} = "(.+)";$', gulpfile, re.MULTILINE)
    assert found, name
    return found[1]


def test_django_finds_what_gulp_builds_first(settings: Settings) -> None:
    target = base_dir / constant("TARGET")
    assert ([target] if target.is_dir() else []) == settings.STATICFILES_DIRS
    assert settings.STATICFILES_FINDERS[0].endswith("FileSystemFinder")
    assert (base_dir / constant("SOURCE") / "styles").is_dir()


@pytest.mark.parametrize("name", ["STYLES", "SCRIPTS"])
def test_each_file_that_gulp_builds_has_a_plain_counterpart(name: str) -> None:
    assert finders.AppDirectoriesFinder().find(constant(name))


@pytest.mark.parametrize(
    ("variables", "sources"),
    [
        ({}, ["'self'"]),
        ({"DEBUG": "true"}, ["'self'", "*:3000"]),
        ({"DEBUG": "true", "RELOAD_PORT": "3001"}, ["'self'", "*:3001"]),
    ],
)
def test_policy_allows_the_reload_in_development_only(
    start: Callable[..., CompletedProcess[str]], variables: dict[str, str], sources: list[str]
) -> None:
    code = "from config.settings import CONTENT_SECURITY_POLICY as p; print(*p['DIRECTIVES']['connect-src'])"
    assert start("-c", code, **variables).stdout.split() == sources
