"""Protection of the site and its visitors.

https://docs.djangoproject.com/en/5.2/topics/security/
https://docs.djangoproject.com/en/5.2/howto/deployment/checklist/
"""

from environs import ValidationError, validate

from runtime.environment import each, env

from .base import DEBUG, site_host


def _check_secret_key(value: str) -> None:
    """Apply the rule of ``check --deploy`` (security.W009)."""
    if len(value) < 50 or len(set(value)) < 5 or value.startswith("django-insecure-"):
        raise ValidationError("use at least 50 random characters.")


SECRET_KEY = env.str("SECRET_KEY", validate=_check_secret_key)

# A name, a domain with all of its subdomains (.example.com), an address, or anything (*).
_check_hosts = each(
    r"\*|\.?[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*|\[[0-9A-Fa-f:.]+\]",
    f"write host names with commas between, such as {site_host}, without scheme, port or path.",
)
_check_origins = each(
    r"https?://[^/\s]+", f"write scheme and host with commas between, such as https://{site_host}."
)

# With DEBUG, this machine is enough.
ALLOWED_HOSTS: list[str] = (
    env.list("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"], str.strip, validate=_check_hosts)
    if DEBUG
    else env.list(
        "ALLOWED_HOSTS",
        subcast=str.strip,
        validate=[validate.Length(min=1, error="name at least one host."), _check_hosts],
    )
)
CSRF_TRUSTED_ORIGINS: list[str] = env.list(
    "CSRF_TRUSTED_ORIGINS", [], str.strip, validate=_check_origins
)

# Only where a proxy in front sets X-Forwarded-Proto itself: otherwise any client could claim https.
SECURE_PROXY_SSL_HEADER = (
    ("HTTP_X_FORWARDED_PROTO", "https") if env.bool("BEHIND_PROXY", False) else None
)

SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", not DEBUG)
SESSION_COOKIE_SECURE = not DEBUG
CSRF_COOKIE_SECURE = not DEBUG
CSRF_COOKIE_HTTPONLY = True

# Seconds for which browsers insist on TLS: an hour until TLS is known to work, then a year (31536000).
# Subdomains and the preload list concern the whole domain, not only this site.
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", 3600, validate=validate.Range(min=0))
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.bool("SECURE_HSTS_INCLUDE_SUBDOMAINS", False)
SECURE_HSTS_PRELOAD = env.bool("SECURE_HSTS_PRELOAD", False)
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]

X_FRAME_OPTIONS = "DENY"
