#!/usr/bin/env python
"""Run ``src/manage.py`` from where people look for it: ``python manage.py help``."""

import runpy
import sys
from pathlib import Path

if __name__ == "__main__":
    source = Path(__file__).resolve().parent / "src"
    sys.path[0] = str(source)
    runpy.run_path(str(source / "manage.py"), run_name="__main__")
