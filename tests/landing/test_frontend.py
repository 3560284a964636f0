"""The pipeline of the frontend in a generated project: built, watched, checked, and missing."""

import hashlib
import re
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from projects import LAPTOP
from tools import eventually, run, watching

Project = Callable[..., Path]

# Every byte, and sequences that are no UTF-8: what reading it as text would change.
BINARY = bytes(range(256)) * 8 + b"\xff\xfe\xc3\x28"

LOGIN = "src/my_site/users/templates/registration/login.html"


def sha256(path: Path) -> str:
    """Return the digest of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def built(
    render: Callable[[str], Path], environment: Path, pnpm: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The default project with an image of its owner, after ``pdm run assets``. Not to be changed: copy it."""
    folder = tmp_path_factory.mktemp("built") / "project"
    shutil.copytree(render("default"), folder)
    (folder / ".venv").symlink_to(environment)
    (folder / "frontend/images/photo.jpg").write_bytes(BINARY)
    printed = run("pdm", "run", "assets", cwd=folder, env=pnpm)
    assert "Lockfile is up to date" in printed
    assert not re.search("warn|deprecated|ignored build", printed, re.IGNORECASE), printed
    return folder


@pytest.fixture
def copy(built: Path, tmp_path: Path) -> Path:
    """A copy of it that may be changed."""
    folder = tmp_path / "project"
    shutil.copytree(built, folder, symlinks=True)
    return folder


