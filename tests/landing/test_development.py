"""The stack of development, as `docker compose up` runs it: code that reloads, tools inside, and files that are the host's."""

import contextlib
import json
import os
import re
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from containers import names
from playwright.sync_api import Browser
from stack import DEVELOPMENT_FILES, Stack, stack
from tools import all_passed, change, eventually, get, run, started

# Somebody who is neither root nor the 1000 of most machines.
OWNER = 12345


def own(folder: Path, uid: int = OWNER) -> None:
    """Give a folder, with all that is in it, to a user."""
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, uid, uid, follow_symlinks=False)


def strangers(folder: Path) -> set[str]:
    """Return the files of a folder that are not the owner's."""
    found = {path: path.lstat() for path in folder.rglob("*")}
    return {str(path.relative_to(folder)) for path, stat in found.items() if (stat.st_uid, stat.st_gid) != (OWNER, OWNER)}


@contextlib.contextmanager
def development(folder: Path, **env: str) -> Iterator[Stack]:
    """Run a project with names and ports of its own, on the files that COMPOSE_FILE in .env names."""
    files = {"COMPOSE_FILE": DEVELOPMENT_FILES, "UID": str(OWNER), "GID": str(OWNER)}
    with stack(folder, **files, **env) as site:
        # As a developer has it, who has changed nothing.
        path = folder / ".env"
        path.write_text(path.read_text().removesuffix("SECURE_SSL_REDIRECT=false\n"))
        yield site


@contextlib.contextmanager
def program(folder: Path, name: str) -> Iterator[None]:
    """Run a script of the project on the host until the block ends; SIGINT, as of Ctrl+C, must end it and all it started."""
    with started(name, ["pdm", "run", name], folder) as (process, log):
        yield
        assert process.poll() is None, log.read_text()
        os.killpg(process.pid, signal.SIGINT)
        process.wait(30)
        # The terminal's SIGINT begins a warm shutdown, and the one that watchfiles adds a cold one: rarely Celery (5.7.0) loses its
        # pool between the two, and says so by a traceback of its own.
        printed, _, _ = log.read_text().partition("Error on stopping Pool: AttributeError")
        assert "Traceback" not in printed, printed
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 0)
            pytest.fail(f"pdm run {name} leaves processes behind:\n{log.read_text()}")


@pytest.fixture(scope="module")
def images() -> Iterator[dict[str, str]]:
    """The name of the images of development, which are built once."""
    with names() as named:
        yield {key: value for key, value in named.items() if key != "APP_NAME"}


