"""Views that belong to no page."""

from django.http import HttpRequest, HttpResponseRedirect
from django.templatetags.static import static
from django.views.decorators.cache import cache_control


@cache_control(max_age=86400, public=True)
def favicon(_request: HttpRequest) -> HttpResponseRedirect:
    """Lead to the icon: browsers ask for /favicon.ico where a page links none."""
    return HttpResponseRedirect(static("core/favicon.ico"))
