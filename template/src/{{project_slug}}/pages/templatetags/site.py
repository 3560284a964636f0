"""Template tags about the site. They need no context, which 500.html does not have."""

from django import template
from django.conf import settings
from django.templatetags.static import static
from django.urls import get_script_prefix

register = template.Library()


@register.simple_tag
def site_name() -> str:
    """Return the name of the site."""
    return settings.SITE_NAME


@register.simple_tag
def site_description() -> str:
    """Return the description of the site, which may be empty."""
    return settings.SITE_DESCRIPTION


@register.simple_tag
def asset(path: str) -> str:
    """Return the URL of a static file, as ``{% static %}`` does, but never raise.

    An error page must be readable even where static files were not collected.
    """
    try:
        return static(path)
    except ValueError:
        return f"{settings.STATIC_URL}{path}"


@register.simple_tag
def site_root() -> str:
    """Return the path of the start page."""
    return get_script_prefix()
