"""The images of a generated project: built, run, looked into, and pushed."""

import json
import re
import time
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from containers import HARDENED, PRODUCED, Site, cached, clone, container, docker, healthy, inspect, published, registry, state
from documents import commands
from load import bounded
from packaging.markers import Marker
from projects import git, program
from stack import DEVELOPMENT_FILES, PRODUCTION_FILES
from tools import change, eventually, get, run, seconds

Source = Callable[..., Site]


def test_a_lock_that_is_stale_stops_the_build_with_the_way_out(source: Source) -> None:
    made = source()
    change(made.folder / "pyproject.toml", "dependencies = [\n", 'dependencies = [\n    "requests",\n')
    printed = made.build(code=1)
    lines = [line for line in printed.splitlines() if re.search(r"^#\d+ [\d.]+ pdm\.lock is stale", line)]
    assert len(lines) == 1, printed
    assert lines[0].endswith("pdm.lock is stale: run 'pdm lock --update-reuse', commit it and build again.")
    assert not re.search(r"^#\d+ .*Install .* successful", printed, re.MULTILINE)
    print(lines[0])


@pytest.fixture(scope="module")
def running(default_images: Site) -> Iterator[str]:
    """A container of production, which may write nothing but its data."""
    with container(
        default_images.image, *HARDENED, *PRODUCED, "--volume", "/app/data", "--publish", "127.0.0.1::8000"
    ) as started:
        print(f"healthy after {healthy(started):.1f} s")
        yield started


def test_the_image_says_what_it_is(default_images: Site) -> None:
    config = inspect(default_images.image)["Config"]
    env = dict(entry.split("=", 1) for entry in config["Env"])
    assert config["User"] == "1000:1000"
    assert docker("run", "--rm", default_images.image, "id") == "uid=1000(web) gid=1000(web) groups=1000(web)"
    assert env["PATH"].startswith("/opt/venv/bin:")
    assert env["PYTHONPATH"] == "/app/src"
    assert env["DJANGO_SETTINGS_MODULE"] == "config.settings"
    assert not re.search("SECRET|PASSWORD|TOKEN", "".join(env))
    label = {key.removeprefix("org.opencontainers.image."): value for key, value in config["Labels"].items()}
    assert label["version"] == "1.2.3"
    assert label["revision"] == git("rev-parse", "HEAD", cwd=default_images.folder).strip()
    assert (label["title"], label["licenses"]) == ("my_site", "MIT")


def test_every_module_is_compiled_for_good(default_images: Site) -> None:
    good, *wrong = docker("run", "--rm", default_images.image, "python", "-c", program("compiled")).split()
    print(f"{good} modules")
    assert not wrong
    assert int(good) > 1000


def test_no_tool_that_builds_is_in_the_image(default_images: Site) -> None:
    tools = ["gcc", "cc", "g++", "make", "node", "npm", "pnpm", "pdm", "git"]
    found = docker(
        "run", "--rm", default_images.image, "sh", "-c", f"for tool in {' '.join(tools)}; do command -v $tool; done; true"
    )
    assert found == ""


def test_nothing_of_the_build_is_left_in_the_image(default_images: Site) -> None:
    everything = docker(
        "run", "--rm", "--user", "0", default_images.image, "find", "/", "-xdev", "-not", "-path", "/proc/*"
    ).split("\n")
    assert len(everything) > 3000
    unwanted = r"\.map$|/\.env|/\.git(/|$)|/\.cache\b|/\.npmrc$|/\.netrc$|/node_modules\b|\.po$|^/roo[t]/.+/|^/app/(tests|frontend|docs)\b"
    assert [path for path in everything if re.search(unwanted, path)] == []
    at_home = {path.split("/")[2] for path in everything if path.startswith("/app/")}
    assert at_home == {"data", "gunicorn.conf.py", "healthcheck.py", "src", "staticfiles"}
    assert [path for path in everything if path.startswith("/app/data/")] == ["/app/data/media"]


def test_the_site_is_healthy_with_nothing_but_its_data_to_write(running: str, default_images: Site) -> None:
    status, body = get(f"{published(running)}/health/live")
    assert (status, json.loads(body)["live"]) == (200, True)
    docker("exec", running, "python", "src/manage.py", "migrate", "--verbosity", "0")
    docker("exec", running, "python", "src/manage.py", "doctor")
    assert get(f"{published(running)}/health/ready")[0] == 200
    assert docker("exec", running, "sh", "-c", "touch /app/x 2>&1 || true").endswith("Read-only file system")
    assert not re.search("error|warn|traceback", docker("logs", running), re.IGNORECASE), docker("logs", running)
    assert docker("diff", running) == ""
    # Where it could write elsewhere, it does not.
    with container(default_images.image, *PRODUCED, "--volume", "/app/data", "--tmpfs", "/tmp") as free:  # noqa: S108
        healthy(free)
        docker("exec", free, "python", "src/manage.py", "migrate", "--verbosity", "0")
        assert docker("diff", free) == ""


