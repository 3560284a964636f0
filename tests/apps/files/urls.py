"""The address of the view."""

from django.urls import path

from .views import seen

urlpatterns = [path("seen/", seen)]
