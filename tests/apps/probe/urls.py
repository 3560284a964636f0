"""The addresses of the views."""

from django.urls import path

from .views import probe, slow

urlpatterns = [path("probe/", probe), path("probe/slow/", slow)]
