"""Tasks under faults, for each broker: the image and the stack of production, killed, stopped and cut off."""

import json
import re
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from containers import docker, kill_main
from load import FIGURES, bounded
from projects import copier, data
from stack import request
from tasks import BROKERS, CONCURRENCY, MAX_RECEIVES, VISIBILITY, Jobs, jobs
from tools import eventually

pytestmark = pytest.mark.unit("site")


@pytest.fixture(scope="module", params=BROKERS)
def site(request: pytest.FixtureRequest, template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jobs]:
    """The stack that the tests of a broker share. Each leaves its queues empty, and its services up."""
    project = tmp_path_factory.mktemp("tasks") / "project"
    answers = data({"celery_broker": request.param, "frontend": "none", "redis": "false"})
    copier("copy", "--quiet", "--defaults", *answers, template, project, cwd=project.parent)
    with jobs(project, request.param) as found:
        yield found


def of(*brokers: str) -> pytest.MarkDecorator:
    """Try what hardly depends on the broker with these alone; ``./run soak`` tries it with each."""
    return pytest.mark.parametrize("site", BROKERS if FIGURES.thorough else brokers, indirect=True)


def page(site: Jobs, path: str, method: str = "GET") -> tuple[int, str]:
    """Ask the site itself for a page, as a browser that has its token."""
    address = site.stack.address("app")
    token = "t" * 32
    headers = {"Host": "localhost", "Cookie": f"csrftoken={token}", "X-CSRFToken": token}
    answer = request(f"http://{address}:8000", path, method, headers=headers, timeout=30)
    return answer.status, answer.text


def restarted(site: Jobs, before: int) -> bool:
    """Say whether the worker was started again, and runs: Docker counts before it starts."""
    worker = site.stack.inspect("worker")
    return bool(worker["RestartCount"] > before and worker["State"]["Status"] == "running")


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
            kill_main(site.stack.container("worker"))
            eventually(lambda: restarted(site, before), "it is not started again")  # noqa: B023
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
        site.send("write", [f"stopped {number}.{index}" for index in range(24)], seconds=0.5)
        sent += 24
        eventually(lambda: site.attempts("stopped") - before >= sent - 20, "nothing is done", 60)  # noqa: B023
        began = time.monotonic()
        site.stack.compose("stop", "worker")
        seconds = time.monotonic() - began
        state = site.stack.inspect("worker")["State"]
        hidden = eventually(lambda: site.held() == 0, f"{site.held()} are hidden", VISIBILITY + 10)
        left = site.waiting()
        print(
            f"{site.broker}: stopped in {seconds:.1f} s with {state['ExitCode']}; nothing hidden {hidden:.1f} s later, {left} wait"
        )
        assert state["ExitCode"] == 0, site.lines("worker")[-20:]
        bounded("the worker ends", seconds, 15)
        bounded("no message is hidden after it ended", hidden, 15)
        site.stack.compose("start", "worker")
    eventually(lambda: site.rows("stopped") == sent, f"only {site.rows('stopped')} of {sent} are done", VISIBILITY + 60)
    # SQS delivers at least once: under load, a message of a worker that stops is delivered again now and then.
    repeated = site.attempts("stopped") - before - sent
    print(f"{site.broker}: {repeated} of {sent} begun twice")
    assert 0 <= repeated <= (FIGURES.stops if site.broker == "sqs" else 0)
    eventually(lambda: (site.waiting(), site.held(), site.dead()) == (0, 0, 0), "something is left")


@of("sqs")
@pytest.mark.parametrize("moment", ["while it stops", "when it has stopped"])
def test_a_worker_that_is_stopped_while_idle_swallows_no_task(moment: str, site: Jobs) -> None:
    site.up("worker")
    # It has asked for messages, and waits.
    time.sleep(2)
    sent = 0
    with ThreadPoolExecutor(1) as pool:
        stopped = pool.submit(site.stack.compose, "stop", "worker")
        while moment == "while it stops" and not stopped.done():
            site.send("write", [f"idle {moment} {sent}"])
            sent += 1
            time.sleep(0.05)
        stopped.result()
    # A receive of it that nobody has ended would take one that comes now.
    site.send("write", [f"idle {moment} {sent + index}" for index in range(10)])
    sent += 10
    assert site.stack.inspect("worker")["State"]["ExitCode"] == 0
    hidden = eventually(lambda: site.held() == 0, f"{site.held()} are hidden", VISIBILITY + 10)
    bounded("no message is hidden after it ended", hidden, 5)
    site.stack.compose("start", "worker")
    began = time.monotonic()
    eventually(lambda: site.rows(f"idle {moment}") == sent, "some are not done", VISIBILITY + 30)
    print(
        f"{site.broker}: {sent} sent {moment}: nothing hidden after {hidden:.1f} s, "
        f"all done {time.monotonic() - began:.1f} s after the next start"
    )
    assert site.attempts(f"idle {moment}") == sent


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
    assert site.pardon() == 1
    assert site.attempts("fails") == MAX_RECEIVES
    assert site.rows("fails pardoned") == 1


