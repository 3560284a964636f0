"""Every command of the documents about services, in one stack of the default project."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from documents import adapt, commands, play
from stack import DEVELOPMENT_FILES, Stack, stack

PASSWORD = {"DB_PASSWORD": "password-of-the-test"}


@pytest.fixture(scope="module")
def documented(stack_folder: Callable[[], Path], stack_images: dict[str, str]) -> Iterator[Stack]:
    """A stack of these tests alone, whose database they replace."""
    folder = stack_folder()
    with stack(folder, **stack_images, **PASSWORD) as site:
        site.compose("up", "--detach", "--wait", attempts=2)
        sqlite3.connect(folder / "data/db.sqlite3").close()
        (folder / "backups").chmod(0o777)
        yield site


@pytest.mark.parametrize("document", ["docs/celery.md", "docs/database.md", "docs/proxy.md"])
def test_every_command_for_a_service_works(document: str, documented: Stack) -> None:
    listed = commands(documented.folder / document)
    development = "docker compose up --detach --wait broker"
    production = listed[: listed.index(development)] if development in listed else listed
    for command in production:
        play(adapt(command, documented.env), documented.folder, documented.env)
    if production != listed:
        with stack(documented.folder, COMPOSE_FILE=DEVELOPMENT_FILES, **PASSWORD) as site:
            for command in listed[len(production) :]:
                play(adapt(command, site.env), site.folder, site.env)
    assert document != "docs/database.md" or (documented.folder / "backups/before-upgrade/database.dump").exists()
