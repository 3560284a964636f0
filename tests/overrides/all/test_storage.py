"""Django's FileSystemStorage keeps half files: the reason for ``src/runtime/storage.py`` in projects."""

from pathlib import Path

from projects import run_program

GONE = "Django has mended https://code.djangoproject.com/ticket/21602: delete src/runtime/storage.py, and use FileSystemStorage"


def outcome(environment: Path, folder: Path) -> dict[str, int]:
    """Return how many bytes of a file stay that could not be saved, and how many of one are lost that was saved."""
    printed = run_program("half_files", folder, environment=environment, cwd=folder)
    return {name: int(number) for name, number in map(str.split, printed.splitlines())}


def test_unmodified_storage_keeps_half_files(environment: Path, tmp_path: Path) -> None:
    found = outcome(environment, tmp_path)
    print(f"{found['left']} bytes stay of a file that failed, {found['lost']} of 100000 are lost without an error")
    assert found["left"] or found["lost"], GONE
