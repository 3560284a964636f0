"""A note."""

from django.db import models


class Note(models.Model):
    """A text, and a file."""

    text = models.TextField()
    file = models.FileField(blank=True)

    def __str__(self) -> str:
        return self.text
