"""Backups of the stack of production: taken, damaged, and brought back."""

import re
import secrets
import time
from collections.abc import Callable
from pathlib import Path

from notes import NOTES, note, notes
from stack import Stack, stack
from tools import run

# The content of every table, and of every file, in a line each.
TABLES = """
SELECT format('SELECT %L, count(*), md5(coalesce(string_agg(t::text, chr(10) ORDER BY t::text), '''')) FROM %I t',
tablename, tablename) FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename \\gexec
"""


def contents(site: Stack) -> str:
    """Return the rows and the checksum of every table, and the checksum of every file of the media."""
    sql = "psql --no-psqlrc -At --username postgres --dbname my_site"
    tables = run("docker", "exec", "-i", site.container("db"), "sh", "-c", f'echo "$0" | {sql}', TABLES, cwd=site.folder)
    listed = "cd /media && find . -type f -exec sha256sum {} + | sort"
    asked = [
        "docker",
        "compose",
        "--progress",
        "quiet",
        "run",
        "--rm",
        "--no-deps",
        "--entrypoint",
        "sh",
        "backup",
        "-c",
        listed,
    ]
    return tables + run(*asked, cwd=site.folder, env=site.env)


def test_a_backup_brings_everything_back_and_a_bad_one_changes_nothing(
    stack_folder: Callable[[], Path], stack_images: dict[str, str], tmp_path: Path
) -> None:
    backups = tmp_path / "backups"
    backups.mkdir()
    backups.chmod(0o777)
    # Without the worker and beat, which write into the database by themselves.
    with stack(stack_folder(), **stack_images, BACKUPS=str(backups)) as site:

        def pdm(*command: str, code: int = 0) -> str:
            return run("pdm", "run", *command, cwd=site.folder, env=site.env, code=code)

        site.compose("up", "--detach", "proxy")
        site.wait(NOTES)
        # While there are no media, too: their folder stays writable for the site.
        pdm("backup", "empty")
        for number in range(3):
            assert note(site, f"note {number}", secrets.token_bytes(100_000)).status == 200
        kept = contents(site)
        began = time.monotonic()
        print(pdm("backup", "first").splitlines()[-1], f"in {time.monotonic() - began:.1f} s")
        # By Compose alone, the time is its name.
        printed = site.compose("run", "--rm", "backup")
        assert re.search(r"backup: \d{4}-\d\d-\d\dT\S+Z, ", printed)
        assert "exists already" in site.compose("run", "--rm", "backup", "first", code=1)
        for name in ("../first", ".hidden", "a/b"):
            assert "cannot be the name" in site.compose("run", "--rm", "backup", name, code=2)
            assert "cannot be the name" in site.compose("run", "--rm", "restore", name, code=2)

        note(site, "later")
        changed = contents(site)
        assert changed != kept
        assert "--force replaces them" in pdm("restore", "first", code=1)
        # As the user of the backups, who alone may read them.
        spoil = """
            cd /backups && cp -r first damaged && cp -r first cut
            printf damage | dd of=damaged/database.dump bs=1 seek=2000 conv=notrunc
            cd cut && truncate --size=-2000 database.dump && sha256sum database.dump media.tar >SHA256SUMS
        """
        site.compose("run", "--rm", "--entrypoint", "sh", "backup", "-ec", spoil)
        assert "damaged is damaged" in site.compose("run", "--rm", "restore", "damaged", "--force", code=1)
        assert "the database is as it was" in site.compose("run", "--rm", "restore", "cut", "--force", code=1)
        assert contents(site) == changed
        assert notes(site)["later"]

        backups.chmod(0o555)
        line = site.compose("run", "--rm", "backup", "late", code=1).strip().splitlines()[-1]
        assert "not writable" in line
        backups.chmod(0o777)

        pdm("restore", "first", "--force")
        assert contents(site) == kept

        site.compose("down", "--volumes")
        site.compose("up", "--detach", "--wait", "db")
        assert contents(site) == ""
        assert "docker compose create" in pdm("restore", "first", code=1)
        site.compose("create")
        began = time.monotonic()
        pdm("restore", "first")
        print(f"restored in {time.monotonic() - began:.1f} s")
        site.compose("up", "--detach", "proxy")
        site.wait(NOTES)
        assert contents(site) == kept
        assert list(notes(site)) == ["note 0", "note 1", "note 2"]
