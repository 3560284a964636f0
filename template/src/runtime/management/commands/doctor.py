"""``manage.py doctor``: try every component."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from runtime.components import COMPONENTS, check


class Command(BaseCommand):
    """Use each component as the site does, and print the results."""

    help = "Tries every component and prints a table. Exits with 1 if one fails."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add ``--skip``."""
        parser.add_argument(
            "--skip",
            action="append",
            default=[],
            choices=[component.name for component in COMPONENTS],
            help="leave this component out, such as mail; may be given more than once",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print a line for each component.

        Raises:
            CommandError: when a component fails; it names them all.
        """
        chosen = [component for component in COMPONENTS if component.name not in options["skip"]]
        width = max(len(component.name) for component in COMPONENTS)
        failing = []
        for component in chosen:
            result = check(component, thorough=True)
            word = self.style.SUCCESS("ok    ") if result.works else self.style.ERROR("FAILED")
            time = f"{result.seconds * 1000:6.0f} ms"
            self.stdout.write(f"{component.name:<{width}}  {word}  {time}  {result.detail}")
            if not result.works:
                failing.append(component.name)
        if failing:
            message = f"Not working: {', '.join(failing)}."
            raise CommandError(message)
