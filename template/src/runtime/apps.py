"""The app of the runtime package: its commands and its logging."""

from django.apps import AppConfig


class RuntimeConfig(AppConfig):
    """What the template maintains: docs/runtime.md."""

    name = "runtime"

    def ready(self) -> None:
        """Send the loggers of structlog to those of the standard library, which are set up by now."""
        from .logging import configure_structlog

        configure_structlog()
