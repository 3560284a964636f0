"""The commands of documents: every fenced block of shell, line by line, run as a reader would."""

import os
import re
from pathlib import Path

from markdown_it import MarkdownIt
from questionnaire import ROOT
from tools import free_port, run, serving, watching


def commands(document: Path) -> list[str]:
    """Return the lines of the blocks marked ``sh``."""
    blocks = [token for token in MarkdownIt().parse(document.read_text()) if token.type == "fence"]
    assert {block.info for block in blocks} <= {"sh", "ini", "dockerfile", "html", "python", "yaml", "console", "js", "toml"}, (
        f"{document} has a block of an unknown kind"
    )
    console = [block.content for block in blocks if block.info == "console"]
    assert all(text.startswith("aws ") for text in console), "only what takes an account of AWS is not run"
    return [line for block in blocks if block.info == "sh" for line in block.content.splitlines() if line.strip()]


def play(command: str, cwd: Path, env: dict[str, str]) -> None:
    """Run one command of a document, as its reader would; what asks or never ends gets what it needs."""
    if command.startswith("pdm run dev"):
        port = free_port()
        with serving(["pdm", "run", "dev", f"127.0.0.1:{port}"], f"http://127.0.0.1:{port}", cwd=cwd, env=env):
            return
    if command == "pdm run watch":
        with watching(cwd, env):
            return
    if command == "pdm run manage createsuperuser":
        command += " --noinput --email owner@example.com"
        env = env | {"DJANGO_SUPERUSER_PASSWORD": "a password of the test"}
    run("sh", "-c", command, cwd=cwd, env=env, timeout=900, attempts=2)


def with_copier() -> dict[str, str]:
    """Put the template's own tools on the PATH, as they are for somebody who installed Copier."""
    return {"PATH": f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}"}


def adapt(command: str, env: dict[str, str]) -> str:
    """Return a command of Docker as it runs here: without a registry, with names of the test, and never for ever."""
    if "CELERY_BROKER_URL" in env:
        command = re.sub(r"((?: --file \S+)+)", r"\1 --file compose.broker.yml", command)
    for written, here in (
        (r"compose up$", "compose up --detach"),
        (r"(compose .*)pull$", r"\1build"),
        (r"volume rm \w+_", f"volume rm {env.get('APP_NAME')}_"),
        (r"PASSWORD 'another'", f"PASSWORD '{env.get('DB_PASSWORD')}'"),
        (r"restore NAME$", "restore docs --force"),
        (r"run backup$", "run backup docs"),
        (r"127\.0\.0\.1:9324", f"127.0.0.1:{env.get('BROKER_PORT')}"),
    ):
        command = re.sub(written, here, command)
    return command
