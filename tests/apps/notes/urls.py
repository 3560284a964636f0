"""The addresses of the views."""

from django.urls import path

from . import views

urlpatterns = [path("notes/", views.notes), path("notes/large/", views.large)]
