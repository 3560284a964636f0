"""What tasks did."""

from django.db import models


class Row(models.Model):
    """An effect, which there may be once."""

    key = models.CharField(max_length=100, unique=True)

    def __str__(self) -> str:
        return self.key


class Attempt(models.Model):
    """A task that began."""

    key = models.CharField(max_length=100, db_index=True)
    at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.key


class Counter(models.Model):
    """How many effects there were in all."""

    value = models.IntegerField(default=0)

    def __str__(self) -> str:
        return str(self.value)
