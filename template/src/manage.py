#!/usr/bin/env python
"""Django's command-line utility: ``python src/manage.py help`` lists the commands."""

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    # A command needs a connection, and no pool of them.
    os.environ.setdefault("DATABASE_POOL_MAX_SIZE", "0")
    execute_from_command_line(sys.argv)