def test_the_site_ends_when_it_is_told_to(default_images: Site) -> None:
    with container(default_images.image, *HARDENED, *PRODUCED) as started:
        healthy(started)
        took = seconds(lambda: docker("stop", started))
        assert state(started)["ExitCode"] == 0
        bounded("docker stop", took, 5)


def test_a_site_that_does_not_answer_is_not_healthy(default_images: Site) -> None:
    with container(default_images.image, *PRODUCED, command=("sleep", "60")) as started:
        printed = docker("exec", started, "python", "healthcheck.py", code=1)
    assert re.fullmatch(r"/health/live: .*refused", printed)


def test_a_missing_secret_key_ends_a_container_with_one_line(default_images: Site) -> None:
    with container(default_images.image, *HARDENED) as started:
        eventually(lambda: not state(started)["Running"], "it does not end", 20)
        printed = docker("logs", started)
        assert state(started)["ExitCode"] == 1
    assert re.fullmatch(r'Environment variable "SECRET_KEY" not set\..*', printed)
    print(printed)


def test_the_image_lists_the_packages_of_the_lock_and_no_others(default_images: Site) -> None:
    lock = tomllib.loads((default_images.folder / "pdm.lock").read_text())["package"]
    here = {"python_version": "3.14", "python_full_version": "3.14.0", "sys_platform": "linux", "platform_system": "Linux"}
    needed = {
        re.sub(r"[-_.]+", "-", package["name"]).lower(): package["version"]
        for package in lock
        if "default" in package["groups"]
        and Marker(package.get("marker", "python_version > '3'")).evaluate({**here, "os_name": "posix"})
    }
    documented = next(line for line in commands(default_images.folder / "docs/images.md") if line.endswith(" list"))
    listing = json.loads(docker("run", "--rm", default_images.image, *documented.split()[4:], "--format", "json"))
    assert {re.sub(r"[-_.]+", "-", package["name"]).lower(): package["version"] for package in listing} == needed
    assert "django" in needed
    assert not needed.keys() & {"pytest", "ruff", "mypy", "django-stubs"}
    print(f"{len(needed)} packages of {len(lock)}")


def test_what_belongs_to_a_machine_never_reaches_a_build(source: Source, tmp_path: Path) -> None:
    made = source()
    canary = "a canary that must not be sent"
    planted = [
        ".env", "src/.env", "src/config/.env.local", ".venv-old/lib/x.py", "node_modules/x/index.js", "data/db.sqlite3",
        "src/config/__pycache__/x.cpython-314.pyc", "src/locale/x.mo", "static/pages/site.css", "staticfiles/x.css",
        "frontend/.DS_Store", ".pytest_cache/x", ".mypy_cache/x", ".ruff_cache/x", ".netrc", ".npmrc", "tests/x.py", "dump.sql",
    ]  # fmt: skip
    for name in planted:
        path = made.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(canary)
    (made.folder / ".git/canary").write_text(canary)
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text("FROM scratch\nCOPY . /\n")
    context = tmp_path / "context"
    run("docker", "build", "--file", dockerfile, "--output", context, ".", cwd=made.folder, env=made.env)
    arrived = {path.relative_to(context).as_posix() for path in context.rglob("*") if path.is_file()}
    assert not [name for name in arrived if canary in (context / name).read_text(errors="ignore")]
    allowed = (
        "docker/app/", "docker/dev/", "docker/proxy/", "frontend/", "src/", "static/.gitignore", "gulpfile.mjs", "package.json", "pdm.lock", "pnpm-lock.yaml",
        "pnpm-workspace.yaml", "pyproject.toml",
    )  # fmt: skip
    tracked = git("ls-files", cwd=made.folder).splitlines()
    assert arrived == {name for name in tracked if name.startswith(allowed)}
    print(f"{len(arrived)} files of {len(tracked)}, {sum((context / name).stat().st_size for name in arrived) // 1000} kB")


def test_mirrors_are_the_defaults_of_arguments(render: Callable[[str], Path]) -> None:
    found = {}
    for name in ("default", "mirrors=china"):
        text = (render(name) / "Dockerfile").read_text()
        found[name] = dict(re.findall(r"^ARG (PIP_INDEX_URL|NPM_CONFIG_REGISTRY|DEBIAN_MIRROR)=?(.*)$", text, re.MULTILINE))
    assert set(found["default"].values()) == {""}
    assert found["default"].keys() == found["mirrors=china"].keys()
    assert all(mirror.startswith("https://") for mirror in found["mirrors=china"].values())
    assert len(set(found["mirrors=china"].values())) == 3