def test_what_takes_too_long_or_kills_its_process_is_ended_and_kept(site: Jobs) -> None:
    restarts = site.stack.inspect("worker")["RestartCount"]
    began = time.monotonic()
    site.send("poison", ["poison"])
    site.send("linger", ["lingers"])
    site.send("stubborn", ["is stubborn"])
    reached = []
    for number in (1, 2, 3):
        eventually(lambda: site.dead() >= number, f"only {site.dead()} are given up", VISIBILITY + 10)  # noqa: B023
        reached.append(time.monotonic() - began)
    print(
        f"{site.broker}: given up after {', '.join(f'{seconds:.1f}' for seconds in reached)} s; a message is hidden for {VISIBILITY} s"
    )
    # Both limits, at 70 and 80 percent of that, end a task while its message is its own; what killed its process was before or after.
    time.sleep(max(0, VISIBILITY + 2 - reached[-1]))
    assert site.attempts("poison") == MAX_RECEIVES
    for key in ("lingers", "is stubborn"):
        assert site.rows(key) == 1
        assert site.attempts(key) == 1
    # The worker itself has gone on, with all its processes.
    assert site.stack.inspect("worker")["RestartCount"] == restarts
    site.send("write", [f"after poison {number}" for number in range(2 * CONCURRENCY)], seconds=0.5)
    eventually(lambda: site.rows("after poison") == 2 * CONCURRENCY, "processes are gone", 10)
    assert site.pardon() == 3


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
            bounded("a task is refused", outcome.seconds, 5)
        (line,) = new.splitlines()
        assert re.match(r"[\d.]+ s OperationalError: .+", line)
        assert page(site, "/accounts/login/")[0] == 200
        began = time.monotonic()
        status, text = page(site, "/task/", "POST")
        print(
            f"{site.broker} {down}: the button of the start page gets {status} after {time.monotonic() - began:.1f} s: {text}"
        )
        assert status == 503
        assert "The task was not sent: the broker cannot be reached." in text
        bounded("the button gets its answer", time.monotonic() - began, 5)
        assert page(site, "/")[0] == 200
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
    bounded("the worker does tasks again", back, 15)
    eventually(lambda: site.held() == 0, "something is left", VISIBILITY + 10)


def test_a_broker_that_is_killed_forgets_nothing(site: Jobs) -> None:
    site.stack.compose("stop", "worker")
    keys = [f"kept {number}" for number in range(100)]
    site.send("write", keys)
    site.console("tasks.write.apply_async(['kept for later'], countdown=2).id")
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
    bounded("a task is done after a restart of the broker", time.monotonic() - restarted, 15)


def test_a_task_waits_as_it_is_told_and_not_longer_than_the_broker_can_hold_it(site: Jobs) -> None:
    for option in ("countdown=settings.MAX_DELAY + 5", "eta=timezone.now() + timedelta(seconds=settings.MAX_DELAY + 5)"):
        refused = site.console.attempt(f"tasks.write.apply_async(['never'], {option})")
        assert refused.error == "builtins.ValueError"
        assert "the broker holds a task for" in refused.message
    for key, option in (("waits", "countdown=2"), ("is due", "eta=timezone.now() + timedelta(seconds=2)")):
        site.console(f"tasks.write.apply_async([{key!r}], {option}).id")
    sent = site.console("time.time()")
    eventually(lambda: site.rows("waits") + site.rows("is due") == 2, "they are not done", 15)
    for key in ("waits", "is due"):
        waited = site.console(f"models.Attempt.objects.get(key={key!r}).at.timestamp()") - sent
        print(f"{site.broker}: what {key} 2 s later began after {waited:.1f} s")
        assert waited >= 1.5
    time.sleep(5)
    assert site.attempts("waits") == site.attempts("is due") == 1
    assert site.attempts("never") == 0


def test_doctor_has_a_task_done(site: Jobs) -> None:
    # The proxy, which does not run here, is the only one that fails.
    table = site.stack.manage("doctor", code=1)
    assert re.search(r"^broker +ok .*a task done", table, re.MULTILINE), table


@of("sqs")
def test_a_worker_that_hears_nothing_is_called_unhealthy(site: Jobs) -> None:
    check = site.stack.inspect("worker")["Config"]["Healthcheck"]["Test"][1]

    def well() -> bool:
        command = ["docker", "exec", site.stack.container("worker"), "sh", "-c", check]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    assert well()
    site.stack.compose("stop", "broker")
    began = time.monotonic()
    seconds = eventually(lambda: not well(), "the worker looks well", 60)
    site.stack.compose("start", "broker")
    back = eventually(well, "the worker does not look well", 30)
    print(f"{site.broker}: unhealthy {seconds:.1f} s after the broker was gone, healthy {back:.1f} s after it was back")
    bounded("the health check notices that the broker is gone, and that it is back", time.monotonic() - began, 90)


