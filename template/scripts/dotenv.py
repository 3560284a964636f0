"""Write ``.env`` from ``.env.example``, with a fresh value for every secret that is empty there."""

import argparse
import re
import secrets
import sys
from pathlib import Path

from runtime.environment import ROOT

SECRET = re.compile(r"^(\w+_(?:KEY|PASSWORD|TOKEN))=$", re.MULTILINE)


def write(root: Path = ROOT) -> str:
    """Write ``.env`` where there is none. Others on this machine cannot read it, also if it was there.

    Args:
        root: the folder of the project.

    Returns:
        A sentence that says what was done.
    """
    path = root / ".env"
    if path.exists():
        path.chmod(0o600)
        return f"{path} stays as it is: delete it first if you want fresh secrets."
    example = (root / ".env.example").read_text(encoding="utf-8")
    path.touch(mode=0o600)
    path.write_text(
        SECRET.sub(lambda match: f"{match[1]}={secrets.token_urlsafe(48)}", example),
        encoding="utf-8",
    )
    return f"{path} is written, with fresh secrets."


def main(arguments: list[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quiet", action="store_true", help="say nothing")
    options = parser.parse_args(arguments)
    sentence = write()
    if not options.quiet:
        sys.stdout.write(sentence + "\n")


if __name__ == "__main__":
    main()
