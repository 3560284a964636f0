"""An application for a project that is tried: rows with files, a page of them, and answers that are large."""

from pathlib import Path

from conftest import add_application

FILES = {
    "__init__.py": "",
    "migrations/__init__.py": "",
    "models.py": """
from django.db import models


class Note(models.Model):
    text = models.TextField()
    file = models.FileField(blank=True)
""",
    "migrations/0001_initial.py": """
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    operations = [
        migrations.CreateModel(
            name="Note",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("text", models.TextField()),
                ("file", models.FileField(blank=True, upload_to="")),
            ],
        ),
    ]
""",
    "views.py": """
from django.http import HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from .models import Note


@csrf_exempt
def notes(request):
    if request.method == "POST":
        Note.objects.create(text=request.POST.get("text", ""), file=request.FILES.get("file"))
    return JsonResponse({note.text[:40]: note.file.url if note.file else "" for note in Note.objects.order_by("id")})


def large(request):
    return HttpResponse(b"large" * 200_000)
""",
}


def add_notes(project: Path) -> None:
    """Add the application to a project, as its owner would: ``/notes/`` lists notes and takes new ones."""
    package = add_application(project, "notes", FILES)
    urls = project / "src/config/urls.py"
    routes = "path('notes/', views.notes),\n    path('notes/large/', views.large),"
    text = f"from {package}.notes import views\n" + urls.read_text()
    urls.write_text(text.replace("urlpatterns = [", f"urlpatterns = [\n    {routes}", 1))
