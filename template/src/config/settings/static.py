"""Static files, and the media that people upload.

https://docs.djangoproject.com/en/5.2/howto/static-files/
"""

from config.environment import ROOT

# Hashes in the names let browsers keep a file for ever: a new release has new names.
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage",
    },
}

STATIC_URL = "/static/"
STATIC_ROOT = ROOT / "data" / "static"

MEDIA_URL = "/media/"
MEDIA_ROOT = ROOT / "data" / "media"
