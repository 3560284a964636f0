"""Stacks that cover the questionnaire: for each the same checks, of what its components say in their ``test.toml``."""

import asyncio
import contextlib
import json
import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from clients import Plan
from containers import docker, names
from notes import NOTES, note, notes
from projects import add_app
from questionnaire import RULES, STACK_ROWS, Answers, answers_of
from sockets import Crowd, connected
from stack import Stack, failing, stack
from tasks import NUMBERS, VISIBILITY, Console, add_jobs
from tools import eventually, run

from components import doctor_lines, of, stops

pytestmark = pytest.mark.unit("stack_row")

# What somebody may say of himself to seem another one.
FORGED = {
    "Forwarded": "for=1.2.3.4;proto=https;host=evil.example",
    "X-Forwarded-For": "1.2.3.4",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Port": "443",
    "X-Forwarded-Prefix": "/evil",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Protocol": "https",
    "X-Forwarded-Scheme": "https",
    "X-Forwarded-Ssl": "on",
    "X-Real-IP": "1.2.3.4",
}

# The services that run the image of the project.
OURS = {"app", "ws", "worker", "beat", "migrate"}

# Requests a second while containers are replaced.
RATE = 100


@dataclass(frozen=True)
class Row:
    """A row and its stack, which runs."""

    name: str
    stack: Stack

    @cached_property
    def answers(self) -> Answers:
        """All of its answers."""
        return RULES.full(answers_of(self.name))

    def services(self) -> list[str]:
        """Return what production is made of: the services of ``compose.yml`` alone that are not run by hand."""
        return self.stack.compose("config", "--services", COMPOSE_FILE="compose.yml").split()

    def well(self, service: str) -> bool:
        """Return whether a service says that it is healthy."""
        return bool(self.stack.inspect(service)["State"]["Health"]["Status"] == "healthy")


@pytest.fixture(scope="module")
def row(
    request: pytest.FixtureRequest,
    stack_row: str,
    render: Callable[[str], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Row]:
    """The stack of a row. The images of the default are those that other tests have built."""
    with contextlib.ExitStack() as stacks:
        if stack_row == "default":
            folder: Path = request.getfixturevalue("stack_folder")()
            images: dict[str, str] = request.getfixturevalue("stack_images")
        else:
            folder = tmp_path_factory.mktemp("row") / "project"
            shutil.copytree(render(stack_row), folder)
            for app in ("notes", "probe"):
                add_app(folder, app)
            if (broker := RULES.full(answers_of(stack_row))["celery_broker"]) in NUMBERS:
                add_jobs(folder, broker)
            named = stacks.enter_context(names())
            images = {name: value for name, value in named.items() if name != "APP_NAME"}
        backups = tmp_path_factory.mktemp("backups")
        backups.chmod(0o777)
        variables = {"BROKER_PASSWORD": "secret-word", "BACKUPS": str(backups)}
        site = stacks.enter_context(stack(folder, **images, **variables))
        if stack_row != "default":
            began = time.monotonic()
            site.build()
            print(f"built in {time.monotonic() - began:.0f} s")
        began = time.monotonic()
        site.compose("up", "--detach", "--wait", "--no-build", attempts=2)
        print(f"up in {time.monotonic() - began:.0f} s")
        yield Row(stack_row, site)


def test_doctor_tries_every_component_and_all_work(row: Row) -> None:
    table = row.stack.manage("doctor")
    assert set(re.findall(r"^(\w+) +ok ", table, re.MULTILINE)) == doctor_lines(row.answers)
    assert f"Python {row.answers['python_version']}." in row.stack.execute("app", "python", "--version")


def test_doctor_names_exactly_what_a_stopped_service_breaks(row: Row) -> None:
    # A component that an earlier row has, too, was stopped there.
    known = {one for name in list(STACK_ROWS)[: list(STACK_ROWS).index(row.name)] for one in of(RULES.full(answers_of(name)))}
    new = {service for component in of(row.answers) if component not in known for service in component.stops}
    for service in sorted(new):
        broken = stops(row.answers)[service]
        row.stack.compose("stop", service)
        try:
            assert set(failing(row.stack.manage("doctor", code=1))) == broken, service
        finally:
            row.stack.compose("start", service)
        eventually(lambda: row.well(service), f"{service} is not back", 60)  # noqa: B023
    if new:
        row.stack.wait(NOTES)
        row.stack.manage("doctor")


def test_every_container_may_do_what_it_must_and_no_more(row: Row) -> None:
    writable = {service for component in of(row.answers) for service in component.writable}
    published = {}
    for service in row.services():
        found = row.stack.inspect(service)
        config, host = found["Config"], found["HostConfig"]
        assert config["User"].partition(":")[0] not in {"", "0", "root"}, service
        assert service not in OURS or config["User"] == "1000:1000", service
        assert host["ReadonlyRootfs"] == (service not in writable), service
        assert host["CapDrop"] == ["ALL"], service
        assert not host["CapAdd"], service
        assert not host["Privileged"], service
        assert host["SecurityOpt"] == ["no-new-privileges:true"], service
        assert 0 < host["Memory"] <= 2**30, service
        assert 0 < host["NanoCpus"] <= 10**9, service
        assert 0 < host["PidsLimit"] <= 512, service
        assert host["Init"], service
        assert host["LogConfig"] == {"Type": "json-file", "Config": {"max-file": "10", "max-size": "20m"}}, service
        assert host["RestartPolicy"]["Name"] == ("no" if service == "migrate" else "unless-stopped"), service
        if service == "migrate":
            assert config["Healthcheck"]["Test"] == ["NONE"]
            assert found["State"]["ExitCode"] == 0
        else:
            assert found["State"]["Health"]["Status"] == "healthy", service
        if ports := [port for ports in (host["PortBindings"] or {}).values() for port in ports]:
            published[service] = ports
    assert published == {"proxy": [{"HostIp": "127.0.0.1", "HostPort": row.stack.env["HTTP_PORT"]}]}


def test_a_page_and_its_hashed_files_are_served(row: Row) -> None:
    page = row.stack.request("/")
    assert page.status == 200
    linked = re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text)
    assert linked
    for link in linked:
        answer = row.stack.request(link)
        assert answer.status == 200, link
        assert re.search(r"\.[0-9a-f]{12}\.", link), link
        assert "immutable" in answer.header("Cache-Control"), link
    assert row.stack.status("/health/live") == 200
    assert row.stack.status("/health/ready") == 404


