"""What a WSGI server runs: ``config.wsgi:application``."""

import gc
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = get_wsgi_application()

# What is loaded by now is never garbage. Nobody looks for any in it: neither during an answer, nor at
# the end, and processes that are forked share its memory.
gc.freeze()
