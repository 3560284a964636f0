"""Docker for the tests: images and containers with names of their own, which are gone afterwards, and a registry."""

import contextlib
import gzip
import hashlib
import json
import os
import re
import secrets
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from projects import PRODUCTION, git, program
from questionnaire import ROOT
from tools import eventually, need, run

# The variable that names the folder of all lanes, in which each name has a file while something has it.
MARKS = "TESTS_SHARED"

# What BuildKit keeps of builds: a run of all tests makes more layers than a disk may hold. What was used last stays.
KEPT = "20gb"

# What a careful operator takes away from a container, and what production sets.
HARDENED = ["--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]  # noqa: S108
PRODUCED = [part for key, value in PRODUCTION.items() for part in ("--env", f"{key}={value}")]


@dataclass(frozen=True)
class Site:
    """A project whose images have names of their own."""

    folder: Path
    env: dict[str, str]

    @property
    def image(self) -> str:
        """The name of the image of ``prod``."""
        return f"{self.env['APP_IMAGE_NAME']}:{self.env['APP_IMAGE_TAG']}"

    def build(self, *arguments: str, code: int = 0, **env: str) -> str:
        """Run ``pdm run build``, and return what it printed."""
        plain = {"BUILDKIT_PROGRESS": "plain"}
        return run(
            "pdm", "run", "build", *arguments, cwd=self.folder, env=self.env | plain | env, code=code, timeout=600, attempts=2
        )

    def stage(self, target: str, *arguments: str | Path, code: int = 0, **env: str) -> str:
        """Run ``docker build`` for a stage; without a tag among the arguments no image is made of it."""
        exported = ["--label", f"com.docker.compose.project={self.env['APP_NAME']}"]
        if "--tag" not in arguments:
            exported = ["--output", "type=cacheonly"]
        command = ["docker", "build", "--progress", "plain", "--target", target, *exported, *arguments, "."]
        return run(*command, cwd=self.folder, env=self.env | env, code=code, timeout=600, attempts=2)


def clone(site: Site, folder: Path, tag: str) -> Site:
    """Clone the repository of a project, as another machine would have it."""
    git("clone", "--quiet", str(site.folder), str(folder), cwd=site.folder)
    (folder / ".git/info/exclude").write_text(".venv\n")
    (folder / ".venv").symlink_to((site.folder / ".venv").resolve())
    return Site(folder, site.env | {"APP_IMAGE_TAG": tag})


def cached(printed: str, step: str) -> bool:
    """Return whether the step of a build that holds a text came from the cache, for all images that need it."""
    numbers = set(re.findall(rf"^#(\d+) \[[^\]]+ \d+/\d+\] RUN .*{re.escape(step)}", printed, re.MULTILINE))
    ended = {number: re.findall(rf"^#{number} (CACHED|DONE)\b", printed, re.MULTILINE) for number in numbers}
    assert numbers, printed
    assert all(ended.values()), printed
    return all(set(words) == {"CACHED"} for words in ended.values())


def docker(*arguments: str | Path, code: int = 0) -> str:
    """Run a command of Docker, and return what it printed."""
    return run("docker", *arguments, cwd=ROOT, code=code, timeout=600).strip()


def inspect(name: str) -> dict[str, Any]:
    """Return what Docker knows of an image or a container."""
    found: dict[str, Any] = json.loads(docker("inspect", name))[0]
    return found


def fresh_names() -> dict[str, str]:
    """Return the variables that name images, containers and volumes as nobody else does."""
    need("docker")
    name = f"test-{secrets.token_hex(4)}"
    return {"APP_NAME": name, "APP_IMAGE_NAME": f"{name}/site", "APP_IMAGE_TAG": "1.2.3"}


def remove(name: str) -> None:
    """Remove all containers, images and volumes that have such a name, and what BuildKit keeps of them."""
    project = f"label=com.docker.compose.project={name}"
    for listed, removed in (
        (["ps", "--all", "--quiet", "--filter", project], ["rm", "--force", "--volumes"]),
        # By name first: an image may have a second name, of somebody else.
        (
            ["image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "--filter", f"reference={name}/*"],
            ["image", "rm", "--force"],
        ),
        (["image", "ls", "--all", "--quiet", "--no-trunc", "--filter", project], ["image", "rm", "--force"]),
        (["volume", "ls", "--quiet", "--filter", project], ["volume", "rm", "--force"]),
    ):
        found = sorted(set(docker(*listed).split()))
        if found:
            docker(*removed, *found)
    # Downloads of builds that began without any: BuildKit keeps them under the name that they were given.
    docker("builder", "prune", "--force", "--filter", f"description~={name}")


@contextlib.contextmanager
def names() -> Iterator[dict[str, str]]:
    """Yield fresh names; all that has them goes at the end."""
    named = fresh_names()
    # What is left when a run is killed: the session removes it at its end.
    mark = Path(os.environ[MARKS]) / f"images-{named['APP_NAME']}"
    mark.touch()
    try:
        yield named
    finally:
        remove(named["APP_NAME"])
        mark.unlink(missing_ok=True)


def kill_main(name: str) -> None:
    """Kill the main process of a container as the kernel does when memory ends: its restart policy starts it again."""
    docker("exec", "--detach", name, "python", "-c", program("kill_main"))


@contextlib.contextmanager
def container(image: str, *arguments: str | Path, command: tuple[str, ...] = ()) -> Iterator[str]:
    """Run a container until the block ends. Yields its id.

    Args:
        image: what it is made of.
        arguments: those of ``docker run``.
        command: what it runs instead of what the image says.
    """
    started = docker("run", "--detach", *arguments, image, *command).splitlines()[-1]
    try:
        yield started
    finally:
        docker("rm", "--force", "--volumes", started)


def state(name: str) -> dict[str, Any]:
    """Return the state of a container."""
    found: dict[str, Any] = inspect(name)["State"]
    return found


def healthy(name: str, patience: float = 60) -> float:
    """Wait until the health check of a container says that it is well. Returns the seconds that it took."""

    def well() -> bool:
        found = state(name)
        assert found["Running"], f"it ended with {found['ExitCode']}:\n{docker('logs', name)}"
        return bool(found["Health"]["Status"] == "healthy")

    return eventually(well, f"{name} is not healthy", patience)


def published(name: str, port: int = 8000) -> str:
    """Return the address at which a port of a container is reached."""
    return f"http://{docker('port', name, str(port)).splitlines()[0]}"


def saved(image: str, folder: Path) -> Iterator[bytes]:
    """Yield all that a registry would get of an image: its configuration and its layers, uncompressed."""
    archive = folder / "image.tar"
    docker("save", "--output", archive, image)
    with tarfile.open(archive) as tar:
        for member in tar:
            if (file := tar.extractfile(member)) is not None:
                content = file.read()
                yield gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content
    archive.unlink()


@contextlib.contextmanager
def answering(handler: type[BaseHTTPRequestHandler]) -> Iterator[int]:
    """Serve HTTP on 127.0.0.1 until the block ends. Yields the port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


@contextlib.contextmanager
def registry() -> Iterator[tuple[str, dict[str, bytes]]]:
    """Run a registry that takes pushes. Yields its address, and the manifests by ``name:tag``.

    https://distribution.github.io/distribution/spec/api/
    """
    blobs: dict[str, bytes] = {}
    uploads: dict[str, bytes] = {}
    manifests: dict[str, bytes] = {}

    class Registry(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def respond(self, status: int, **headers: str) -> None:
            self.send_response(status)
            for key, value in ({"Content_Length": "0"} | headers).items():
                self.send_header(key.replace("_", "-"), value)
            self.end_headers()

        def body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))
            content = b""
            while size := int(self.rfile.readline(), 16):
                content += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return content

        def do_GET(self) -> None:
            self.respond(200 if self.path == "/v2/" else 404)

        def do_HEAD(self) -> None:
            blob = blobs.get(self.path.rpartition("/")[2])
            self.respond(404) if blob is None else self.respond(200, Content_Length=str(len(blob)))

        def do_POST(self) -> None:
            upload = secrets.token_hex(8)
            uploads[upload] = b""
            self.respond(202, Location=f"{self.path.partition('?')[0]}{upload}", Docker_Upload_UUID=upload)

        def do_PATCH(self) -> None:
            upload = self.path.rpartition("/")[2]
            uploads[upload] += self.body()
            self.respond(202, Location=self.path, Range=f"0-{len(uploads[upload]) - 1}")

        def do_PUT(self) -> None:
            path, _, query = self.path.partition("?")
            folder, _, last = path.rpartition("/")
            if folder.endswith("/manifests"):
                content = self.body()
                manifests[f"{folder.removeprefix('/v2/').removesuffix('/manifests')}:{last}"] = content
            else:
                content = uploads.pop(last) + self.body()
                blobs[re.sub("^digest=", "", query).replace("%3A", ":")] = content
            self.respond(201, Docker_Content_Digest=f"sha256:{hashlib.sha256(content).hexdigest()}")

        def log_message(self, *_: object) -> None:
            """Say nothing: what arrives is asked of the dictionaries."""

    with answering(Registry) as port:
        yield f"127.0.0.1:{port}", manifests
