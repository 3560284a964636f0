"""The front door of a checkout, on a machine that has Python and git."""

import shutil
import socket
from pathlib import Path

import pytest
from projects import git
from questionnaire import ROOT
from tools import free_port, get, run, serving


@pytest.fixture(scope="module")
def clone(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean clone of the template as it stands."""
    folder = tmp_path_factory.mktemp("clone")
    git("clone", "--quiet", str(template), str(folder), cwd=folder.parent)
    return folder


def test_run_alone_lists_the_commands() -> None:
    printed = run("./run", cwd=ROOT)
    assert all(f"  {command} " in printed for command in ("demo", "test", "nightly", "matrix", "soak"))


def test_a_command_that_does_not_exist_is_named() -> None:
    assert "there is no command nonsense" in run("./run", "nonsense", cwd=ROOT, code=1)


def test_run_is_found_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/django").symlink_to(ROOT / "run")
    assert "demo" in run(tmp_path / "bin/django", cwd=tmp_path)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["one", "two"], "demo takes one folder, and got one and two"),
        (["-d", "timezone=Mars", "site"], "Write a name such as Europe/Berlin"),
        (["."], ". exists already"),
    ],
)
def test_demo_says_in_one_line_what_is_wrong(arguments: list[str], reason: str, clone: Path, tmp_path: Path) -> None:
    printed = run(clone / "run", "demo", *arguments, cwd=tmp_path, env={"PORT": str(free_port())}, code=1, timeout=900)
    assert reason in printed.strip().splitlines()[-1]
    assert "Traceback" not in printed
    assert not (tmp_path / "site").exists()


def test_demo_makes_nothing_when_its_port_is_in_use(clone: Path, tmp_path: Path) -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        printed = run(clone / "run", "demo", "site", cwd=tmp_path, env={"PORT": str(port)}, code=1, timeout=900)
    assert f"port {port} is in use" in printed
    assert not (tmp_path / "site").exists()


def test_an_old_python_is_refused_with_the_way_out(tmp_path: Path) -> None:
    for name in ("python3", "python"):
        (tmp_path / name).write_text("#!/bin/sh\nexit 1\n")
        (tmp_path / name).chmod(0o755)
    for tool in ("git", "dirname", "sed"):
        (tmp_path / tool).symlink_to(run("sh", "-c", f"command -v {tool}", cwd=tmp_path).strip())
    printed = run("/bin/sh", ROOT / "run", "matrix", cwd=ROOT, env={"PATH": str(tmp_path)}, code=1)
    assert "no Python 3.11 or newer" in printed


def test_demo_makes_a_project_and_serves_it(clone: Path, tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = ["sh", str(clone / "run"), "demo", str(tmp_path / "harbour"), "-d", "project_name=Harbour Library"]
    log = tmp_path / "demo.log"
    shell = f'exec "$@" >{log} 2>&1'
    with serving(["sh", "-c", shell, "sh", *command], url, cwd=tmp_path, env={"PORT": str(port)}, patience=400):
        assert "Harbour Library" in get(url)[1]
        # Built where Node.js is, and said where it is not.
        built = "htmx" in get(f"{url}/static/pages/site.js")[1]
        assert built == ("Building its assets" in log.read_text())
        assert built == ("Its assets are not built" not in log.read_text())
        assert built or shutil.which("npm") is None
    assert f"Open {url}" in log.read_text()
    assert "not committed" not in log.read_text()
    assert (tmp_path / "harbour/src/harbour_library").is_dir()
    refused = run(clone / "run", "demo", tmp_path / "harbour", cwd=tmp_path, code=1)
    assert "exists already" in refused


def test_the_other_commands_set_themselves_up_in_a_clone(clone: Path) -> None:
    printed = run(clone / "run", "test", "tests/static/test_questionnaire.py", "-k", "contract", cwd=clone, timeout=600)
    assert "1 passed" in printed
    printed = run(clone / "run", "matrix", "-k", "answers_are_kept and default", cwd=clone, timeout=600)
    assert "answer sets" in printed
    printed = run(clone / "run", "nightly", "--shard", "1/3", "--collect-only", "--quiet", cwd=clone, timeout=600)
    assert "tests collected (" in printed
