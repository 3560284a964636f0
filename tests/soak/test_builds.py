"""How long a copy and the images take: the best of three measurements counts. ``benchmarks/build`` prints the parts."""

import re
import time
from pathlib import Path

import pytest
from containers import Site, clone
from load import bounded
from questionnaire import ROOT
from tools import run

TIMES = 3

# What is appended to a file, and the seconds within which the images are built then.
LINES = {"src/config/urls.py": ("\nCHANGED = {}\n", 5), "frontend/styles/htmx.css": ("\n.changed {{ order: {}; }}\n", 8)}


def test_a_copy_compared_with_one_of_an_empty_template() -> None:
    printed = run("benchmarks/generate", "5", cwd=ROOT, timeout=600)
    print(printed)
    times = re.search(r"^([\d.]+) times the copy of an empty template", printed, re.MULTILINE)
    assert times is not None
    bounded("copier copy --defaults / copy of an empty template", float(times[1]), 4.5, "times")


def test_all_images_without_any_cache(default_images: Site, tmp_path: Path) -> None:
    took = []
    for number in range(TIMES):
        copy = clone(default_images, tmp_path / str(number), f"uncached-{number}")
        # Nor with what was downloaded before: a namespace of its own is empty.
        empty = f"BUILDKIT_CACHE_MOUNT_NS={copy.env['APP_NAME']}-uncached-{number}"
        began = time.monotonic()
        copy.build("--no-cache", "--build-arg", empty)
        took.append(time.monotonic() - began)
    bounded("all images, without any cache", min(took), 60)


@pytest.mark.parametrize("path", LINES)
def test_a_changed_line(path: str, default_images: Site, tmp_path: Path) -> None:
    line, bound = LINES[path]
    copy = clone(default_images, tmp_path / "project", f"line-{path.rpartition('.')[2]}")
    took = []
    for _ in range(TIMES):
        with (copy.folder / path).open("a") as file:
            file.write(line.format(time.time_ns()))
        began = time.monotonic()
        copy.build()
        took.append(time.monotonic() - began)
    bounded(f"after a line of {path}", min(took), bound)
