"""Notes, kept and listed."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from .models import Note


@csrf_exempt
def notes(request: HttpRequest) -> JsonResponse:
    """Keep a note that is sent, and return all of them with the addresses of their files."""
    if request.method == "POST":
        Note.objects.create(text=request.POST.get("text", ""), file=request.FILES.get("file"))
    return JsonResponse({note.text[:40]: note.file.url if note.file else "" for note in Note.objects.order_by("id")})


def large(request: HttpRequest) -> HttpResponse:  # noqa: ARG001 - every view gets a request
    """Return a megabyte."""
    return HttpResponse(b"large" * 200_000)
