"""Tasks under faults, for each broker: the image and the stack of production, killed, stopped and cut off."""

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from conftest import copier, data, eventually
from containers import docker
from load import FIGURES, percentile, together
from stack import request
from tasks import BROKERS, CONCURRENCY, MAX_RECEIVES, VISIBILITY, Jobs, jobs, kill_main


@pytest.fixture(scope="module", params=BROKERS)
def site(
    request: pytest.FixtureRequest, template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Jobs]:
    """The stack that the tests of a broker share. Each leaves its queues empty, and its services up."""
    project = tmp_path_factory.mktemp("tasks") / "project"
    answers = data({"celery_broker": request.param, "frontend": "none", "redis": "false"})
    copier("copy", "--quiet", "--defaults", *answers, template, project, cwd=project.parent)
    with jobs(project, request.param) as found:
        yield found


def page(site: Jobs, path: str) -> tuple[int, str]:
    """Ask the site itself for a page."""
    networks = site.stack.inspect("app")["NetworkSettings"]["Networks"]
    address = networks[f"{site.stack.env['APP_NAME']}_front"]["IPAddress"]
    answer = request(f"http://{address}:8000", path, headers={"Host": "localhost"}, timeout=30)
    return answer.status, answer.text


def test_a_worker_that_is_killed_loses_no_task_and_does_none_twice(site: Jobs) -> None:
    keys = [f"killed {number}" for number in range(FIGURES.tasks)]
    effects = site.counted()
    site.send("write", keys)
    began = time.monotonic()
    for number in range(FIGURES.kills):
        share = FIGURES.tasks * number // FIGURES.kills + CONCURRENCY
        eventually(lambda: site.rows("killed") >= share, "nothing is done", VISIBILITY + 40)  # noqa: B023
        if number % 2:
            docker("kill", "--signal", "KILL", site.stack.container("worker"))
            site.stack.compose("start", "worker")
        else:
            before = site.stack.inspect("worker")["RestartCount"]
            kill_main(site)
            eventually(lambda: site.stack.inspect("worker")["RestartCount"] > before, "it is not started again")  # noqa: B023
    killed = time.monotonic()
    eventually(lambda: site.rows("killed") == len(keys), f"only {site.rows('killed')} are done", VISIBILITY + 60)
    now = time.monotonic()
    again = site.attempts("killed") - len(keys)
    print(
        f"{site.broker}: {FIGURES.kills} kills in {len(keys)} tasks: {len(keys) - site.rows('killed')} lost, "
        f"{site.counted() - effects - len(keys)} double effects, {again} begun again; "
        f"the last is done {now - killed:.1f} s after the last kill, {now - began:.1f} s in all"
    )
    assert site.counted() - effects == len(keys)
    assert again > 0, "no task was hit"
    eventually(lambda: (site.waiting(), site.held(), site.dead()) == (0, 0, 0), "something is left")


def test_a_worker_that_is_stopped_finishes_its_tasks_and_hides_none(site: Jobs) -> None:
    before = site.attempts("stopped")
    sent = 0
    for number in range(FIGURES.stops):
        site.send("write", [f"stopped {number}.{index}" for index in range(60)], seconds=0.5)
        sent += 60
        eventually(lambda: site.attempts("stopped") - before >= sent - 50, "nothing is done", 60)  # noqa: B023
        began = time.monotonic()
        site.stack.compose("stop", "worker")
        seconds = time.monotonic() - began
        state = site.stack.inspect("worker")["State"]
        hidden = eventually(lambda: site.held() == 0, f"{site.held()} are hidden", VISIBILITY + 10)
        left = site.waiting()
        print(f"{site.broker}: stopped in {seconds:.1f} s with {state['ExitCode']}; nothing hidden {hidden:.1f} s later, {left} wait")
        assert state["ExitCode"] == 0, site.lines("worker")[-20:]
        assert seconds <= 15
        assert hidden <= 15
        site.stack.compose("start", "worker")
    eventually(lambda: site.rows("stopped") == sent, f"only {site.rows('stopped')} of {sent} are done", VISIBILITY + 60)
    # A warm end: nothing was cut off, and nothing done twice.
    assert site.attempts("stopped") - before == sent
    eventually(lambda: (site.waiting(), site.held(), site.dead()) == (0, 0, 0), "something is left")


