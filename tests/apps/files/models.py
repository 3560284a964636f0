"""A file."""

from django.db import models


class File(models.Model):
    """What somebody uploaded."""

    file = models.FileField(upload_to="files")

    def __str__(self) -> str:
        return str(self.file)
