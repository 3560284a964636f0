"""What the benchmarks share: the template as a repository, and medians."""

import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

ROOT = Path(__file__).resolve().parents[1]
COPIER = ROOT / ".venv" / "bin" / "copier"

# Prints the nanoseconds of CPU time that a container has used, where control groups have version 2, or 1.
USED = """
if [ -f /sys/fs/cgroup/cpu.stat ]; then
    sed -n 's/^usage_usec \\(.*\\)/\\1000/p' /sys/fs/cgroup/cpu.stat
else
    cat /sys/fs/cgroup/cpuacct/cpuacct.usage
fi
"""

# Modules are compiled once, as on every machine of a user.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def snapshot(folder: Path) -> Path:
    """Copy the template as it stands into a folder, and make a tagged git repository of it."""
    if not COPIER.exists():
        sys.exit("The tools of the template are not installed: run ./run matrix first.")
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return repository(folder)


def repository(folder: Path) -> Path:
    """Make a git repository of a folder, with all files in a tagged commit."""
    identity = ["-c", "user.name=Benchmark", "-c", "user.email=benchmark@example.com"]
    for command in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "x"], ["tag", "1.0.0"]):
        subprocess.run(["git", *identity, *command], cwd=folder, check=True)
    return folder


def empty_template(folder: Path) -> Path:
    """Make a template without questions and files, as a tagged git repository."""
    folder.mkdir()
    (folder / "copier.yml").write_text("_subdirectory: template\n")
    (folder / "template").mkdir()
    (folder / "template" / ".keep").touch()
    return repository(folder)


def copy(template: Path, destination: Path, **answers: str) -> None:
    """Generate a project by the command line, with the default answers to what is not given."""
    data = [part for key, value in answers.items() for part in ("--data", f"{key}={value}")]
    command = [str(COPIER), "copy", "--defaults", "--quiet", *data, str(template), str(destination)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def seconds(action: Callable[[], object]) -> float:
    """Return how long something takes."""
    started = perf_counter()
    action()
    return perf_counter() - started


def report(name: str, measured: list[float], bound: float) -> None:
    """Print a line with the median, the extremes and the bound, in seconds."""
    median = statistics.median(measured)
    word = "within" if median <= bound else "OVER"
    print(
        f"{name}: median {median:.2f} s of {len(measured)} ({min(measured):.2f} to {max(measured):.2f}), {word} {bound:.1f} s"
    )