@pytest.fixture(scope="module")
def site(render: Callable[[str], Path], images: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A project of another user, that runs."""
    if os.getuid():
        pytest.skip("only root can give files away")
    folder = tmp_path_factory.mktemp("development") / "project"
    # The user of the container passes through every folder above, as a home lets its own.
    for parent in (folder.parent, *folder.parent.parents):
        if parent.stat().st_uid == os.getuid() and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o011)
    shutil.copytree(render("default"), folder)
    own(folder)
    with development(folder, **images) as started:
        started.build()
        started.compose("up", "--detach", "--no-build", timeout=120)
        eventually(lambda: answers(started), "the site does not answer", 60)
        yield started


def address(site: Stack) -> str:
    """Return where the site is."""
    return f"http://127.0.0.1:{site.env['APP_PORT']}"


def answers(site: Stack, text: str = "") -> bool:
    """Say whether the site answers, with a page that has a text."""
    with contextlib.suppress(OSError):
        status, body = get(address(site))
        return status == 200 and text in body
    return False


def messages(site: Stack) -> list[str]:
    """Return the subjects of the mail that arrived."""
    _, body = get(f"http://127.0.0.1:{site.env['MAIL_PORT']}/api/v1/messages")
    return [message["Subject"] for message in json.loads(body)["messages"]]


def test_what_is_published_is_for_this_machine_alone(site: Stack) -> None:
    published = {}
    for service in site.compose("ps", "--services").split():
        for bindings in site.inspect(service)["NetworkSettings"]["Ports"].values():
            for binding in bindings or []:
                published[binding["HostPort"]] = binding["HostIp"]
    ports = ("APP_PORT", "DB_PORT", "REDIS_PORT", "BROKER_PORT", "BROKER_PAGE_PORT", "SMTP_PORT", "MAIL_PORT", "RELOAD_PORT")
    assert published == {site.env[port]: "127.0.0.1" for port in ports}


def test_what_is_edited_is_in_the_browser_without_a_reload(site: Stack, browser: Browser) -> None:
    source = site.folder / "src/my_site"
    page = browser.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    with contextlib.closing(page):
        with page.expect_request(f"http://127.0.0.1:{site.env['RELOAD_PORT']}/"):
            page.goto(address(site))
        style = source / "pages/static/pages/site.css"
        style.write_text(style.read_text() + "\nh1 { color: rgb(1, 2, 3); }\n")
        colour = "element => getComputedStyle(element).color"
        eventually(lambda: page.locator("h1").evaluate(colour) == "rgb(1, 2, 3)", "the browser has the old colour")
        template = source / "welcome/templates/welcome/home.html"
        template.write_text(template.read_text().replace("Your new site is up.", "Your newer site is up."))
        page.get_by_text("Your newer site is up.").wait_for()
        view = source / "welcome/views.py"
        view.write_text(view.read_text().replace('"package": "my_site"', '"package": "reloaded"'))
        eventually(lambda: answers(site, "src/reloaded/welcome"), "Python is not loaded again")
    # While the server starts again, the page tries to reach it, and the browser says so.
    assert [text for text in complaints if not re.search("net::ERR_|WebSocket connection to", text)] == []
    view.write_text(view.read_text().replace('"package": "reloaded"', '"package": "my_site"'))
    assert strangers(site.folder) == set()


def echoed(site: Stack) -> str:
    """Have the worker do a task, and return its result."""
    task = "from runtime.tasks import echo; print('ECHO', echo.delay('hello').get(timeout=30))"
    printed = site.execute("app", "pdm", "run", "manage", "shell", "-c", task)
    return printed.rpartition("ECHO ")[2].strip()


def test_a_worker_takes_what_is_edited(site: Stack) -> None:
    assert echoed(site) == "hello"
    tasks = site.folder / "src/runtime/tasks.py"
    change(tasks, "    return text\n", "    return text.upper()\n")
    try:
        took = eventually(lambda: echoed(site) == "HELLO", "the worker has the old task", 60)
    finally:
        change(tasks, "    return text.upper()\n", "    return text\n")
    print(f"\na worker has what is edited after {took:.1f} s, of which the questions take a part")
    eventually(lambda: echoed(site) == "hello", "the worker has the edited task", 60)
    assert strangers(site.folder) == set()


def test_files_that_a_container_writes_are_the_hosts(site: Stack) -> None:
    site.execute("app", "python", "src/manage.py", "startapp", "x")
    site.execute("app", "mkdir", "src/my_site/letters")
    site.execute("app", "pdm", "run", "manage", "startapp", "letters", "src/my_site/letters")
    assert (site.folder / "x/models.py").exists()
    assert (site.folder / "src/my_site/letters/models.py").exists()
    assert (site.folder / "static/pages/site.css").exists(), "gulp built nothing"
    assert strangers(site.folder) == set()
    shutil.rmtree(site.folder / "x")
    shutil.rmtree(site.folder / "src/my_site/letters")


def test_a_wrong_user_is_told_the_way_out(site: Stack) -> None:
    other = OWNER + 1
    own(site.folder, other)
    try:
        for service, command in (("app", ["pdm", "run", "manage", "check"]), ("migrate", []), ("assets", [])):
            printed = site.compose("run", "--rm", "--no-deps", "--no-TTY", service, *command, code=1)
            said = [line for line in printed.splitlines() if line and not re.match(r"\s*(Container|Network|Volume) ", line)]
            assert said == [
                (
                    f"The project belongs to user {other} of group {other}, and this container is user {OWNER} of group {OWNER}: "
                    f"write UID={other} and GID={other} into .env, then run docker compose up --build."
                )
            ]
    finally:
        own(site.folder)


def test_the_tools_of_every_day_work_inside(site: Stack) -> None:
    printed = site.compose("exec", "--no-TTY", "app", "pdm", "run", "test", timeout=600)
    print(f"\n{all_passed(printed)}, on PostgreSQL")
    site.execute("app", "pdm", "run", "lint")
    vendor = "from django.db import connection; print(connection.vendor)"
    assert "postgresql" in site.execute("app", "pdm", "run", "manage", "shell", "-c", vendor)
    assert "test_my_site" not in site.execute("db", "psql", "--username", "postgres", "--list"), "the test database is left"
    assert strangers(site.folder) == set()


def test_mail_arrives_and_doctor_names_what_is_stopped(site: Stack) -> None:
    table = site.execute("app", "pdm", "run", "doctor")
    assert [line.split()[:2] for line in table.splitlines()] == [
        [name, "ok"] for name in ("database", "cache", "broker", "websockets", "mail", "static")
    ]
    assert "My Site: mail works" in messages(site)
    site.manage("sendtestemail", "ada@example.com")
    assert len(messages(site)) == 2
    site.compose("stop", "--timeout", "1", "mail")
    try:
        table = site.execute("app", "pdm", "run", "doctor", code=1)
        assert [line.split()[0] for line in table.splitlines() if "FAILED" in line] == ["mail"]
        assert "Not working: mail." in table
    finally:
        site.compose("start", "mail")


def test_python_on_the_host_takes_the_services_of_the_same_env(
    render: Callable[[str], Path], environment: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "project"
    shutil.copytree(render("default"), folder)
    (folder / ".venv").symlink_to(environment)
    # Where the broker keeps what waits.
    own(folder / "data")
    with development(folder) as services:
        path = folder / ".env"
        lines, uncommented = re.subn(r"^# (?!PROXY_URL)(?=\w+=\w+://.*127\.0\.0\.1)", "", path.read_text(), flags=re.MULTILINE)
        assert uncommented == 4
        # The test has ports of its own.
        for port, name in (("5432", "DB_PORT"), ("6379", "REDIS_PORT"), ("9324", "BROKER_PORT"), ("1025", "SMTP_PORT")):
            lines = lines.replace(f"127.0.0.1:{port}", f"127.0.0.1:{services.env[name]}")
        path.write_text(lines)
        services.compose("up", "--detach", "--wait", "db", "cache", "broker", "mail")
        assert services.compose("ps", "--services").split() == ["broker", "cache", "db", "mail"]
        run("pdm", "run", "manage", "migrate", "--verbosity", "0", cwd=folder)
        with program(folder, "worker"), program(folder, "beat"):
            table = run("pdm", "run", "doctor", cwd=folder)
            known = "from django_celery_beat.models import PeriodicTask as T; print('KNOWN', T.objects.filter(name='clear-sessions').count())"
            schedule = ["pdm", "run", "manage", "shell", "-c", known]
            eventually(lambda: "KNOWN 1" in run(*schedule, cwd=folder), "beat does not keep the schedule")
        assert "default-dead" in run("pdm", "run", "manage", "queues", cwd=folder)
        assert re.search(r"^database +ok .*PostgreSQL 18", table, re.MULTILINE), table
        assert re.search(r"^cache +ok .*Redis", table, re.MULTILINE), table
        assert re.search(r"^broker +ok .*a task done", table, re.MULTILINE), table
        assert re.search(r"^mail +ok .*127\.0\.0\.1:", table, re.MULTILINE), table
        assert messages(services) == ["My Site: mail works"]
        # Containers of development have the services by name all the same.
        config = json.loads(services.compose("config", "--format", "json"))["services"]["app"]["environment"]
        assert config["DATABASE_URL"].endswith("@db:5432/my_site")
        assert (config["REDIS_URL"], config["EMAIL_URL"]) == ("redis://cache:6379/0", "smtp://mail:1025")
