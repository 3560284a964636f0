"""The application."""

from django.apps import AppConfig


class FilesConfig(AppConfig):
    """Named after the package that it is in."""

    name = __package__ or ""
