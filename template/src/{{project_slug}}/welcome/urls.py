"""The start page, and the part of it that is fetched again."""

from django.urls import path

from .views import components, home

app_name = "welcome"
urlpatterns = [
    path("", home, name="home"),
    path("components/", components, name="components"),
]
