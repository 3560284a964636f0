"""What every page says about the site, also those that have no context, such as 500.html."""

from django import template
from django.conf import settings
from django.urls import get_script_prefix

register = template.Library()


@register.simple_tag
def site_name() -> str:
    """Return the name of the site."""
    return settings.SITE_NAME


@register.simple_tag
def site_root() -> str:
    """Return the path where the site begins, whichever page stands there."""
    return get_script_prefix()
