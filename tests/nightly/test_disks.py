"""Full disks: of the media, and of the database."""

import json
import secrets
from collections.abc import Callable
from pathlib import Path

import pytest
from containers import container, docker
from notes import NOTES, note, notes
from stack import Answer, Stack, stack

# The disks that are filled.
DISKS = {"media": "16m", "db": "160m"}


def fill(site: Stack, text: Callable[[int], str], content: bytes) -> tuple[dict[str, str], Answer]:
    """Keep notes until one is refused. Returns those before it, and the answer to the last."""
    kept: dict[str, str] = {}
    for number in range(100):
        answer = note(site, text(number), content)
        if answer.status != 200:
            return kept, answer
        kept = json.loads(answer.text)
    pytest.fail("the disk does not become full")


def honest(answer: Answer) -> bool:
    """Say whether an answer tells of a moment, and nothing of what is inside."""
    return answer.status == 503 and int(answer.header("Retry-After")) > 0 and "Traceback" not in answer.text


def test_a_full_disk_is_answered_honestly_and_nothing_is_half(
    stack_folder: Callable[[], Path], stack_images: dict[str, str], tmp_path: Path
) -> None:
    disks = tmp_path / "disks.yml"
    owners = {"media": 1000, "db": 999}
    options = {
        name: {"driver_opts": {"type": "tmpfs", "device": "tmpfs", "o": f"size={size},uid={owners[name]},gid={owners[name]}"}}
        for name, size in DISKS.items()
    }
    disks.write_text(json.dumps({"volumes": options}))
    with stack(stack_folder(), **stack_images) as site:
        site.env["COMPOSE_FILE"] += f":{disks}"
        site.compose("up", "--detach")
        site.wait(NOTES)
        volumes = [part for name in DISKS for part in ("--volume", f"{site.env['APP_NAME']}_{name}:/disks/{name}:nocopy")]
        # A disk of memory is there as long as somebody looks at it.
        with container("redis:8", "--user", "0", *volumes, command=("sleep", "600")) as holder:

            def stored() -> list[str]:
                return docker("exec", holder, "find", "/disks/media", "-type", "f", "-printf", "%f %s\n").splitlines()

            # A file that goes through the disk of the site, and small ones, which stay in its memory.
            large = note(site, "too large", secrets.token_bytes(20 * 2**20))
            kept, small = fill(site, lambda number: f"small {number}", secrets.token_bytes(2**20 + 1))
            print(f"media: {len(kept)} files of 1 MB fit, then {small.status}; a file of 20 MB: {large.status}")
            assert honest(large), site.compose("logs", "app")
            assert honest(small), site.compose("logs", "app")
            assert sorted(stored()) == sorted(f"{url.rpartition('/')[2]} {2**20 + 1}" for url in kept.values())
            assert notes(site) == kept
            logged = site.compose("logs", "--no-log-prefix", "app")
            assert "No space left on device" in logged
            docker("exec", holder, "sh", "-c", "rm /disks/media/*")
            assert note(site, "fits again").status == 200

            # The content of a row goes to the disk of the database; no more is left than it needs to go on.
            docker("exec", holder, "sh", "-c", "dd if=/dev/zero of=/disks/db/ballast bs=1M 2>/dev/null; true")
            kept, answer = fill(site, lambda number: f"row {number} {secrets.token_hex(50_000)}", b"")
            print(f"database: {len(kept)} rows, then {answer.status}")
            assert honest(answer)
            docker("exec", holder, "rm", "/disks/db/ballast")
            site.wait(NOTES)
            assert set(kept) <= set(notes(site))
            assert note(site, "row again").status == 200
            site.execute("db", "pg_amcheck", "--username", "postgres", "--install-missing", "--database", "my_site")
            assert site.manage("doctor")
