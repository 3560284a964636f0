"""Mail, from ``EMAIL_URL``.

https://docs.djangoproject.com/en/5.2/topics/email/
"""

from email.utils import formataddr

import dj_email_url
from environs import ValidationError

from runtime.environment import env, url_of

from .base import SITE_HOST, SITE_NAME

# smtps means STARTTLS to dj-email-url and TLS from the first byte elsewhere. What is clear is
# submission://host for the one and smtp://host:465?ssl=true for the other.
_well_formed = url_of(
    dj_email_url.SCHEMES.keys() - {"smtps"}, "submission://user:password@host", dj_email_url.parse
)


def check_url(url: str) -> None:
    """Refuse a URL that is malformed, and one of a mail server that names none.

    Args:
        url: the value of ``EMAIL_URL``.

    Raises:
        ValidationError: the message does not show the value.
    """
    _well_formed(url)
    parts = dj_email_url.parse(url)
    if parts["EMAIL_PORT"] and not parts["EMAIL_HOST"]:
        raise ValidationError("it names no host.")


_url = env.str("EMAIL_URL", "console://", validate=check_url)
_parts = dj_email_url.parse(_url)

EMAIL_BACKEND = _parts["EMAIL_BACKEND"]
EMAIL_HOST = _parts["EMAIL_HOST"]
EMAIL_PORT = _parts["EMAIL_PORT"]
EMAIL_HOST_USER = _parts["EMAIL_HOST_USER"]
EMAIL_HOST_PASSWORD = _parts["EMAIL_HOST_PASSWORD"]
EMAIL_USE_TLS = _parts["EMAIL_USE_TLS"]
EMAIL_USE_SSL = _parts["EMAIL_USE_SSL"]
EMAIL_FILE_PATH = _parts["EMAIL_FILE_PATH"]
# Seconds. A mail server that does not answer must not hold a request for minutes.
EMAIL_TIMEOUT = 10

_sender = formataddr((SITE_NAME, f"noreply@{SITE_HOST}"))
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", _sender) or _sender
SERVER_EMAIL = DEFAULT_FROM_EMAIL
