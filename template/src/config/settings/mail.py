"""Mail, from ``EMAIL_URL``.

https://docs.djangoproject.com/en/5.2/topics/email/
"""

from email.utils import formataddr

import dj_email_url

from config.environment import env, url_of

from .base import SITE_HOST, SITE_NAME

_check = url_of(dj_email_url.SCHEMES, "submission://user:password@host", dj_email_url.parse)
_url = env.str("EMAIL_URL", "console://", validate=_check)
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

DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", formataddr((SITE_NAME, f"noreply@{SITE_HOST}")))
SERVER_EMAIL = DEFAULT_FROM_EMAIL
