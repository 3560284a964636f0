"""What browsers and crawlers ask for at the root of every site."""

from django.urls import path
from django.views.generic import TemplateView

from .views import favicon

urlpatterns = [
    path("favicon.ico", favicon),
    path("robots.txt", TemplateView.as_view(template_name="robots.txt", content_type="text/plain")),
]
