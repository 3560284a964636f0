"""Build the images of ``compose.yml``, or push them: ``pdm run build``, ``pdm run push``."""

import os
import shutil
import subprocess
import sys

from config.environment import ROOT


def git(*arguments: str) -> str:
    """Return what git prints, or nothing where there is no git, no repository or no commit."""
    try:
        return subprocess.run(  # noqa: S603
            ["git", *arguments],  # noqa: S607
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def commit() -> dict[str, str]:
    """Return what the images say of the commit that they are built from.

    Returns:
        ``REVISION``, its hash, with ``-dirty`` where files have changed since, and
        ``SOURCE_DATE_EPOCH``, its time in seconds: equal sources make equal images
        (https://reproducible-builds.org/docs/source-date-epoch/). Nothing without a commit.
    """
    revision = git("rev-parse", "HEAD")
    if not revision:
        return {}
    changed = git("status", "--porcelain", "--", ".")
    return {
        "REVISION": f"{revision}-dirty" if changed else revision,
        "SOURCE_DATE_EPOCH": git("log", "-1", "--format=%ct"),
    }


def main(arguments: list[str]) -> int:
    """Run a command of Compose on the images of production.

    Args:
        arguments: ``build`` or ``push``, and what Compose takes with it.

    Returns:
        The exit code.
    """
    docker = shutil.which("docker")
    if docker is None:
        sys.stderr.write(
            "Docker is not installed: get it from https://docs.docker.com/get-started/.\n"
        )
        return 1
    command = [docker, "compose", "--file", "compose.yml", *arguments]
    # Compose wants the password of the database for anything; images have no use for it.
    environment = commit() | {"DB_PASSWORD": "none"} | os.environ
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode  # noqa: S603


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
