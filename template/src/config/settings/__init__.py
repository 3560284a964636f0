"""Django's settings, a module per topic. Each name is defined once, in the module of its topic.

https://docs.djangoproject.com/en/5.2/ref/settings/
"""

import sys

from environs import EnvError

from config.environment import explain

try:
    from .apps import *
    from .auth import *
    from .base import *
    from .cache import *
    from .csp import *
    from .database import *
    from .internationalization import *
    from .logging import *
    from .mail import *
    from .prefix import *
    from .security import *
    from .static import *
    from .templates import *
    from .uploads import *
except EnvError as error:
    # One line instead of a traceback: whoever reads it is about to fix an environment, not code.
    sys.exit(f"{explain(error)} See docs/settings.md; `pdm run env` writes a .env for development.")
