"""The environment: what a machine decides comes from here, typed and checked.

Variables of the process win over those of ``.env``, the file of a development machine. ``ENV_FILE``
names another file; empty, none is read. ``docs/settings.md`` describes each of the others.
"""

import os
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from urllib.parse import urlsplit

from environs import Env, EnvError, EnvValidationError, ValidationError

ROOT = Path(__file__).resolve().parents[2]

env = Env()

_file = os.environ.get("ENV_FILE", ".env")
if _file:
    try:
        env.read_env(ROOT / _file, recurse=False)
    except (OSError, ValueError) as error:
        sys.exit(f"{ROOT / _file} cannot be read: {error}.")


def explain(error: EnvError) -> str:
    """Say in one line which variable is wrong and why, without its value: it may be a secret."""
    if not isinstance(error, EnvValidationError):
        return f"{error}."
    subject = str(error).partition(" invalid: ")[0]
    messages = error.error_messages
    reasons = messages if isinstance(messages, list) else [str(messages)]
    return f"{subject} is invalid: {' '.join(map(str, reasons))}"


def url_of(
    schemes: Collection[str], example: str, parse: Callable[[str], object]
) -> Callable[[str], None]:
    """Make a check for URLs that hold a user and a password.

    Args:
        schemes: the schemes that are understood.
        example: what such a URL looks like.
        parse: what will read the URL; it raises ValueError for one that it does not understand.

    Returns:
        A function that raises ValidationError for a URL that would be read as something else than
        was meant: another scheme, no port number, or characters that must be percent-encoded
        (https://www.rfc-editor.org/rfc/rfc3986#section-2.2). It does not show the URL.
    """

    def check(url: str) -> None:
        scheme, separator, rest = url.partition("://")
        if not separator or scheme not in schemes:
            message = f"write it as {example}."
            raise ValidationError(message)
        # A path alone, as of sqlite:///data/db.sqlite3, has no user and may hold any character.
        credentials = "" if rest.startswith("/") else rest.rpartition("@")[0]
        if any(mark in credentials for mark in "@/#?") or credentials.count(":") > 1:
            raise ValidationError(
                "characters such as @ : / # ? in the user or the password must be "
                "percent-encoded, as %40 %3A %2F %23 %3F."
            )
        try:
            parts = urlsplit(url)
            parts.port  # noqa: B018 - reading it checks it
        except ValueError:
            raise ValidationError("the port is not a number from 0 to 65535.") from None
        try:
            parse(url)
        except ValueError:
            message = f"it is not understood: write it as {example}."
            raise ValidationError(message) from None
        if credentials and not parts.hostname:
            raise ValidationError("it names a user and no host.")

    return check
