"""The model in the admin."""

from django.contrib import admin

from .models import File

admin.site.register(File)
