"""Configuration from environment variables, typed and validated.

Variables of the process win over those of ``.env``, the file for development. ``ENV_FILE`` names
another file; when it is empty, no file is read. ``docs/settings.md`` describes the other variables.
https://github.com/sloria/environs
"""

import os
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from urllib.parse import urlsplit

from environs import Env, EnvError, EnvValidationError, ValidationError, validate

# The folder of the project. Lower case, because the settings import it and it is no setting.
base_dir = Path(__file__).resolve().parents[2]

env = Env()

_file = os.environ.get("ENV_FILE", ".env")
if _file:
    try:
        env.read_env(base_dir / _file, recurse=False)
    except (OSError, ValueError) as error:
        sys.exit(f"{base_dir / _file} cannot be read: {error}.")


def explain(error: EnvError) -> str:
    """Return in one line which variable is invalid and why, without its value: it may be a secret."""
    if not isinstance(error, EnvValidationError):
        return f"{error}."
    subject = str(error).partition(" invalid: ")[0]
    messages = error.error_messages
    reasons = messages if isinstance(messages, list) else [str(messages)]
    return f"{subject} is invalid: {' '.join(map(str, reasons))}"


def each(pattern: str, message: str) -> Callable[[list[str]], None]:
    """Return a validator for lists: every value must match the whole pattern.

    Args:
        pattern: a regular expression.
        message: the error for a value that does not match.
    """
    check = validate.Regexp(rf"(?:{pattern})\Z", error=message)

    def check_all(values: list[str]) -> None:
        for value in values:
            check(value)

    return check_all


def url_validator(
    schemes: Collection[str], example: str, parse: Callable[[str], object]
) -> Callable[[str], None]:
    """Return a validator for URLs that may hold a user and a password. An empty value is valid.

    It refuses another scheme, a port that is no number, and reserved characters in the credentials,
    which must be percent-encoded (https://www.rfc-editor.org/rfc/rfc3986#section-2.2). Its messages
    do not show the URL.

    Args:
        schemes: the valid schemes.
        example: a valid URL, for the message.
        parse: reads the URL; raises ValueError or TypeError where it is invalid.
    """

    def check(url: str) -> None:
        if not url:
            return
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
        if credentials and not parts.hostname:
            raise ValidationError("it names a user and no host.")
        try:
            parse(url)
        except (TypeError, ValueError):
            message = f"it is not understood: write it as {example}."
            raise ValidationError(message) from None

    return check