@pytest.fixture
def bare(tmp_path: Path) -> dict[str, str]:
    """The variables of a machine that has pdm and nothing of Node.js."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in ("pdm", "sh", "git"):
        found = shutil.which(tool)
        assert found is not None
        (folder / tool).write_text(f'#!/bin/sh\nexec {found} "$@"\n')
        (folder / tool).chmod(0o755)
    return {"PATH": str(folder)}


def test_what_gulp_moves_arrives_byte_for_byte(built: Path) -> None:
    fonts = sorted((built / "static/fonts").iterdir())
    assert len(fonts) >= 2
    for font in fonts:
        source = built / "node_modules/@fontsource-variable/source-serif-4/files" / font.name
        assert sha256(font) == sha256(source)
        print(f"{sha256(font)}  {font.name}")
    assert (built / "static/images/photo.jpg").read_bytes() == BINARY


def test_the_stylesheet_holds_what_pages_use_and_nothing_else(copy: Path, pnpm: dict[str, str]) -> None:
    stylesheet = copy / "static/pages/site.css"
    before = stylesheet.read_text()
    assert "mt-7" not in before
    page = copy / LOGIN
    page.write_text(page.read_text().replace('class="panel narrow"', 'class="panel narrow mt-7 md:bg-surface"'))
    (copy / "README.md").write_text("A document may name mt-9 and flex-col.\n")
    run("pdm", "run", "pnpm", "exec", "gulp", "styles", cwd=copy, env=pnpm)
    after = stylesheet.read_text()
    assert ".mt-7{" in after
    assert re.search(r"\.md\\:bg-surface\{background-color:var\(--surface\)", after)
    assert not re.search(r"mt-8|mt-9|flex-col", after)
    assert len(after) - len(before) < 300
    print(f"{len(before)} bytes before, {len(after)} with two classes more")


def test_the_plain_stylesheet_is_in_the_one_that_is_built(built: Path) -> None:
    css = (built / "static/pages/site.css").read_text()
    plain = (built / "src/my_site/pages/static/pages/site.css").read_text()
    for name in re.findall(r"^  (--[\w-]+): ", plain, re.MULTILINE):
        assert f"{name}:" in css
    assert "@layer theme,base,utilities" in css.replace(", ", ",") or css.index("@layer base") < css.index("@layer utilities")
    assert "\n" not in css.partition("*/\n")[2].strip(), "it is minified"
    print(f"site.css {len(css)} bytes of {len(plain)}; site.js {(built / 'static/pages/site.js').stat().st_size} bytes")


def test_what_is_built_once_knows_nothing_of_sources_and_reloads(built: Path) -> None:
    files = [path for path in (built / "static").rglob("*") if path.is_file()]
    assert not [path for path in files if path.suffix == ".map"]
    for path in (built / "static/pages/site.css", built / "static/pages/site.js"):
        assert not re.search("sourceMappingURL|EventSource|RELOAD_PORT", path.read_text())


def test_git_ignores_what_is_built(copy: Path) -> None:
    run("git", "init", "--quiet", cwd=copy)
    run("git", "add", "--all", cwd=copy)
    tracked = run("git", "ls-files", "static", "node_modules", cwd=copy).split()
    assert tracked == ["static/.gitignore"]


def test_clean_leaves_a_folder_that_pages_work_without(copy: Path, pnpm: dict[str, str]) -> None:
    run("pdm", "run", "pnpm", "exec", "gulp", "clean", cwd=copy, env=pnpm)
    assert [path.name for path in (copy / "static").iterdir()] == [".gitignore"]
    assert "no issues" in run("pdm", "run", "manage", "check", cwd=copy)


def test_what_is_built_is_collected_with_hashes(copy: Path) -> None:
    run("pdm", "run", "manage", "collectstatic", "--noinput", "--verbosity", "0", cwd=copy)
    collected = next((copy / "staticfiles/pages").glob("site.*.css")).read_text()
    font = re.search(r"url\(\"?\.\./(fonts/[\w.-]+)", collected)
    assert font is not None
    assert re.search(r"\.[0-9a-f]{12}\.woff2$", font[1])
    assert (copy / "staticfiles" / font[1]).exists()


def test_a_lock_that_is_stale_is_refused(copy: Path, pnpm: dict[str, str]) -> None:
    package = copy / "package.json"
    package.write_text(re.sub(r'"gulp": "[\d.]+"', '"gulp": "4.0.2"', package.read_text()))
    assert "ERR_PNPM_OUTDATED_LOCKFILE" in run("pdm", "run", "assets", cwd=copy, env=pnpm | {"CI": ""}, code=1)


def test_the_versions_are_exact(built: Path) -> None:
    versions = re.findall(r'^    "[@\w./-]+": "(.+)"', (built / "package.json").read_text(), re.MULTILINE)
    assert len([version for version in versions if re.fullmatch(r"\d+\.\d+\.\d+", version)]) == len(versions) - 1
    assert "packageManager" not in (built / "package.json").read_text()


def test_a_pipeline_lints_stylesheets_and_scripts(copy: Path, pnpm: dict[str, str]) -> None:
    assert "Checked" in run("pdm", "run", "lint", cwd=copy, env=pnpm | {"CI": "true"})
    script = copy / "frontend/scripts/site.js"
    script.write_text(script.read_text() + "var  unused = 1\n")
    assert "scripts/site.js" in run("pdm", "run", "biome", "check", cwd=copy, env=pnpm, code=1)


def test_without_node_one_line_says_what_is_missing(project: Project, bare: dict[str, str]) -> None:
    folder = project()
    for command in ("assets", "watch"):
        printed = run("pdm", "run", command, cwd=folder, env=bare, code=1)
        said = [line for line in printed.splitlines() if not line.startswith("INFO: Virtualenv")]
        assert len(said) == 1, printed
        assert said[0].startswith("Node.js is not installed: get version 20 or newer from https://nodejs.org.")
    assert "Skipped: exec biome" in run("pdm", "run", "biome", "check", cwd=folder, env=bare | LAPTOP)
    assert "Skipped" not in run("pdm", "run", "biome", "check", cwd=folder, env=bare | {"CI": "true"}, code=1)


def test_watch_builds_what_changes_and_tells_the_browser(copy: Path, pnpm: dict[str, str]) -> None:
    stylesheet, script = copy / "static/pages/site.css", copy / "static/pages/site.js"
    with watching(copy, pnpm) as port:
        assert "EventSource" in script.read_text()
        with socket.create_connection(("127.0.0.1", port), timeout=30) as page:
            page.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            heard = page.recv(4096)
            assert b"text/event-stream" in heard

            def tells(part: str) -> None:
                told = b""
                while f"event: {part}".encode() not in told:
                    told += page.recv(4096)

            source = copy / "frontend/styles/htmx.css"
            source.write_text(source.read_text() + "\n.marked { color: rebeccapurple; }\n")
            seconds = eventually(lambda: ".marked" in stylesheet.read_text(), "the stylesheet is not built again")
            print(f"a line of CSS was built after {seconds:.2f} s")
            tells("styles")

            good = source.read_text()
            source.write_text(good + "\n.broken { @apply nonsense; }\n")
            eventually(lambda: "'styles' errored" in (copy / ".watch.log").read_text(), "a mistake is not said")
            source.write_text(good + "\n.mended { color: teal; }\n")
            eventually(lambda: ".mended" in stylesheet.read_text(), "it does not survive a mistake")
            tells("styles")

            template = copy / LOGIN
            template.write_text(template.read_text().replace('class="panel narrow"', 'class="panel narrow mt-7"'))
            eventually(lambda: ".mt-7" in stylesheet.read_text(), "a class of a template is not built")
            tells("page")

            code = copy / "frontend/scripts/site.js"
            code.write_text(code.read_text() + 'console.info("changed");\n')
            eventually(lambda: "changed" in script.read_text(), "the script is not built again")
            tells("page")
    run("pdm", "run", "assets", cwd=copy, env=pnpm)
    assert "EventSource" not in script.read_text()
