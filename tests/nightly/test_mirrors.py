"""The images of a generated project: built, run, looked into, and pushed."""

import re
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler

from containers import Site, answering
from questionnaire import ROOT
from tools import need, run

# Nothing listens there.
NOWHERE = "http://127.0.0.1:9"

Source = Callable[..., Site]

Handler = type[BaseHTTPRequestHandler]


def mirror(asked: list[str], upstream: str, passes: str) -> Handler:
    """Return a mirror that remembers what it was asked for, sends on what matches, and has nothing else."""

    class Mirror(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            known = re.search(passes, self.path)
            self.send_response(302 if known else 404)
            if known:
                self.send_header("Location", upstream + self.path)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing: what was asked for is remembered."""

    return Mirror


def python_index() -> str:
    """Return the index that pip takes by itself, without the path of its simple pages."""
    # The pip of pdm's own environment, the first Python on the PATH of tests.
    url = run("python3", "-c", "from pip._internal.models.index import PyPI; print(PyPI.url)", cwd=ROOT)
    return url.strip().rstrip("/")


def npm_registry() -> str:
    """Return the registry that npm takes by itself."""
    need("npm")
    return run("npm", "config", "get", "registry", cwd=ROOT).splitlines()[0].rstrip("/")


def test_a_mirror_of_python_packages_serves_pip_and_pdm(source: Source) -> None:
    made = source("mirrors=china")
    asked: list[str] = []
    with answering(mirror(asked, python_index(), "")) as port:
        index = f"PIP_INDEX_URL=http://127.0.0.1:{port}/simple"
        made.stage("python_builder", "--network", "host", "--build-arg", index)
    assert "/simple/pdm/" in asked
    assert "/simple/django/" in asked
    assert NOWHERE in made.stage(
        "python_builder", "--network", "host", "--build-arg", f"PIP_INDEX_URL={NOWHERE}/simple", code=1
    )


def test_a_mirror_of_npm_serves_npm_and_pnpm(source: Source, named: dict[str, str]) -> None:
    made = source("mirrors=china")
    asked: list[str] = []
    # All but one package: after the first that is missing, pnpm asks for no other.
    with answering(mirror(asked, npm_registry(), "^(?!/gulp/)")) as port:
        # Without the packages that were downloaded before, pnpm has to ask for them.
        address = f"http://127.0.0.1:{port}"
        empty = ["--build-arg", f"BUILDKIT_CACHE_MOUNT_NS={named['APP_NAME']}-npm"]
        arguments = ["--network", "host", *empty, "--build-arg", f"NPM_CONFIG_REGISTRY={address}"]
        printed = made.stage("node_builder", *arguments, code=1)
    assert "/pnpm" in asked
    assert re.search(r"ERR_PNPM_FETCH_404.*" + re.escape(f"{address}/gulp/"), printed), printed
    assert [path for path in asked if path.startswith("/gulp/")]


def test_a_mirror_of_debian_serves_apt(source: Source) -> None:
    made = source("mirrors=china")
    asked: list[str] = []
    with answering(mirror(asked, "http://deb.debian.org", "^/$")) as port:
        arguments = ["--network", "host", "--build-arg", f"DEBIAN_MIRROR=http://127.0.0.1:{port}"]
        printed = made.stage("django_builder", *arguments, code=1)
    assert f"http://127.0.0.1:{port}/debian" in printed
    assert any(path.startswith("/debian/dists/") for path in asked)
