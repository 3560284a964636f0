"""Atomic writes of uploaded files.

Fault: Django's ``FileSystemStorage`` writes a file under its final name. When the disk is full, or
the process is killed, half of the file stays under that name. A large upload that comes from
another file system is moved by a copy that can lose its last part without an error.

Upstream: https://code.djangoproject.com/ticket/21602. Delete this module when Django writes to a
temporary name and renames it, and use ``django.core.files.storage.FileSystemStorage``.
"""

import secrets
from pathlib import Path, PurePosixPath
from typing import Any

from django.core.files import File
from django.core.files.storage import FileSystemStorage


class AtomicFileSystemStorage(FileSystemStorage):
    """Writes a file under a temporary name in its folder, and renames it when it is complete."""

    def _save(self, name: str, content: "File[Any]") -> str:
        # Without temporary_file_path Django writes the contents in chunks instead of moving the file.
        source = File(content.file) if hasattr(content, "temporary_file_path") else content
        partial = str(PurePosixPath(name).with_name(f".{secrets.token_hex(8)}.part"))
        try:
            super()._save(partial, source)  # type: ignore[misc] # not in the stubs
            name = self._reserve(name)
            Path(self.path(partial)).replace(self.path(name))
        except BaseException:
            self.delete(partial)
            raise
        return name

    def _reserve(self, name: str) -> str:
        """Create an empty file with a free name, and return that name."""
        while True:
            try:
                Path(self.path(name)).touch(exist_ok=False)
            except FileExistsError:
                available = self.get_available_name(name)
                if available == name:  # the storage allows to overwrite
                    return name
                name = available
            else:
                return name
