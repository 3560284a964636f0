"""Templates: each app has its own folder.

https://docs.djangoproject.com/en/5.2/ref/settings/#templates
"""

from .base import DEBUG

_loaders = ["django.template.loaders.app_directories.Loader"]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "OPTIONS": {
            # No cache in development: `pdm run watch` reloads the browser before the server has
            # noticed the change of a template.
            "loaders": _loaders if DEBUG else [("django.template.loaders.cached.Loader", _loaders)],
            "context_processors": [
                "django.template.context_processors.debug",
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
