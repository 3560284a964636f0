"""Wait for the database where the command of this container needs one, then become that command.

Signals reach the command, because it takes the place of this program. SQLite is not waited for.
"""

import os
import signal
import sys
from itertools import pairwise
from pathlib import Path
from time import monotonic, sleep
from typing import Any

# What serves, and what else needs the database at once. Other commands run without variables.
SERVERS = {"gunicorn"}
COMMANDS = {"migrate"}

# What a server says to whom it will never let in; everything else may pass, such as a start.
HOPELESS = (
    "authentication failed",
    "no password supplied",
    "no pg_hba.conf entry",
    "does not exist",
)


def needs_database(command: list[str]) -> bool:
    """Say whether a command is of no use without the database.

    Args:
        command: a program and its arguments.
    """
    program, *arguments = command
    if Path(program).name in SERVERS:
        return True
    for script, argument in pairwise(arguments):
        if Path(script).name == "manage.py":
            return argument in COMMANDS
    return False


def say(line: str) -> None:
    """Write a line where logs go."""
    sys.stderr.write(f"entrypoint: {line}\n")
    sys.stderr.flush()


def address() -> dict[str, Any]:
    """Return what the driver of PostgreSQL takes from ``DATABASE_URL``; nothing for another database."""
    import dj_database_url
    from psycopg.pq import Conninfo

    from config.environment import env

    try:
        database = dj_database_url.parse(env.str("DATABASE_URL", ""))
    except ValueError:
        return {}  # the settings say what is wrong with it
    if database.get("ENGINE") != "django.db.backends.postgresql":
        return {}
    known = {option.keyword.decode() for option in Conninfo.get_defaults()}
    options = database.get("OPTIONS", {})
    given = {
        "host": database["HOST"],
        "port": database["PORT"],
        "user": database["USER"],
        "password": database["PASSWORD"],
        "dbname": database["NAME"],
        **{name: value for name, value in options.items() if name in known},
    }
    return {name: value for name, value in given.items() if value}


def wait(connection: dict[str, Any], seconds: float) -> None:
    """Try to connect, again and again.

    Args:
        connection: what the driver takes.
        seconds: how long, before the program ends with a line and exit code 1.
    """
    import psycopg

    where = f"{connection.get('host', 'localhost')}:{connection.get('port', 5432)}"
    deadline = monotonic() + seconds
    pause = 0.25
    waited = False
    while True:
        try:
            psycopg.connect(**{**connection, "connect_timeout": 3}).close()
        except psycopg.OperationalError as error:
            reason = " ".join(str(error).split())  # in one line; it holds no password
        else:
            if waited:
                say(f"the database at {where} is there.")
            return
        if any(words in reason for words in HOPELESS):
            sys.exit(f"entrypoint: DATABASE_URL is not let in at {where}: {reason}")
        left = deadline - monotonic()
        if left <= 0:
            sys.exit(f"entrypoint: no database at {where} after {seconds:g} seconds: {reason}")
        if not waited:
            say(f"waiting for the database at {where}, {seconds:g} seconds at most: {reason}")
            waited = True
        sleep(min(pause, left))
        pause = min(pause * 2, 2)


def main(command: list[str]) -> None:
    """Wait if that is needed, and become the command.

    Args:
        command: a program and its arguments.
    """
    if not command:
        sys.exit("entrypoint: name a command.")
    if needs_database(command):
        # As the first process of a container, this one would not be ended by a signal by itself.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        connection = address()
        if connection:
            from environs import EnvError

            from config.environment import env, explain

            try:
                seconds = env.float("DATABASE_WAIT", 60)
            except EnvError as error:
                sys.exit(explain(error))
            wait(connection, seconds)
    try:
        os.execvp(command[0], command)  # noqa: S606 - what the container was started with
    except OSError as error:
        sys.exit(f"entrypoint: {command[0]}: {error.strerror}")


if __name__ == "__main__":
    main(sys.argv[1:])
