"""What protects the site and its visitors.

https://docs.djangoproject.com/en/5.2/topics/security/
https://docs.djangoproject.com/en/5.2/howto/deployment/checklist/
"""

from environs import ValidationError

from config.environment import env

from .base import DEBUG, SITE_HOST


def check_secret_key(value: str) -> None:
    """Refuse a key that can be guessed, by the rule of ``check --deploy`` (security.W009).

    Args:
        value: the value of ``SECRET_KEY``.

    Raises:
        ValidationError: the message does not show the value.
    """
    if len(value) < 50 or len(set(value)) < 5 or value.startswith("django-insecure-"):
        raise ValidationError("use at least 50 random characters.")


def check_hosts(hosts: list[str]) -> None:
    """Refuse an empty list: every request would be answered with 400.

    Args:
        hosts: the values of ``ALLOWED_HOSTS``.

    Raises:
        ValidationError: when the list is empty.
    """
    if not any(hosts):
        raise ValidationError(f"name at least one host, such as {SITE_HOST}.")


def check_origins(origins: list[str]) -> None:
    """Refuse an origin without its scheme: it would match no request.

    Args:
        origins: the values of ``CSRF_TRUSTED_ORIGINS``.

    Raises:
        ValidationError: when one has no scheme.
    """
    if not all("://" in origin for origin in origins):
        raise ValidationError(f"write each with its scheme, such as https://{SITE_HOST}.")


SECRET_KEY = env.str("SECRET_KEY", validate=check_secret_key)

# Django itself adds localhost where DEBUG is on and the list is empty.
ALLOWED_HOSTS: list[str] = (
    env.list("ALLOWED_HOSTS", [], str.strip)
    if DEBUG
    else env.list("ALLOWED_HOSTS", subcast=str.strip, validate=check_hosts)
)
CSRF_TRUSTED_ORIGINS: list[str] = env.list(
    "CSRF_TRUSTED_ORIGINS", [], str.strip, validate=check_origins
)

# True only where a proxy in front sets X-Forwarded-Proto itself: anybody else could claim https.
SECURE_PROXY_SSL_HEADER = (
    ("HTTP_X_FORWARDED_PROTO", "https") if env.bool("BEHIND_PROXY", False) else None
)

# https, unless a development machine says otherwise.
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", not DEBUG)
SESSION_COOKIE_SECURE = not DEBUG
CSRF_COOKIE_SECURE = not DEBUG
CSRF_COOKIE_HTTPONLY = True

# Seconds for which browsers refuse to come back without TLS. An hour, until it is known to work; a
# year (31536000) then. Subdomains and the preload list concern the whole domain, not this site.
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", 3600)
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.bool("SECURE_HSTS_INCLUDE_SUBDOMAINS", False)
SECURE_HSTS_PRELOAD = env.bool("SECURE_HSTS_PRELOAD", False)
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]

X_FRAME_OPTIONS = "DENY"
