"""What people send: how much of it, and who may read it.

https://docs.djangoproject.com/en/5.2/topics/http/file-uploads/
"""

import re

from environs import ValidationError

from runtime.environment import env

SIZE = re.compile(r"(\d+)([kmg]?)", re.ASCII | re.IGNORECASE)
UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30}


def check_size(size: str) -> None:
    """Refuse a size that a proxy would not understand.

    Args:
        size: the value of ``CLIENT_MAX_BODY_SIZE``.

    Raises:
        ValidationError: when it is no number, or has another unit.
    """
    if not SIZE.fullmatch(size):
        raise ValidationError("write a number with k, m or g, such as 100M; 0 sets no limit.")


def _bytes(size: str) -> int | None:
    """Return a size as Django writes it, where no limit is None."""
    number, unit = SIZE.fullmatch(size).groups()  # type: ignore[union-attr] # it was checked
    return int(number) * UNITS[unit.lower()] or None


# One variable for the site and for the proxy in front, which refuses what is larger before it is here.
# https://nginx.org/en/docs/http/ngx_http_core_module.html#client_max_body_size
DATA_UPLOAD_MAX_MEMORY_SIZE = _bytes(env.str("CLIENT_MAX_BODY_SIZE", "100M", validate=check_size))

# The web server that serves the media is another user.
FILE_UPLOAD_PERMISSIONS = 0o644
FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o755
