"""runtime.storage: atomic writes of uploads."""

import errno
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.files import File
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import TemporaryUploadedFile
from pytest_django import Settings
from runtime.storage import AtomicFileSystemStorage


class Interrupted(ContentFile):  # type: ignore[type-arg] # not at run time
    """A file of which the disk takes the first chunk only."""

    def chunks(self, chunk_size: int | None = None) -> Iterator[bytes]:
        """Yield a chunk, then fail."""
        yield self.read(chunk_size or 1)
        raise OSError(errno.ENOSPC, "no space left on device")


def large(content: bytes) -> "File[Any]":
    """Return an upload that was too large for memory."""
    file = TemporaryUploadedFile("large.txt", "text/plain", len(content), None)
    file.write(content)
    file.seek(0)
    return file


def test_file_is_saved_under_its_name(settings: Settings) -> None:
    name = default_storage.save("letters/a.txt", ContentFile(b"hello"))
    path = Path(settings.MEDIA_ROOT, name)
    assert name == "letters/a.txt"
    assert path.read_bytes() == b"hello"
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(path.parent.iterdir()) == [path]


def test_large_upload_is_saved(settings: Settings) -> None:
    name = default_storage.save("large.txt", large(b"hello" * 100_000))
    assert Path(settings.MEDIA_ROOT, name).read_bytes() == b"hello" * 100_000


def test_second_file_of_the_same_name_gets_another_name() -> None:
    first = default_storage.save("a.txt", ContentFile(b"first"))
    second = default_storage.save("a.txt", ContentFile(b"second"))
    assert first != second
    assert default_storage.open(first).read() == b"first"
    assert default_storage.open(second).read() == b"second"


def test_name_that_another_process_took_meanwhile_is_not_overwritten(monkeypatch: pytest.MonkeyPatch) -> None:
    first = default_storage.save("a.txt", ContentFile(b"first"))
    free = iter(["a.txt", "b.txt"])
    monkeypatch.setattr(AtomicFileSystemStorage, "get_available_name", lambda *_, **__: next(free))
    second = default_storage.save("a.txt", ContentFile(b"second"))
    assert second == "b.txt"
    assert default_storage.open(first).read() == b"first"


def test_storage_that_allows_it_overwrites(tmp_path: Path) -> None:
    storage = AtomicFileSystemStorage(tmp_path, allow_overwrite=True)
    names = [storage.save("a.txt", ContentFile(content)) for content in (b"first", b"second")]
    assert names == ["a.txt", "a.txt"]
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"second"]


def test_failed_write_leaves_no_file(settings: Settings) -> None:
    with pytest.raises(OSError, match="no space"):
        default_storage.save("letters/a.txt", Interrupted(b"hello"))
    assert list(Path(settings.MEDIA_ROOT, "letters").iterdir()) == []
