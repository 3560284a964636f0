"""Mail, from ``EMAIL_URL``.

https://docs.djangoproject.com/en/5.2/topics/email/
"""

from email.utils import formataddr

import dj_email_url

from runtime.environment import env, url_validator

from .base import SITE_NAME, site_host


def _parse(url: str) -> None:
    """Raise an error where the URL of a mail server names no host."""
    parts = dj_email_url.parse(url)
    if parts["EMAIL_PORT"] and not parts["EMAIL_HOST"]:
        raise ValueError(url)


# smtps means STARTTLS to dj-email-url and TLS from the first byte elsewhere. Unambiguous are
# submission://host for the one and smtp://host:465?ssl=true for the other.
_check = url_validator(
    dj_email_url.SCHEMES.keys() - {"smtps"}, "submission://user:password@host", _parse
)
_parts = dj_email_url.parse(env.str("EMAIL_URL", "", validate=_check) or "console://")

EMAIL_BACKEND = _parts["EMAIL_BACKEND"]
EMAIL_HOST = _parts["EMAIL_HOST"]
EMAIL_PORT = _parts["EMAIL_PORT"]
EMAIL_HOST_USER = _parts["EMAIL_HOST_USER"]
EMAIL_HOST_PASSWORD = _parts["EMAIL_HOST_PASSWORD"]
EMAIL_USE_TLS = _parts["EMAIL_USE_TLS"]
EMAIL_USE_SSL = _parts["EMAIL_USE_SSL"]
EMAIL_FILE_PATH = _parts["EMAIL_FILE_PATH"]
# Seconds. Django's default is to wait without a limit.
EMAIL_TIMEOUT = 10

_sender = formataddr((SITE_NAME, f"noreply@{site_host}"))
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", "") or _sender
SERVER_EMAIL = DEFAULT_FROM_EMAIL
