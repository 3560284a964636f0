"""What the tests know of components, read from the ``test.toml`` of each choice: a component that is added is tested by it.

``components/<axis>/<choice>/test.toml`` is of one choice, and ``components/<axis>/test.toml`` of all choices of an axis but
``none`` and ``no``. Its keys, all of them optional:

- ``doctor``: its lines in the table of ``manage.py doctor``;
- ``[stops]``: a service, and the lines of ``doctor`` that fail while it is stopped;
- ``writable``: services whose root file system is not read-only;
- ``[words]``: a fact of ``questions/computed.yml``, and the expression of words that stand in a project where it is true, and
  leave no trace where it is false;
- ``paths`` and ``deep``: a change of these paths of the template (or of the folder itself) runs these nightly modules, or units
  of them, such as ``test_tasks.py[sqs]``, too.
"""

import re
import tomllib
from dataclasses import dataclass, field
from fnmatch import fnmatch
from functools import cache

from questionnaire import QUESTIONS, ROOT, Answers

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
        """Return whether complete answers have it; an axis that nobody is asked for has its only choice."""
        answer = full.get(self.axis, self.choice)
        if isinstance(answer, bool):
            answer = "yes" if answer else "no"
        return bool(answer == self.choice or (not self.choice and answer not in {"none", "no"}))

    def touched(self, path: str) -> bool:
        """Return whether a change of a path is one of it."""
        ours = path.startswith(f"{self.folder}/") if self.choice else path == f"{self.folder}/test.toml"
        return ours or (path.startswith(("template/", "partials/")) and any(fnmatch(path, pattern) for pattern in self.paths))


@cache
def components() -> tuple[Component, ...]:
    """Return all of them.

    Raises:
        ValueError: a file has a key that means nothing, or names a fact that there is not.
    """
    found = []
    for path in sorted((ROOT / "components").rglob("test.toml")):
        axis, choice = [*path.relative_to(ROOT / "components").parent.parts, ""][:2]
        values = tomllib.loads(path.read_text())
        words = {fact: re.compile(text, re.IGNORECASE) for fact, text in values.pop("words", {}).items()}
        if unknown := {*words} - {*QUESTIONS} or {*values} - {"doctor", "stops", "writable", "paths", "deep"}:
            raise ValueError(f"{path}: {', '.join(unknown)} is none of the keys or facts")
        lists = {key: tuple(value) for key, value in values.items() if isinstance(value, list)}
        found.append(Component(axis, choice, stops=values.get("stops", {}), words=words, **lists))
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
