"""Write ``.env`` from ``.env.example``, with a random value for each empty secret: ``pdm run env``."""

import re
import secrets
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SECRET = re.compile(r"^(\w+_(?:KEY|PASSWORD|TOKEN))=$", re.MULTILINE)


def write(root: Path = ROOT) -> str:
    """Write ``.env`` where there is none, readable by its owner only.

    Args:
        root: the folder of the project.

    Returns:
        A sentence that says what was done.
    """
    path = root / ".env"
    if path.exists():
        path.chmod(0o600)
        return f"{path} exists and is unchanged: delete it first to get new secrets."
    example = (root / ".env.example").read_text(encoding="utf-8")
    path.touch(mode=0o600)
    path.write_text(
        SECRET.sub(lambda match: f"{match[1]}={secrets.token_urlsafe(48)}", example),
        encoding="utf-8",
    )
    return f"{path} is written, with new secrets."


if __name__ == "__main__":
    sentence = write()
    if "--quiet" not in sys.argv:
        print(sentence)
