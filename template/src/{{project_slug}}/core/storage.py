"""The files that people upload.

https://docs.djangoproject.com/en/5.2/ref/files/storage/
"""

import secrets
from pathlib import Path, PurePosixPath
from typing import Any

from django.core.files import File
from django.core.files.storage import FileSystemStorage


class WholeFileStorage(FileSystemStorage):
    """A file gets its name when it is whole.

    Django writes it under its name, and lets what it could not finish lie there: on a disk that is
    full, or when the process is killed.
    """

    def _save(self, name: str, content: "File[Any]") -> str:
        # Written from memory or read again, and not moved: the copy of a file that Django makes for
        # a move to another disk takes no notice of a last piece that did not fit.
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
        """Make an empty file of a name that is free, and return that name."""
        while True:
            try:
                Path(self.path(name)).touch(exist_ok=self._allow_overwrite)  # type: ignore[attr-defined] # nor this
            except FileExistsError:
                name = self.get_available_name(name)
            else:
                return name
