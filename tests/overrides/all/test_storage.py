"""Django's FileSystemStorage keeps half files: the reason for ``src/runtime/storage.py`` in projects."""

import subprocess
from pathlib import Path

GONE = "Django has mended https://code.djangoproject.com/ticket/21602: delete src/runtime/storage.py, and use FileSystemStorage"

# The disk takes the first chunk of one file. The other one, a large upload, is moved from another file system by a copy, whose
# last write is cut by a limit of the kernel as it would be by a full disk.
PROGRAM = """
import errno
import os
import resource
import signal
import sys
from pathlib import Path

from django.conf import settings

settings.configure()

from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from django.core.files.uploadedfile import TemporaryUploadedFile


class Interrupted(ContentFile):
    def chunks(self, chunk_size=None):
        yield self.read(5)
        raise OSError(errno.ENOSPC, "no space left on device")


def other_device(*_):
    raise OSError(errno.EXDEV, "invalid cross-device link")


folder = Path(sys.argv[1])
storage = FileSystemStorage(folder)
try:
    storage.save("half.txt", Interrupted(b"hello world"))
except OSError:
    pass
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
"""


def outcome(environment: Path, folder: Path) -> dict[str, int]:
    """Return how many bytes of a file stay that could not be saved, and how many of one are lost that was saved."""
    command: list[str | Path] = [environment / "bin/python", "-c", PROGRAM, folder]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return {name: int(number) for name, number in map(str.split, printed.splitlines())}


def test_unmodified_storage_keeps_half_files(environment: Path, tmp_path: Path) -> None:
    found = outcome(environment, tmp_path)
    print(f"{found['left']} bytes stay of a file that failed, {found['lost']} of 100000 are lost without an error")
    assert found["left"] or found["lost"], GONE
