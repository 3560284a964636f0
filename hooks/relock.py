"""Lock the superset of dependencies again and write what a new project gets of it.

Run it before a release, and whenever ``locks/pyproject.toml`` was edited::

    pdm run relock              # keep the versions that still fit
    pdm run relock --upgrade    # take the newest versions

It writes ``locks/pdm.lock``, ``template/pdm.lock.jinja``, ``partials/dependencies.jinja`` and ``questions/names.jinja``.
Only the first needs the network; a copy of the template needs none.
"""

import argparse
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import names

ROOT = Path(__file__).resolve().parents[1]
LOCKS = ROOT / "locks"
HEADER = "{# Written by hooks/relock.py from locks/: edit locks/pyproject.toml, then run `pdm run relock`. #}\n"

PACKAGE = "[[package]]\n"
GROUPS = re.compile(r"^groups = \[(.*)\]\n", re.MULTILINE)
CONTENT_HASH = re.compile(r'^content_hash = "sha256:[0-9a-f]{64}"$', re.MULTILINE)
STRATEGY_GROUPS = re.compile(r"^groups = \[.*\]$", re.MULTILINE)


def fact(group: str) -> str:
    """Return the answer or computed fact that a group of the superset is named after (pdm normalises ``_`` to ``-``)."""
    return group.removeprefix("dev-").replace("-", "_")


def split(groups: Iterable[str]) -> tuple[list[str], list[str]]:
    """Part the groups of a package into those of production and those of development, without the prefix ``dev-``.

    The groups that every project has, ``default`` and ``dev``, become the empty string.
    """
    production, development = [], []
    for group in groups:
        if group == "dev" or group.startswith("dev-"):
            development.append(group.removeprefix("dev").removeprefix("-"))
        else:
            production.append("" if group == "default" else group)
    return production, development


def guard(groups: list[str]) -> str:
    """Return the Jinja expression that is true when one of these groups is needed: ``true``, ``false``, or facts."""
    if "" in groups:
        return "true"
    return " or ".join(fact(group) for group in sorted(groups)) or "false"


def lock_template(lock: str) -> str:
    """Turn the lock of the superset into a template: every package is guarded by 'any of its groups is needed'.

    Args:
        lock: the text of ``locks/pdm.lock``.

    Raises:
        ValueError: when the lock holds a Jinja tag, or a package without groups.
    """
    if re.search(r"{[{%#]", lock):
        raise ValueError("locks/pdm.lock holds a Jinja tag")
    head, *packages = lock.split(PACKAGE)
    head = CONTENT_HASH.sub('content_hash = "sha256:{{ content_hash }}"', head)
    head = STRATEGY_GROUPS.sub('groups = ["default", "dev"]', head)
    parts = [HEADER, '{% from "partials/dependencies.jinja" import content_hash with context %}\n', head.rstrip("\n"), "\n"]
    for package in packages:
        match = GROUPS.search(package)
        if match is None:
            raise ValueError(f"locks/pdm.lock has a package without groups: {package.splitlines()[0]}")
        production, development = split(re.findall(r'"([^"]+)"', match[1]))
        default, dev = guard(production), guard(development)
        parts.append(_guarded(GROUPS.sub(f"groups = {_groups(default, dev)}\n", package, count=1), default, dev))
    return "".join(parts)


def _groups(default: str, dev: str) -> str:
    """Return the value of ``groups`` in one project, as TOML with Jinja where it depends on an answer."""
    constant = {("true", "true"): '["default", "dev"]', ("true", "false"): '["default"]', ("false", "true"): '["dev"]'}
    if (default, dev) in constant:
        return constant[default, dev]
    if dev == "false":
        return '["default"]'
    if default == "false":
        return '["dev"]'
    listed = f"(['default'] if {default} else []) + (['dev'] if {dev} else [])"
    return f"{{{{ ({listed}) | to_json }}}}"


def _guarded(package: str, default: str, dev: str) -> str:
    """Put a package, with the empty line before it, between the tags that leave it out where none of its groups is needed."""
    package = f"\n{PACKAGE}{package.rstrip()}\n"
    conditions = [condition for condition in (default, dev) if condition != "false"]
    if "true" in conditions:
        return package
    return f"{{% if {' or '.join(conditions)} %}}\n{package}{{% endif %}}\n"


def dependencies_template(superset: dict[str, Any]) -> str:
    """Write the lists of dependencies, and pdm's hash of them, for any answers.

    The hash is the SHA-256 of the JSON that ``pdm.project.project_file.PyProject.content_hash`` dumps.

    Args:
        superset: the parsed ``locks/pyproject.toml``.
    """
    project = superset["project"]
    default = {"": project["dependencies"], **project.get("optional-dependencies", {})}
    dev = {name.removeprefix("dev").removeprefix("-"): needs for name, needs in superset["dependency-groups"].items()}
    return f"""{HEADER}
{{% set requires_python = {_literal(project["requires-python"])} %}}
{{% set dependencies = {_union(default)} %}}
{{% set dev_dependencies = {_union(dev)} %}}
{{% set content_hash = {{
    "sources": [],
    "dependencies": dependencies,
    "dev-dependencies": {{"dev": dev_dependencies}},
    "optional-dependencies": {{}},
    "requires-python": requires_python,
    "resolution": {{}},
}} | to_json(sort_keys=true) | hash("sha256") %}}
"""


def _union(groups: dict[str, list[str]]) -> str:
    """Return a Jinja expression for the sorted list of what is always needed and what each needed group adds."""
    parts = []
    for group, needs in groups.items():
        listed = "[" + ", ".join(map(_literal, sorted(needs))) + "]"
        parts.append(f"({listed} if {fact(group)} else [])" if group else listed)
    return f"({' + '.join(parts)}) | sort"


def _literal(text: str) -> str:
    """Return a Jinja string literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def main() -> None:
    """Lock, and write the templates."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions that the ranges allow")
    parser.add_argument(
        "--offline", action="store_true", help="write the templates again from what is locked and installed in locks/"
    )
    options = parser.parse_args()

    pyproject = LOCKS / "pyproject.toml"
    if not options.offline:
        reuse = [] if options.upgrade or not (LOCKS / "pdm.lock").exists() else ["--update-reuse"]
        subprocess.run(["pdm", "lock", "--project", str(LOCKS), "--group", ":all", *reuse], check=True)
    lock = (LOCKS / "pdm.lock").read_text()
    (ROOT / "template" / "pdm.lock.jinja").write_text(lock_template(lock))
    (ROOT / "partials" / "dependencies.jinja").write_text(dependencies_template(tomllib.loads(pyproject.read_text())))
    if not options.offline:
        subprocess.run(["pdm", "sync", "--project", str(LOCKS), "--group", ":all", "--clean"], check=True)
    (ROOT / "questions" / "names.jinja").write_text(names.template(LOCKS))
    print("Written. Run ./run test before you commit.", file=sys.stderr)


if __name__ == "__main__":
    main()
