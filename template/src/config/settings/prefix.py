"""The path under which the site stands, where it shares a host with others.

The proxy takes the path away before it passes a request on, and Django puts it before every URL.
https://docs.djangoproject.com/en/5.2/ref/settings/#force-script-name
"""

import re

from environs import ValidationError

from runtime.environment import env

PREFIX = re.compile(r"(/(?!\.+(/|$))[A-Za-z0-9._-]+)*")


def check_prefix(prefix: str) -> None:
    """Refuse a path that could not be put before others.

    Args:
        prefix: the value of ``URL_PREFIX``.

    Raises:
        ValidationError: when it does not begin with / or ends with it, or has other characters.
    """
    if not PREFIX.fullmatch(prefix):
        raise ValidationError(
            "write a path such as /shop: / first and not last, letters, digits and . _ - between."
        )


URL_PREFIX = env.str("URL_PREFIX", "", validate=check_prefix)

FORCE_SCRIPT_NAME = URL_PREFIX or None

# Another site on the same host has cookies of its own.
SESSION_COOKIE_PATH = f"{URL_PREFIX}/"
CSRF_COOKIE_PATH = f"{URL_PREFIX}/"
LANGUAGE_COOKIE_PATH = f"{URL_PREFIX}/"
