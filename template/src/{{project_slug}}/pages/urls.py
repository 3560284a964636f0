"""URLs that browsers and crawlers request at the root of every site."""

from django.urls import path

from .views import favicon, robots

urlpatterns = [
    path("favicon.ico", favicon),
    path("robots.txt", robots),
]