def test_a_worker_that_is_stopped_while_idle_swallows_no_task(site: Jobs) -> None:
    for number in range(2):
        site.up("worker")
        time.sleep(1)
        sent = 0
        with ThreadPoolExecutor(1) as pool:
            stopped = pool.submit(site.stack.compose, "stop", "worker")
            while not stopped.done():
                site.send("write", [f"idle {number}.{sent}"])
                sent += 1
                time.sleep(0.05)
            stopped.result()
        assert site.stack.inspect("worker")["State"]["ExitCode"] == 0
        hidden = eventually(lambda: site.held() == 0, f"{site.held()} are hidden", VISIBILITY + 10)
        assert hidden <= 15
        site.stack.compose("start", "worker")
        began = time.monotonic()
        eventually(lambda: site.rows(f"idle {number}.") == sent, "some are not done", VISIBILITY + 30)  # noqa: B023
        print(
            f"{site.broker}: {sent} sent while an idle worker stopped: nothing hidden after {hidden:.1f} s, "
            f"all done {time.monotonic() - began:.1f} s after the next start"
        )
        assert site.attempts(f"idle {number}.") == sent


def test_what_fails_always_is_kept_after_five_receives_and_can_be_put_back(site: Jobs) -> None:
    assert site.dead() == 0
    began = time.monotonic()
    site.send("fail", ["fails"])
    eventually(lambda: site.dead() == 1, "it is not given up", 60)
    attempts = site.attempts("fails")
    print(f"{site.broker}: given up after {attempts} receives, {time.monotonic() - began:.1f} s")
    assert attempts == MAX_RECEIVES
    table = site.stack.manage("queues")
    print(table)
    assert re.search(r"^default-dead +1 +", table, re.MULTILINE)
    listed = {queue["name"]: queue for queue in json.loads(site.stack.manage("queues", "--json"))}
    assert listed["default-dead"]["waiting"] == 1
    assert listed["default"]["waiting"] == 0
    # It stays there: nobody takes it.
    time.sleep(3)
    assert site.attempts("fails") == MAX_RECEIVES
    # Put back while it fails still, it has all its receives again.
    site.stack.manage("redrive")
    eventually(lambda: site.attempts("fails") == 2 * MAX_RECEIVES, "it is not tried again", 60)
    eventually(lambda: site.dead() == 1, "it is not given up again", 60)
    assert site.pardon() == 1
    assert site.attempts("fails") == 2 * MAX_RECEIVES
    assert site.rows("fails pardoned") == 1


def test_what_takes_too_long_is_ended_once_while_its_message_is_its_own(site: Jobs) -> None:
    began = time.monotonic()
    site.send("linger", ["lingers"])
    site.send("stubborn", ["is stubborn"])
    eventually(lambda: site.dead() == 1, "the soft limit does not end it", VISIBILITY)
    soft = time.monotonic() - began
    eventually(lambda: site.dead() == 2, "the hard limit does not end it", VISIBILITY)
    hard = time.monotonic() - began
    print(f"{site.broker}: ended after {soft:.1f} s (soft) and {hard:.1f} s (hard), of {VISIBILITY} s")
    assert hard < VISIBILITY
    time.sleep(VISIBILITY + 2 - hard)
    for key in ("lingers", "is stubborn"):
        assert site.rows(key) == 1
        assert site.attempts(key) == 1
    assert site.pardon() == 2


def test_what_kills_its_process_is_kept_after_five_receives(site: Jobs) -> None:
    site.send("poison", ["poison"])
    began = time.monotonic()
    eventually(lambda: site.dead() == 1, "it is not given up", VISIBILITY * 6)
    print(f"{site.broker}: given up after {site.attempts('poison')} receives, {time.monotonic() - began:.1f} s")
    assert site.attempts("poison") == MAX_RECEIVES
    # The worker goes on.
    site.send("write", ["after poison"])
    eventually(lambda: site.rows("after poison") == 1, "the worker is gone")
    assert site.pardon() == 1


def ready(site: Jobs) -> tuple[int, list[str]]:
    """Ask the site whether it is ready. Returns the status, and what fails."""
    status, text = page(site, "/health/ready")
    return status, json.loads(text)["failing"]


