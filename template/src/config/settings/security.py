"""What protects the site and its visitors.

https://docs.djangoproject.com/en/5.2/topics/security/
https://docs.djangoproject.com/en/5.2/howto/deployment/checklist/
"""

import re

from environs import ValidationError, validate

from runtime.environment import env

from .base import DEBUG, SITE_HOST

# A name, a domain with all of its subdomains (.example.com), an address, or anything (*).
HOST = re.compile(r"\*|\.?[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*|\[[0-9A-Fa-f:.]+\]")
ORIGIN = re.compile(r"https?://[^/\s]+")


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
    """Refuse what no request can match: scheme, port or path, and an empty list.

    Args:
        hosts: the values of ``ALLOWED_HOSTS``.

    Raises:
        ValidationError: for the first that is wrong.
    """
    if not any(hosts):
        raise ValidationError(f"name at least one host, such as {SITE_HOST}.")
    for host in filter(None, hosts):
        if not HOST.fullmatch(host):
            message = f"write host names with commas between, such as {SITE_HOST}, without scheme, port or path."
            raise ValidationError(message)


def check_origins(origins: list[str]) -> None:
    """Refuse what no request can match: an origin is a scheme and a host.

    Args:
        origins: the values of ``CSRF_TRUSTED_ORIGINS``.

    Raises:
        ValidationError: for the first that is wrong.
    """
    for origin in filter(None, origins):
        if not ORIGIN.fullmatch(origin):
            message = f"write scheme and host with commas between, such as https://{SITE_HOST}."
            raise ValidationError(message)


SECRET_KEY = env.str("SECRET_KEY", validate=check_secret_key)

# Where DEBUG is on, this machine is enough.
_hosts: list[str] = (
    env.list("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"], str.strip, validate=check_hosts)
    if DEBUG
    else env.list("ALLOWED_HOSTS", subcast=str.strip, validate=check_hosts)
)
ALLOWED_HOSTS = list(filter(None, _hosts))

_origins: list[str] = env.list("CSRF_TRUSTED_ORIGINS", [], str.strip, validate=check_origins)
CSRF_TRUSTED_ORIGINS = list(filter(None, _origins))

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
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", 3600, validate=validate.Range(min=0))
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.bool("SECURE_HSTS_INCLUDE_SUBDOMAINS", False)
SECURE_HSTS_PRELOAD = env.bool("SECURE_HSTS_PRELOAD", False)
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]

X_FRAME_OPTIONS = "DENY"
