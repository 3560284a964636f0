"""What nightly modules share: images of development, whose folder is somebody else's than root."""

import os
from collections.abc import Callable

import pytest
from containers import Site

Source = Callable[..., Site]


@pytest.fixture(scope="session")
def developer() -> tuple[int, int]:
    """The user and the group of somebody who develops; where the tests are root's, those of nobody in particular."""
    return (os.getuid(), os.getgid()) if os.getuid() else (1234, 1235)


@pytest.fixture(scope="session")
def development(source: Source, developer: tuple[int, int]) -> Callable[[str], Site]:
    """Build the image of development of an answer set, once; the folder is the developer's."""
    built: dict[str, Site] = {}

    def build(name: str) -> Site:
        if name not in built:
            made = source(name)
            uid, gid = developer
            arguments = ["--build-arg", f"UID={uid}", "--build-arg", f"GID={gid}", "--tag", made.image]
            made.stage("dev", *arguments)
            (made.folder / ".venv").unlink()
            for path in [made.folder, *made.folder.rglob("*")]:
                os.chown(path, uid, gid, follow_symlinks=False)
            built[name] = made
        return built[name]

    return build