def test_the_image_is_small(default_images: Site) -> None:
    history = docker("history", "--human=false", "--format", "{{.Size}} {{.CreatedBy}}", default_images.image).splitlines()
    # The newest layer first; the first of ours, on the base image, adds the user.
    (first,) = [number for number, line in enumerate(history) if "groupadd --gid 1000" in line]
    layers = [line.split(" ", 1) for line in history[: first + 1]]
    megabytes = sum(int(size) for size, _ in layers) / 1e6
    print(f"{megabytes:.0f} MB above its base", *(f"{int(size) / 1e6:.1f} MB {step[:90]}" for size, step in layers), sep="\n")
    assert megabytes <= 140


def test_a_release_is_pushed_under_its_name(default_images: Site, named: dict[str, str]) -> None:
    with registry() as (address, manifests):
        name = f"{address}/{named['APP_NAME']}"
        release = replace(default_images, env=named | {"APP_IMAGE_NAME": name, "APP_IMAGE_TAG": "4.5.6"})
        release.build()
        run("pdm", "run", "push", cwd=default_images.folder, env=release.env)
        arrived = json.loads(manifests[f"{named['APP_NAME']}:4.5.6"])
    assert arrived["config"]["digest"] == inspect(release.image)["Id"]


def test_without_a_daemon_a_build_says_so(default_images: Site) -> None:
    printed = default_images.build(code=1, DOCKER_HOST="unix:///nonexistent.sock")
    assert "Cannot connect to the Docker daemon at unix:///nonexistent.sock" in printed
    assert "Traceback" not in printed


def test_images_for_several_platforms_are_planned(source: Source) -> None:
    made = source()
    platforms = "*.platform=linux/amd64,linux/arm64"
    printed = run(
        "docker",
        "buildx",
        "bake",
        "--file",
        "compose.yml",
        "--file",
        "compose.site.yml",
        "--print",
        "--set",
        platforms,
        cwd=made.folder,
    )
    planned, _ = json.JSONDecoder().raw_decode(printed[printed.index("{\n") :])
    assert planned["target"].keys() == set(planned["group"]["default"]["targets"])
    for target in planned["target"].values():
        assert ",".join(target["platforms"]) == "linux/amd64,linux/arm64"


@pytest.mark.parametrize("name", ["default", "frontend=none", "mirrors=china", "nasty", "long", "short"])
def test_docker_finds_nothing_to_say_about_its_files(name: str, render: Callable[[str], Path], named: dict[str, str]) -> None:
    for files in (PRODUCTION_FILES, DEVELOPMENT_FILES):
        run("docker", "compose", "config", "--quiet", cwd=render(name), env=named | {"COMPOSE_FILE": files})
    assert "no warnings found" in run("docker", "build", "--check", ".", cwd=render(name))


CHANGED = {
    "src/config/urls.py": ("\nCHANGED = {}\n", []),
    "frontend/styles/htmx.css": ("\n.changed {{ order: {}; }}\n", ["gulp build"]),
}


@pytest.mark.parametrize("path", CHANGED)
def test_a_changed_line_is_built_without_installing_anything(path: str, default_images: Site, tmp_path: Path) -> None:
    line, runs = CHANGED[path]
    copy = clone(default_images, tmp_path / "project", path.rpartition(".")[2])
    with (copy.folder / path).open("a") as file:
        file.write(line.format(time.time_ns()))
    printed = copy.build()
    for step in ("pdm install", "pnpm install", "gulp build", "apt-get"):
        assert cached(printed, step) == (step not in runs), printed


@pytest.mark.parametrize(
    ("service", "variable", "value", "rule"),
    [
        ("proxy", "URL_PREFIX", "shop", "write it as /path"),
        ("proxy", "URL_PREFIX", "/shop/", "write it as /path"),
        ("proxy", "URL_PREFIX", "/a;b", "write it as /path"),
        ("proxy", "CLIENT_MAX_BODY_SIZE", "100MB", "such as 100M"),
        ("proxy", "TRUSTED_PROXIES", "proxy.example.com", "addresses or networks"),
        ("proxy", "TRUSTED_PROXIES", "172.16.0.0/12;", "addresses or networks"),
        ("proxy", "SECURE_HSTS_SECONDS", "year", "number of seconds"),
        ("app", "SECRET_KEY", "", "at least 50"),
        ("app", "URL_PREFIX", "shop", "such as /shop"),
        ("app", "WEB_CONCURRENCY", "0", "greater than or equal to 1"),
    ],
)
def test_a_wrong_variable_stops_its_service_with_one_line(
    service: str, variable: str, value: str, rule: str, default_images: Site
) -> None:
    image = default_images.image if service == "app" else default_images.image.replace(":", "-proxy:")
    production = PRODUCED if service == "app" else []
    printed = docker("run", "--rm", *HARDENED, *production, "--env", f"{variable}={value}", image, code=1)
    (line,) = [line for line in printed.splitlines() if variable in line]
    print(line)
    assert rule in line
    assert "Traceback" not in printed