def test_what_a_client_says_of_itself_changes_nothing(row: Row) -> None:
    def seen(headers: dict[str, str]) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(row.stack.request("/probe/", headers=headers).text)
        return found

    async def seen_by_socket(headers: dict[str, str]) -> dict[str, Any]:
        async with connected(row.stack.url, "/ws/probe/", headers) as socket:
            while "host" not in (found := await socket.receive_json(timeout=10)):
                pass
        return dict(found)

    def same(one: dict[str, Any], other: dict[str, Any]) -> None:
        for found in (one, other):
            assert found["host"] == row.stack.url.removeprefix("http://")
            for varied in ("replica", "process"):
                del found[varied]
            # Of each request another one.
            found["headers"] = {name: value for name, value in found["headers"].items() if name.lower() != "x-request-id"}
        assert one == other

    same(seen({}), seen(FORGED))
    assert seen(FORGED)["scheme"] == "http"
    if row.answers["websockets"]:
        same(asyncio.run(seen_by_socket({})), asyncio.run(seen_by_socket(FORGED)))
        assert asyncio.run(seen_by_socket(FORGED))["scheme"] == "ws"


def test_a_websocket_is_answered(row: Row) -> None:
    if not row.answers["websockets"]:
        assert row.stack.status("/ws/echo/") == 404
        return

    async def echo() -> Any:
        async with connected(row.stack.url, "/ws/echo/") as socket:
            await socket.send_json({"text": "שלום"})
            while "text" not in (found := await socket.receive_json(timeout=10)):
                pass
            return found

    assert asyncio.run(echo()) == {"text": "שלום"}


def test_tasks_are_done_once_each_also_when_their_worker_is_killed(row: Row) -> None:
    if not row.answers["celery"]:
        assert "worker" not in row.services()
        return
    console = Console(row.stack.container("app"))
    try:
        console("[tasks.write.delay(f'row {number}', seconds=1).id for number in range(8)]")
        eventually(lambda: console("models.Row.objects.count()") >= 2, "no task is done", 30)
        docker("kill", "--signal", "KILL", row.stack.container("worker"))
        done = console("models.Row.objects.count()")
        row.stack.compose("start", "worker")
        seconds = eventually(lambda: console("models.Row.objects.count()") == 8, "tasks are lost", VISIBILITY + 60)
        again = console("models.Attempt.objects.count()") - 8
        print(f"killed after {done} of 8 tasks: the others are done {seconds:.1f} s later, {again} were begun again")
        assert done < 8
        assert again > 0, "no task was hit"
        assert console("models.Counter.objects.get().value") == 8
    finally:
        console.end()


def test_a_rollout_loses_no_request(row: Row) -> None:
    services = [service for service in ("app", "ws") if service in row.services()]
    before = {service: row.stack.container(service) for service in services}
    with Crowd(Plan(row.stack.url, rate=RATE)) as crowd:
        run("sh", "docker/rollout.sh", *services, cwd=row.stack.folder, env=row.stack.env)
        time.sleep(1)
    print(crowd)
    assert crowd.failures() == []
    assert len(crowd.samples) > RATE
    assert not {row.stack.container(service) for service in services} & set(before.values())


def test_a_backup_brings_rows_and_files_back(row: Row) -> None:
    assert note(row.stack, "kept", b"these bytes").status == 200
    row.stack.compose("run", "--rm", "backup", "row")
    kept = notes(row.stack)
    assert note(row.stack, "later").status == 200
    row.stack.compose("run", "--rm", "restore", "row", "--force")
    row.stack.wait(NOTES)
    assert notes(row.stack) == kept
    assert row.stack.request(kept["kept"]).body == b"these bytes"
