"""What every page says about the site, also those that have no context, such as 500.html."""

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
    """Return what the site is for, in one sentence, or nothing."""
    return settings.SITE_DESCRIPTION


@register.simple_tag
def asset(path: str) -> str:
    """Return the URL of a static file, as ``{% static %}`` does, but never raise.

    Where nothing was collected, a page for errors must still be one that people can read.
    """
    try:
        return static(path)
    except ValueError:
        return f"{settings.STATIC_URL}{path}"


@register.simple_tag
def site_root() -> str:
    """Return the path where the site begins, whichever page stands there."""
    return get_script_prefix()