def stopped_with(site: Jobs, *arguments: str) -> str:
    """Start another worker, which must refuse. Returns the one line that says why."""
    printed = site.stack.compose("run", "--rm", "--no-deps", *arguments, "worker", code=1, timeout=60)
    assert "Traceback" not in printed
    (line,) = [line for line in printed.splitlines() if "CRITICAL" in line.upper() or "CELERY_QUEUES" in line]
    print(f"{site.broker}: {line}")
    return line


def test_a_worker_refuses_queues_that_do_not_fit_its_settings(site: Jobs, tmp_path: Path) -> None:
    if site.broker == "sqs":
        change = (
            "broker.client().set_queue_attributes(QueueUrl=settings.QUEUE_URLS['default'], "
            "Attributes={{'VisibilityTimeout': '{}'}})"
        )
        site.console(change.format(33))
        try:
            assert "visibility timeout of 33 seconds" in stopped_with(site)
        finally:
            site.console(change.format(VISIBILITY))
    elif site.broker == "redis":
        site.stack.execute("broker", "redis-cli", "config", "set", "maxmemory-policy", "allkeys-lru")
        try:
            assert "maxmemory-policy allkeys-lru" in stopped_with(site)
        finally:
            site.stack.execute("broker", "redis-cli", "config", "set", "maxmemory-policy", "noeviction")
    else:
        other = tmp_path / "broker.py"
        settings = (site.stack.folder / "src/config/settings/broker.py").read_text()
        other.write_text(settings.replace("MAX_RECEIVES = 5", "MAX_RECEIVES = 7"))
        tmp_path.chmod(0o755)
        line = stopped_with(
            site,
            *("--volume", f"{other}:/app/src/config/settings/broker.py:ro"),
            # Not what was compiled with the image.
            *("--env", "PYTHONPYCACHEPREFIX=/tmp/compiled"),
        )
        assert "made with other arguments" in line


@of("sqs")
def test_a_queue_that_there_is_not_stops_a_worker(site: Jobs) -> None:
    assert "defualt is none of the queues" in stopped_with(site, "--env", "CELERY_QUEUES=defualt")


@of("sqs")
def test_workers_and_beat_may_do_what_they_must_and_no_more(site: Jobs) -> None:
    site.up("beat")
    for service in ("worker", "beat"):
        found = site.stack.inspect(service)
        config, host = found["Config"], found["HostConfig"]
        assert config["User"] == "1000:1000"
        assert host["ReadonlyRootfs"]
        assert host["CapDrop"] == ["ALL"]
        assert host["SecurityOpt"] == ["no-new-privileges:true"]
        assert 0 < host["Memory"] <= 2**30
        assert 0 < host["NanoCpus"] <= 10**9
        assert 0 < host["PidsLimit"] <= 256
        assert host["Init"]
        assert host["RestartPolicy"]["Name"] == "unless-stopped"
    site.stack.compose("rm", "--stop", "--force", "beat")


@of("redis")
def test_the_schedule_is_kept_by_one_beat_whatever_happens_to_it(site: Jobs) -> None:
    def ticks() -> int:
        return int(site.sql("SELECT count(*) FROM jobs_attempt WHERE key = 'tick'"))

    def goes_on(patience: float) -> float:
        before = ticks()
        return eventually(lambda: ticks() >= before + 2, "nothing is started by the clock", patience)

    try:
        site.up("beat")
        print(f"the schedule begins after {goes_on(20):.1f} s")
        site.stack.compose("up", "--detach", "--no-deps", "--no-recreate", "--scale", "beat=2", "beat")
        beats = site.stack.compose("ps", "--quiet", "beat").split()
        assert len(beats) == 2
        eventually(lambda: any("another beat" in docker("logs", beat) for beat in beats), "both are at work")
        before = ticks()
        time.sleep(10)
        counted = ticks() - before
        print(f"two beats: {counted} entries started in 10 s, of one each 2 s")
        assert 4 <= counted <= 6
        (waits,) = [beat for beat in beats if "another beat" in docker("logs", beat)]
        (holds,) = [beat for beat in beats if beat != waits]
        docker("kill", "--signal", "KILL", holds)
        print(f"the one at work is killed: the other goes on after {goes_on(30):.1f} s")
        site.stack.compose("restart", "db")
        site.up("db")
        print(f"the database starts again: it goes on after {goes_on(40):.1f} s")
        docker("start", holds)
        time.sleep(8)
        before = ticks()
        time.sleep(6)
        assert 2 <= ticks() - before <= 4
        began = time.monotonic()
        # The one that was killed waits now, and goes on to wait while it ends.
        docker("stop", holds)
        docker("stop", waits)
        codes = [json.loads(docker("inspect", beat))[0]["State"]["ExitCode"] for beat in beats]
        print(f"one ends, then the other, with {codes} in {time.monotonic() - began:.1f} s")
        assert codes == [0, 0]
    finally:
        site.stack.compose("rm", "--stop", "--force", "beat")
