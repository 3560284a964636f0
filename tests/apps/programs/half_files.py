"""Saves two files by Django's FileSystemStorage in the folder of the first argument, and prints what is left and what is lost.

The disk takes the first chunk of one file. The other one, a large upload, is moved from another file system by a copy, whose
last write is cut by a limit of the kernel as it would be by a full disk.
"""

import contextlib
import errno
import os
import resource
import signal
import sys
from pathlib import Path

from django.conf import settings

settings.configure()

from django.core.files.base import ContentFile  # noqa: E402 - after the settings
from django.core.files.storage import FileSystemStorage  # noqa: E402
from django.core.files.uploadedfile import TemporaryUploadedFile  # noqa: E402


class Interrupted(ContentFile):
    """A file whose disk is full after five bytes."""

    def chunks(self, chunk_size=None):  # noqa: ARG002
        """Return the first bytes."""
        yield self.read(5)
        raise OSError(errno.ENOSPC, "no space left on device")


def other_device(*_):
    raise OSError(errno.EXDEV, "invalid cross-device link")


folder = Path(sys.argv[1])
storage = FileSystemStorage(folder)
with contextlib.suppress(OSError):
    storage.save("half.txt", Interrupted(b"hello world"))
print("left", sum(path.stat().st_size for path in folder.iterdir()))

upload = TemporaryUploadedFile("large.txt", "text/plain", 100_000, None)
upload.write(b"x" * 100_000)
upload.seek(0)
os.rename = other_device
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (72_000, 72_000))
try:
    print("lost", 100_000 - storage.size(storage.save("large.txt", upload)))
except OSError:
    print("lost", 0)
