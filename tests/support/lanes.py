"""How the tests are divided: into tiers by folder, into units that stay together, into lanes and shards by recorded durations."""

import fcntl
import json
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest
from questionnaire import ROOT

from components import components

TIERS = ("static", "landing", "nightly", "soak")
TESTS = ROOT / "tests"
DURATIONS = TESTS / "durations.json"

# Seconds of all lanes together that deep tests may take: eight minutes for two of them.
DEEP = 2 * 8 * 60

# Seconds that are assumed of a unit that was never recorded, nor another one of its module.
UNKNOWN = 300.0


def tier(item: pytest.Item) -> str:
    """Return the tier of a test: the name of its folder below ``tests/``, or nightly where it is marked so.

    The tests of ``overrides``, which fail when a package no longer has the fault that we work around, are nightly.
    """
    folder = item.path.relative_to(TESTS).parts[0]
    return "nightly" if folder == "overrides" or item.get_closest_marker("nightly") is not None else folder


def unit(item: pytest.Item) -> str:
    """Return what a test stays together with, in one lane and one shard, because it shares fixtures that are expensive.

    A package stays whole, and a module too; or a module and each value of the parameter that its marker ``unit`` names. In the
    static tier, all tests of an answer set do, and those of a function. The name begins with the tier.
    """
    callspec = getattr(item, "callspec", None)
    parameters: dict[str, object] = callspec.params if callspec is not None else {}
    path = Path(*item.path.relative_to(TESTS).parts[1:])
    if tier(item) == "static":
        function = f"{path}::{item.name.partition('[')[0]}"
        return f"static/{parameters.get('answers', function)}"
    marker = item.get_closest_marker("unit")
    values = [parameters[name] for name in marker.args if name in parameters] if marker is not None else []
    if (item.path.parent / "__init__.py").exists():
        return f"{tier(item)}/{path.parent}"
    return f"{tier(item)}/{path}" + (f"[{', '.join(map(_shown, values))}]" if values else "")


def _shown(value: object) -> str:
    """Return a parameter as it stands in the name of a unit."""
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


@cache
def recorded() -> dict[str, float]:
    """Return the seconds that units took when they were last recorded (``--record``)."""
    found: dict[str, float] = json.loads(DURATIONS.read_text()) if DURATIONS.exists() else {}
    return found


def expected(name: str) -> float:
    """Return the seconds that a unit is expected to take: as recorded, or as the units of its module take on average."""
    known = recorded()
    if name in known:
        return known[name]
    module = name.partition("/")[2].partition("[")[0]
    alike = [seconds for other, seconds in known.items() if other.partition("/")[2].partition("[")[0] == module]
    return sum(alike) / len(alike) if alike else UNKNOWN


def record(durations: dict[str, float]) -> None:
    """Write down the seconds of units, beside those that did not run now."""
    merged = {**recorded(), **{name: round(seconds, 1) for name, seconds in durations.items()}}
    DURATIONS.write_text(json.dumps(dict(sorted(merged.items())), indent=1, ensure_ascii=False) + "\n")


def shard_of(text: str) -> tuple[int, int]:
    """Read the number of a shard and how many there are.

    Raises:
        ValueError: it is not written as 2/5, or there is no such shard.
    """
    number, _, count = text.partition("/")
    if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
        raise ValueError(f"--shard {text}: write the number of a shard and how many there are, such as 2/5")
    return int(number), int(count)


def longest_first(names: Iterable[str]) -> list[str]:
    """Return units in the order in which lanes take them: what takes longest begins first."""
    return sorted(dict.fromkeys(names), key=lambda name: -expected(name))


def shard(names: Iterable[str], number: int, count: int) -> set[str]:
    """Return the units of one of several shards: each goes to the shard that has the least to do.

    Args:
        names: all units.
        number: which shard, from 1.
        count: how many there are.
    """
    load = dict.fromkeys(range(1, count + 1), 0.0)
    found: dict[int, set[str]] = defaultdict(set)
    for name in longest_first(sorted(names)):
        least = min(load, key=lambda one: load[one])
        load[least] += expected(name)
        found[least].add(name)
    return found[number]


def changed(base: str | None) -> list[str]:
    """Return the paths that differ from a base, committed or not.

    Args:
        base: a revision. Without one it is where the branch left ``origin/main``; on that branch itself, and without a remote,
            the newest commit that is six hours older than the last: what is pushed was made since.

    Raises:
        ValueError: the base is no revision here.
    """

    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()

    head = git("rev-parse", "HEAD")
    if base:
        found = git("rev-parse", "--verify", "--quiet", f"{base}^{{commit}}")
        if not found:
            raise ValueError(f"{base} is no revision of this checkout: fetch it, or name another base")
    else:
        found = git("merge-base", "HEAD", "origin/main")
        if found in {"", head}:
            moment = int(git("show", "--no-patch", "--format=%ct", "HEAD") or 0) - 6 * 3600
            found = git("rev-list", "--max-count=1", f"--before={moment}", "HEAD") or head
    tracked = git("diff", "--name-only", found, "--").splitlines()
    return tracked + git("ls-files", "--others", "--exclude-standard").splitlines()


def deep(names: Iterable[str], paths: list[str]) -> tuple[set[str], set[str]]:
    """Choose the nightly units of the components that a change touches, and of the nightly modules that it edits.

    Args:
        names: all nightly units.
        paths: what changed.

    Returns:
        Those that fit into ``DEEP``, and those that are left to the nightly run.
    """
    named = {
        name.rstrip("]") for component in components() for path in paths if component.touched(path) for name in component.deep
    }
    edited = (Path(path).parts for path in paths if (ROOT / path).exists())
    folders = {("tests", folder) for folder in ("landing", "nightly", "overrides")}
    named |= {"/".join(parts[2:]) for parts in edited if parts[:2] in folders}
    wanted = sorted(
        (name for name in names if name.removeprefix("nightly/").startswith(tuple(named))),
        key=lambda one: (expected(one), one),
    )
    taken: set[str] = set()
    budget = float(DEEP)
    for name in wanted:
        budget -= expected(name)
        if budget < 0:
            break
        taken.add(name)
    return taken, set(wanted) - taken


@contextmanager
def locked(folder: Path, name: str) -> Iterator[Path]:
    """Let one lane alone do something. Yields the folder of that name, which may exist already."""
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder / name


def once(folder: Path, name: str, make: Callable[[Path], object]) -> Path:
    """Make a folder once for all lanes, whichever comes first, and return it.

    Args:
        folder: what the lanes share.
        name: that of the folder.
        make: fills it. Where that fails, the next lane tries again.
    """
    with locked(folder, name) as made:
        done = folder / f"{name}.done"
        if not done.exists():
            make(made)
            done.touch()
    return made
