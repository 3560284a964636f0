"""The stack of a generated project, run by Compose under a name of its own."""

import contextlib
import http.client
import json
import os
import re
import ssl
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from containers import names
from tools import clean_environment, eventually, free_port, run

# Networks of Docker, from which a proxy on this machine reaches the one of the stack.
DOCKER_NETWORKS = "172.16.0.0/12,192.168.0.0/16,10.0.0.0/8"

# The files that Compose reads in production, and in development.
PRODUCTION_FILES = "compose.yml:compose.site.yml"
DEVELOPMENT_FILES = "compose.yml:compose.override.yml:compose.site.yml"

# Seconds after which the proxy has resolved the names of services again, which it does every second.
KNOWN = 2.5


@dataclass(frozen=True)
class Answer:
    """What a server answered; the keys of ``headers`` are in lower case, and repeated ones are kept."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str:
        """Return the value of a header that is there once, or nothing."""
        values = [value for key, value in self.headers if key == name.lower()]
        assert len(values) <= 1, f"{name} is there {len(values)} times: {values}"
        return values[0] if values else ""

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()


def request(
    url: str,
    path: str,
    method: str = "GET",
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: float = 10,
) -> Answer:
    """Send one request with the path exactly as it is written, and follow no redirect.

    Args:
        url: scheme, host and port; of https, any certificate is taken.
        path: path and query, as they are sent.
        method: the method of HTTP.
        body: what is sent.
        headers: headers besides Host.
        timeout: seconds for each step.
    """
    parts = urlsplit(url)
    assert parts.hostname is not None
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        context = ssl._create_unverified_context()  # noqa: S323 - the certificate is made by the test
        connection = http.client.HTTPSConnection(parts.hostname, parts.port, timeout=timeout, context=context)
    else:
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
    with contextlib.closing(connection):
        connection.request(method, path, body, dict(headers or {}))
        answer = connection.getresponse()
        return Answer(answer.status, [(key.lower(), value) for key, value in answer.getheaders()], answer.read())


@dataclass(frozen=True)
class Stack:
    """A project and the variables under which Compose runs it."""

    folder: Path
    env: dict[str, str]

    @property
    def url(self) -> str:
        """Where the proxy listens."""
        return f"http://127.0.0.1:{self.env['HTTP_PORT']}"

    def compose(self, *arguments: str, code: int = 0, timeout: float = 300, attempts: int = 1, **env: str) -> str:
        """Run Docker Compose on the files of COMPOSE_FILE, and return what it printed."""
        command = ["docker", "compose", *arguments]
        return run(*command, cwd=self.folder, env=self.env | env, code=code, timeout=timeout, attempts=attempts)

    def build(self, *services: str, **env: str) -> None:
        """Build the images of services, or of all; again, where the network or the machine failed it."""
        command = ["docker", "compose", "build", *services]
        run(*command, cwd=self.folder, env=self.env | env, timeout=600, attempts=2)

    def execute(self, service: str, *command: str, code: int = 0) -> str:
        """Run a command in the container of a service, and return what it printed."""
        return self.compose("exec", "--no-TTY", service, *command, code=code)

    def manage(self, *arguments: str, code: int = 0) -> str:
        """Run a command of Django where the site runs."""
        return self.execute("app", "python", "src/manage.py", *arguments, code=code)

    def container(self, service: str) -> str:
        """Return the id of the container of a service."""
        return self.compose("ps", "--all", "--quiet", service).split()[0]

    def inspect(self, service: str) -> dict[str, Any]:
        """Return what Docker knows of the container of a service."""
        found: dict[str, Any] = json.loads(run("docker", "inspect", self.container(service), cwd=self.folder))[0]
        return found

    def address(self, service: str, network: str = "front") -> str:
        """Return the address of the container of a service, without the proxy."""
        networks = self.inspect(service)["NetworkSettings"]["Networks"]
        found: str = networks[f"{self.env['APP_NAME']}_{network}"]["IPAddress"]
        return found

    def request(
        self, path: str, method: str = "GET", body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send a request to the proxy."""
        return request(self.url, path, method, body, headers)

    def status(self, path: str) -> int:
        """Return the status of a page, or 0 where there is no connection."""
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.request(path).status
        return 0

    def wait(self, path: str = "/", status: int = 200, patience: float = 60) -> float:
        """Wait until a page has a status. Returns the seconds that it took."""
        return eventually(lambda: self.status(path) == status, f"{path} does not answer {status}", patience)


