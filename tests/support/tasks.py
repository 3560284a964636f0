"""An application whose tasks count what they do, the stack that runs it for each broker, and what its queues hold."""

import contextlib
import json
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from containers import docker
from projects import add_app, program
from stack import Stack, stack
from tools import change, clean_environment, eventually

BROKERS = ["sqs", "redis", "rabbitmq"]

# Seconds, as the owner of the project changes them: faults show soon.
VISIBILITY = 10
MAX_RECEIVES = 5

# Processes of a worker.
CONCURRENCY = 4

# What counts the messages that workers hold, in the Lua of Redis.
UNACKNOWLEDGED = (
    "local n = 0 for _, key in ipairs(redis.call('keys', '*unacked')) do n = n + redis.call('hlen', key) end return n"
)

# What the owner changes, by broker: the file, the old text and the new one.
BROKER = "src/config/settings/broker.py"
LIMIT = (BROKER, "CELERY_TASK_TIME_LIMIT = 240", f"CELERY_TASK_TIME_LIMIT = {VISIBILITY * 4 // 5}")
NUMBERS = {
    "sqs": [("src/config/queues.json", '"VisibilityTimeout": "300"', f'"VisibilityTimeout": "{VISIBILITY}"')],
    "redis": [LIMIT, (BROKER, "_visibility_timeout = 1800", f"_visibility_timeout = {VISIBILITY}")],
    "rabbitmq": [LIMIT],
}

SCHEDULE = "CELERY_BEAT_SCHEDULE = {"
TICK = f'{SCHEDULE}\n    "tick": {{"task": "my_site.jobs.tasks.tick", "schedule": timedelta(seconds=2)}},'


def add_jobs(project: Path, broker: str) -> None:
    """Add the application to a project, as its owner would, with numbers at which faults show soon."""
    add_app(project, "jobs")
    for name, old, new in NUMBERS[broker]:
        change(project / name, old, new)


@dataclass(frozen=True)
class Outcome:
    """What became of an expression: its value, or the name of the error and its message; and the seconds that it took."""

    value: Any
    error: str
    message: str
    seconds: float


class Console:
    """A process of the site that goes on, and evaluates what it is told."""

    def __init__(self, container: str) -> None:
        """Start it where the site runs."""
        self.process = subprocess.Popen(
            ["docker", "exec", "--interactive", container, "python", "-u", "-c", program("console")],
            env=clean_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def attempt(self, code: str) -> Outcome:
        """Evaluate an expression, which may fail."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(code) + "\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            mark, _, answer = line.partition(" ")
            if mark == "ANSWER":
                return Outcome(**json.loads(answer))
        raise AssertionError(f"the console ended at {code}")

    def __call__(self, code: str) -> Any:
        """Evaluate an expression, and return its value."""
        outcome = self.attempt(code)
        assert not outcome.error, f"{code}: {outcome.error}: {outcome.message}"
        return outcome.value

    def end(self) -> None:
        """End it."""
        self.process.kill()
        self.process.communicate()


@dataclass(frozen=True)
class Jobs:
    """The stack of a project that has a broker, and a console in it."""

    broker: str
    stack: Stack
    console: Console

    def send(self, task: str, keys: list[str], **arguments: float) -> None:
        """Ask for a task for each key."""
        self.console(f"[tasks.{task}.delay(key, **{arguments!r}).id for key in {keys!r}]")

    def sql(self, query: str) -> str:
        """Ask the database itself."""
        return docker(
            *(
                "exec",
                self.stack.container("db"),
                "psql",
                "--no-psqlrc",
                "-At",
                "--username",
                "postgres",
                "--dbname",
                "my_site",
            ),
            *("--command", query),
        )

    def rows(self, prefix: str) -> int:
        """Count the rows whose key begins so."""
        return int(self.console(f"models.Row.objects.filter(key__startswith={prefix!r}).count()"))

    def attempts(self, prefix: str) -> int:
        """Count the attempts whose key begins so."""
        return int(self.console(f"models.Attempt.objects.filter(key__startswith={prefix!r}).count()"))

    def counted(self) -> int:
        """Return how many effects there were in all, which must be the number of rows."""
        return int(self.console("models.Counter.objects.get().value"))

    def waiting(self, queue: str = "default") -> int:
        """Count the messages that a worker could take."""
        return int(self.console(f"queues.waiting()[{queue!r}]"))

    def dead(self) -> int:
        """Count the messages in the dead-letter queue; Redis has none."""
        return 0 if self.broker == "redis" else self.waiting("default-dead")

    def held(self) -> int:
        """Count the messages that workers hold, by the numbers of the broker itself."""
        if self.broker == "rabbitmq":
            listed = self.stack.execute(
                *("broker", "rabbitmqctl", "--quiet", "--formatter", "json", "list_queues", "--vhost", "my_site"),
                *("name", "messages_unacknowledged"),
            )
            counts = {queue["name"]: queue["messages_unacknowledged"] for queue in json.loads(listed)}
            return int(counts["default"])
        if self.broker == "redis":
            return int(self.stack.execute("broker", "redis-cli", "eval", UNACKNOWLEDGED, "0"))
        return int(self.console("attributes('default')['ApproximateNumberOfMessagesNotVisible']"))

    def up(self, *services: str) -> None:
        """Start services, and wait until they are healthy."""
        self.stack.compose("up", "--detach", "--wait", *services)

    def pardon(self) -> int:
        """Move messages back from the dead-letter queue, and let them succeed. Returns how many there were."""
        dead = self.dead()
        before = self.console("models.Row.objects.filter(key__endswith=' pardoned').count()")
        self.console("models.Row.objects.create(key='pardon').pk")
        try:
            printed = self.stack.manage("redrive")
            assert f"{dead} moved back to default." in printed
            enough = before + dead
            done = "models.Row.objects.filter(key__endswith=' pardoned').count()"
            eventually(lambda: self.console(done) == enough, "what was moved back is not done", VISIBILITY + 10)
            eventually(lambda: self.dead() == 0, "some are dead still")
        finally:
            self.console("models.Row.objects.filter(key='pardon').delete()")
        return dead

    def lines(self, service: str) -> list[str]:
        """Return what a service has printed."""
        return self.stack.compose("logs", "--no-log-prefix", service).splitlines()


@contextlib.contextmanager
def jobs(folder: Path, broker: str) -> Iterator[Jobs]:
    """Run the stack of a project, without its proxy, until the block ends.

    Args:
        folder: the project as it was rendered, which is changed.
        broker: the answer that it was rendered with.
    """
    add_jobs(folder, broker)
    change(folder / "src/config/settings/schedule.py", SCHEDULE, TICK)
    variables = {"CELERY_CONCURRENCY": str(CONCURRENCY), "BROKER_PASSWORD": "secret-word"}
    with stack(folder, **variables) as running:
        began = time.monotonic()
        running.build("app")
        built = time.monotonic()
        running.compose("up", "--detach", "--wait", "broker", "app", "worker")
        print(f"\n{broker}: built in {built - began:.0f} s, up in {time.monotonic() - built:.0f} s")
        console = Console(running.container("app"))
        try:
            yield Jobs(broker, running, console)
        finally:
            console.end()
