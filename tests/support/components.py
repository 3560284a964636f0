"""What the tests know of components, read from the ``test.toml`` of each choice: a component that is added is tested by it.

``components/<axis>/<choice>/test.toml`` is of one choice, and ``components/<axis>/test.toml`` of all choices of an axis but
``none`` and ``no``. Its keys, all of them optional:

- ``doctor``: its lines in the table of ``manage.py doctor``;
- ``[stops]``: a service, and the lines of ``doctor`` that fail while it is stopped;
- ``writable``: services whose root file system is not read-only;
- ``[words]``: a fact of ``questions/computed.yml``, and an expression, without regard to case, that has to match some path or
  text of a project where it is true, and none where it is false;
- ``paths`` and ``deep``: a change of these paths of the template (or of the folder itself) runs these nightly modules, or units
  of them, such as ``test_tasks.py[sqs]``, too.
"""

import re
import tomllib
from dataclasses import dataclass, field
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

from questionnaire import QUESTIONS, ROOT, Answers

# Axes that have one choice, and no question yet.
UNASKED = {"database", "proxy"}

# Keys whose value is a list.
LISTS = ("doctor", "writable", "paths", "deep")

# What every project has.
DOCTOR = ("cache", "mail", "static")


@dataclass(frozen=True, eq=False)
class Component:
    """A choice of an axis, or all choices of one where there is no name."""

    axis: str
    choice: str = ""
    doctor: tuple[str, ...] = ()
    stops: dict[str, list[str]] = field(default_factory=dict)
    writable: tuple[str, ...] = ()
    words: dict[str, re.Pattern[str]] = field(default_factory=dict)
    paths: tuple[str, ...] = ()
    deep: tuple[str, ...] = ()

    @property
    def folder(self) -> str:
        """Where it is."""
        return "/".join(filter(None, ("components", self.axis, self.choice)))

    def chosen(self, full: Answers) -> bool:
        """Return whether complete answers have it. The database and the proxy have one fixed choice."""
        answer = self.choice if self.axis in UNASKED else full[self.axis]
        if isinstance(answer, bool):
            answer = "yes" if answer else "no"
        return bool(answer == self.choice or (not self.choice and answer not in {"none", "no"}))

    def touched(self, path: str) -> bool:
        """Return whether a change of a path is one of it."""
        ours = path.startswith(f"{self.folder}/") if self.choice else path == f"{self.folder}/test.toml"
        return ours or (path.startswith(("template/", "partials/")) and any(fnmatch(path, pattern) for pattern in self.paths))


def read(path: Path, axis: str, choice: str) -> Component:
    """Read the file of a component.

    Raises:
        ValueError: it is no TOML, has a key that means nothing, a value of another kind, or names a fact that there is not.
    """
    try:
        values = tomllib.loads(path.read_text())
        unknown = {*values} - {*LISTS, "stops", "words"}
        if unknown:
            raise ValueError(f"{', '.join(unknown)} is none of the keys {', '.join((*LISTS, 'stops', 'words'))}")
        for key in LISTS:
            if not isinstance(values.get(key, []), list):
                raise ValueError(f"{key} has to be a list")
        stopped = values.get("stops", {})
        if not isinstance(stopped, dict) or not all(isinstance(lines, list) for lines in stopped.values()):
            raise ValueError("stops has to be a table of services, each with a list of lines")
        if facts := {*values.get("words", {})} - {*QUESTIONS}:
            raise ValueError(f"{', '.join(facts)} is no fact of questions/computed.yml")
        words = {}
        for fact, text in values.get("words", {}).items():
            try:
                words[fact] = re.compile(text, re.IGNORECASE)
            except (re.error, TypeError) as error:
                raise ValueError(f"the words of {fact} are no expression: {error}") from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    lists = {key: tuple(values.get(key, ())) for key in LISTS}
    return Component(axis, choice, stops=stopped, words=words, **lists)


@cache
def components() -> tuple[Component, ...]:
    """Return all of them.

    Raises:
        ValueError: as ``read`` does.
    """
    found = []
    for path in sorted((ROOT / "components").rglob("test.toml")):
        axis, choice = [*path.relative_to(ROOT / "components").parent.parts, ""][:2]
        found.append(read(path, axis, choice))
    return tuple(found)


def of(full: Answers) -> list[Component]:
    """Return the components that complete answers have."""
    return [component for component in components() if component.chosen(full)]


def doctor_lines(full: Answers) -> set[str]:
    """Return the lines that the table of ``doctor`` has with these answers, in the stack of production."""
    return {*DOCTOR, *(line for component in of(full) for line in component.doctor)}


def stops(full: Answers) -> dict[str, set[str]]:
    """Return the services that are stopped, and the lines of ``doctor`` that fail then."""
    lines = doctor_lines(full)
    return {service: {*failing} & lines for component in of(full) for service, failing in component.stops.items()}
