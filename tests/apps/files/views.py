"""What Django sees of a request."""

from django.http import HttpRequest, JsonResponse


def seen(request: HttpRequest) -> JsonResponse:
    """Return its address, whether it came by TLS, and its headers."""
    meta = {key: value for key, value in request.META.items() if isinstance(value, str)}
    return JsonResponse({"url": request.build_absolute_uri(), "secure": request.is_secure(), "meta": meta})