@pytest.mark.parametrize(("down", "up"), [("stop", "start"), ("pause", "unpause")], ids=["stopped", "frozen"])
def test_a_broker_that_is_down_fails_what_asks_for_tasks_soon_and_nothing_else(down: str, up: str, site: Jobs) -> None:
    name = f"broker {down}"
    site.send("write", [f"{name} before {number}" for number in range(100)])
    site.stack.compose(down, "broker")
    stopped = time.monotonic()
    try:
        kept = site.console.attempt(f"tasks.write.delay('{name} kept')")
        again = site.console.attempt(f"tasks.write.delay('{name} again')")
        code = (
            "import time; from kombu.exceptions import OperationalError; from my_site.jobs import tasks; began = time.monotonic()\n"
            "try: tasks.write.delay('new')\n"
            "except OperationalError as error: print(f'{time.monotonic() - began:.1f} s OperationalError: {error}')"
        )
        new = site.stack.manage("shell", "--verbosity", "0", "--command", code).strip()
        print(f"{site.broker} {down}: {kept.seconds:.1f} s {kept.error}: {kept.message}")
        print(f"{site.broker} {down}, again: {again.seconds:.1f} s {again.error}: {again.message}")
        print(f"{site.broker} {down}, a new process: {new}")
        for outcome in (kept, again):
            assert outcome.error == "kombu.exceptions.OperationalError", outcome
            assert outcome.message
            assert outcome.seconds < 5
        (line,) = new.splitlines()
        assert re.match(r"[0-4]\.\d s OperationalError: .+", line)
        assert page(site, "/accounts/login/")[0] == 200
        began = time.monotonic()
        assert ready(site) == (503, ["broker"])
        print(f"{site.broker} {down}: /health/ready says so in {time.monotonic() - began:.1f} s")
        assert site.stack.inspect("app")["State"]["Health"]["Status"] == "healthy"
        time.sleep(max(0, FIGURES.outage - (time.monotonic() - stopped)))
    finally:
        site.stack.compose(up, "broker")
    began = time.monotonic()
    eventually(lambda: not site.console.attempt(f"tasks.write.delay('{name} after').id").error, "nothing can be sent", 30)
    sendable = time.monotonic() - began
    eventually(lambda: site.rows(f"{name} after") == 1, "the worker does not come back", 60)
    back = time.monotonic() - began
    eventually(lambda: ready(site) == (200, []), "it is not ready", 30)
    eventually(lambda: site.rows(f"{name} before") == 100, f"only {site.rows(f'{name} before')} are done", VISIBILITY + 20)
    done = time.monotonic() - began
    print(f"{site.broker} {up}: sent after {sendable:.1f} s, done by the worker after {back:.1f} s, all after {done:.1f} s")
    assert back <= 15
    eventually(lambda: site.held() == 0, "something is left", VISIBILITY + 10)


def test_a_broker_that_is_killed_forgets_nothing(site: Jobs) -> None:
    site.stack.compose("stop", "worker")
    keys = [f"kept {number}" for number in range(100)]
    site.send("write", keys)
    site.console("tasks.write.apply_async(['kept for later'], countdown=3).id")
    docker("kill", "--signal", "KILL", site.stack.container("broker"))
    site.stack.compose("start", "broker")
    eventually(lambda: not site.console.attempt("broker.probe()").error, "the broker is not back", 30)
    site.up("broker", "worker")
    began = time.monotonic()
    eventually(lambda: site.rows("kept") == len(keys) + 1, f"only {site.rows('kept')} of {len(keys) + 1}", VISIBILITY + 30)
    print(f"{site.broker}: killed, it kept {len(keys)} tasks; they are done {time.monotonic() - began:.1f} s after")
    began = time.monotonic()
    site.stack.compose("restart", "broker")
    restarted = time.monotonic()
    eventually(lambda: not site.console.attempt("tasks.write.delay('restarted').id").error, "nothing can be sent", 30)
    eventually(lambda: site.rows("restarted") == 1, "the worker does not come back", 60)
    print(f"{site.broker}: restarted in {restarted - began:.1f} s, a task done {time.monotonic() - restarted:.1f} s later")
    assert time.monotonic() - restarted <= 15