def ready(site: Stack, at: str = "") -> tuple[int, list[str]]:
    """Ask the site itself whether it is ready. Returns the status, and what fails."""
    answer = request(f"http://{at or site.address('app')}:8000", "/health/ready", timeout=30)
    return answer.status, json.loads(answer.text)["failing"]


def failing(table: str) -> list[str]:
    """Return what the table of ``doctor`` calls failed."""
    return re.findall(r"^(\w+) +FAILED ", table, re.MULTILINE)


def sign_in(site: Stack, email: str, password: str) -> str:
    """Sign in with an e-mail address, as a browser does. Returns the cookies."""
    page = site.request("/accounts/login/")
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)
    assert token is not None
    cookies = [value.split(";")[0] for key, value in page.headers if key == "set-cookie"]
    body = urlencode({"csrfmiddlewaretoken": token[1], "username": email, "password": password}).encode()
    headers = {"Cookie": "; ".join(cookies), "Content-Type": "application/x-www-form-urlencoded"}
    answer = site.request("/accounts/login/", "POST", body, headers)
    assert answer.status == 302, answer.text
    return "; ".join(value.split(";")[0] for key, value in answer.headers if key == "set-cookie")


# Production talks to SQS; here, ElasticMQ of development stands in for it.
BROKER = """\
services:
  broker:
    extends: { file: compose.override.yml, service: broker }
    volumes: ["./data/${APP_NAME}:/data"]
configs:
  broker: { file: docker/broker/elasticmq.conf }
  health: { file: docker/broker/health.sh }
  queues: { file: src/config/queues.json }
"""


def broker(folder: Path, name: str) -> dict[str, str]:
    """Give a project whose production talks to SQS a broker that it can reach, by a file of Compose beside its own.

    Args:
        folder: the project.
        name: that of the stack: several of one folder each have their own messages.

    Returns:
        The variables for that, ``COMPOSE_FILE`` among them; nothing for another project.
    """
    if not (folder / "docker/broker/elasticmq.conf").exists():
        return {}
    (folder / "compose.broker.yml").write_text(BROKER)
    (folder / "data" / name).mkdir(parents=True)
    url = "sqs://elasticmq:elasticmq@broker:9324/000000000000/"
    return {"COMPOSE_FILE": f"{PRODUCTION_FILES}:compose.broker.yml", "CELERY_BROKER_URL": url}


@contextlib.contextmanager
def stack(folder: Path, **env: str) -> Iterator[Stack]:
    """Give a project names and ports of its own; all that Compose made of it is gone at the end. Starts nothing.

    Args:
        folder: the project, which may be changed. Its images are called as ``APP_IMAGE_NAME`` says.
        env: variables that win over those of a stack of production that is reached without TLS.
    """
    with names() as named:
        ports = ["HTTP_PORT", "APP_PORT", "DB_PORT", "REDIS_PORT", "BROKER_PORT", "BROKER_PAGE_PORT"]
        ports += ["SMTP_PORT", "MAIL_PORT", "RELOAD_PORT"]
        variables = {
            **named,
            **{name: str(free_port()) for name in ports},
            "COMPOSE_FILE": PRODUCTION_FILES,
            **({} if "override" in env.get("COMPOSE_FILE", "") else broker(folder, named["APP_NAME"])),
            "UID": str(os.getuid()),
            "GID": str(os.getgid()),
            **env,
        }
        (folder / ".env").write_text((folder / ".env").read_text() + "SECURE_SSL_REDIRECT=false\n")
        running = Stack(folder, variables)
        try:
            yield running
        finally:
            subprocess.run(
                ["docker", "compose", "--profile", "*", "down", "--volumes", "--remove-orphans", "--timeout", "2"],
                cwd=folder,
                env=clean_environment() | variables,
                capture_output=True,
                check=False,
            )
