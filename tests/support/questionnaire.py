"""The answer sets that the tests render, computed from the questionnaire itself: a question that is added is tested."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

import yaml
from jinja2 import FileSystemLoader, StrictUndefined, meta
from jinja2.sandbox import SandboxedEnvironment
from jinja2_ansible_filters import AnsibleCoreFiltersExtension

ROOT = Path(__file__).resolve().parents[2]

Answers = dict[str, Any]
Choice = tuple[str, Any]

# Texts that break what is written carelessly, each of them allowed by the questionnaire.
NASTY = """O'Neil "Q" \\ \\n {{ x }} {% y %} {# z #} $HOME ${A} `b` # : - & <b> | * _i_ [a](b) 漢字 עברית مرحبا 🎉 %s %(a)s @"""

# Answers that no choice lists: texts, and the values whose length or direction moves lines.
SPECIAL: dict[str, Answers] = {
    "texts": {
        "project_name": "Harbour Library",
        "description": "Lends books to people on ships.",
        "author_name": "Ada Lovelace",
        "author_email": "ada@example.org",
        "domain": "books.example.org",
    },
    "nasty": {
        "project_name": NASTY,
        "project_slug": "nasty",
        "description": f"- {NASTY}",
        "author_name": NASTY,
        "author_email": "o'neil+{x}@example.com",
        "domain": "bücher.example",
        "timezone": "America/Argentina/Buenos_Aires",
        "language": "ar",
    },
    "nasty, proprietary": {"project_name": NASTY[::-1].strip(), "project_slug": "x", "license": "proprietary"},
    "long": {
        "project_name": "Wohnungsbaugenossenschaft " * 9 + "eG",
        "project_slug": "wohnungsbaugenossenschaft_der_stadt_neus",
        "description": "漢" * 300,
        "domain": ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 61]),
        "language": "de",
        "timezone": "Europe/Berlin",
    },
    "behind swag": {"proxy_network": "swag", "redis": False},
    "short": {"project_name": "Z", "project_slug": "z", "domain": "z"},
    "small": {"app_server": "granian", "websockets": False, "redis": False, "celery_broker": "none", "frontend": "none"},
}

# Choices that touch little besides files of their own: they are dealt into the rows instead of being paired.
LEAVES = ("license", "python_version", "mirrors", "ci")

# The texts of the projects that are linted and tested on the host, one after the other.
HOST_TEXTS = ("texts", "nasty", "long", "short")

# Choices that no image is built of: mirrors are tried with a server of the test (nightly/test_images.py), and images of
# the two newest versions of Python. All of them are rendered and linted.
UNBUILT = {("mirrors", "china"), ("python_version", "3.12")}


def questions() -> dict[str, dict[str, Any]]:
    """Return the questions in the order in which they are asked, by key."""

    class Loader(yaml.SafeLoader):
        """Reads ``!include``."""

    Loader.add_constructor("!include", lambda _, node: yaml.safe_load((ROOT / node.value).read_text()))
    found: dict[str, dict[str, Any]] = {}
    for document in yaml.load_all((ROOT / "copier.yml").read_text(), Loader):
        found.update({key: value for key, value in document.items() if not key.startswith("_")})
    return found


QUESTIONS = questions()


def choices() -> dict[str, list[Any]]:
    """Return the values of each question that lists them, the default first."""
    found: dict[str, list[Any]] = {}
    for key, question in QUESTIONS.items():
        if question.get("when") is False:
            continue
        if "choices" in question:
            listed = question["choices"]
            found[key] = list(listed.values() if isinstance(listed, dict) else listed)
        elif question["type"] == "bool":
            found[key] = [question["default"], not question["default"]]
    return found


class Rules:
    """The ``when`` and ``validator`` of the questionnaire, evaluated as Copier does. Use ``RULES``: templates are compiled once."""

    def __init__(self) -> None:
        self.jinja = SandboxedEnvironment(
            loader=FileSystemLoader(ROOT),
            extensions=[AnsibleCoreFiltersExtension],
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._template = cache(self.jinja.from_string)
        self._names = cache(lambda text: sorted(meta.find_undeclared_variables(self.jinja.parse(text))))
        self._rendered: dict[tuple[Any, ...], Any] = {}

    def complete(self, answers: Answers) -> Answers | None:
        """Return all answers with the defaults filled in, or None where the rules refuse them."""
        full: Answers = {}
        for key, question in QUESTIONS.items():
            asked = self._render(question.get("when", True), full)
            value = answers[key] if asked and key in answers else self._render(question["default"], full)
            if asked and self._render(question.get("validator", ""), {**full, key: value}).strip():
                return None
            full[key] = value
        return full

    def full(self, answers: Answers) -> Answers:
        """Return all answers with the defaults filled in.

        Raises:
            ValueError: the rules refuse them.
        """
        found = self.complete(answers)
        if found is None:
            raise ValueError(f"the questionnaire refuses {answers}")
        return found

    def asked(self, answers: Answers) -> Answers:
        """Leave out the answers to questions that are not asked with these answers."""
        full = self.complete(answers) or {}
        return {key: value for key, value in answers.items() if self._render(QUESTIONS[key].get("when", True), full)}

    def _render(self, value: Any, answers: Answers) -> Any:
        """Render a text, once for all answers that agree on the names in it: thousands of calls have few results."""
        if not isinstance(value, str):
            return value
        used = {name: answers[name] for name in self._names(value) if name in answers}
        key = (value, *(repr(item) for item in used.items()))
        if key not in self._rendered:
            text = self._template(value).render(used)
            self._rendered[key] = yaml.safe_load(text) if text in {"true", "false", "True", "False"} else text
        return self._rendered[key]


RULES = Rules()


def allowed(*chosen: Choice) -> bool:
    """Return whether the rules let these choices stand together, and ask for each of them."""
    answers = dict(chosen)
    return RULES.complete(answers) is not None and answers.keys() <= RULES.asked(answers).keys()


def all_pairs(axes: Mapping[str, Sequence[Any]]) -> list[tuple[Choice, Choice]]:
    """Return every pair of choices of two questions that the rules allow."""
    listed = [[(key, value) for value in values] for key, values in axes.items()]
    return [
        (first, second) for one, other in combinations(listed, 2) for first in one for second in other if allowed(first, second)
    ]


def covering(axes: Mapping[str, Sequence[Any]], strength: int, given: Iterable[Answers] = ()) -> list[Answers]:
    """Compute rows of answers that hold each choice (strength 1) or each pair of choices (strength 2) at least once.

    Greedy: each row begins with what is missing, and takes the values that cover the most of the rest, first of what is
    asked for, then of pairs. It gives as many rows as the longest axis has choices, or as the two longest have pairs.

    Args:
        axes: the values of each question.
        strength: 1 or 2.
        given: answers that are tried anyway, and what they hold with them.
    """
    pairs: dict[tuple[Choice, ...], None] = dict.fromkeys(all_pairs(axes))
    singles = [((key, value),) for key, values in axes.items() for value in values]
    missing: dict[tuple[Choice, ...], None] = dict.fromkeys(pairs if strength == 2 else singles)
    longest = max(axes, key=lambda key: len(axes[key]))
    rows: list[Answers] = []

    def cover(full: Answers) -> None:
        for held in (missing, pairs):
            for one in [one for one in held if all(full[key] == value for key, value in one)]:
                del held[one]

    for answers in given:
        cover(RULES.full(answers))
    while missing:
        first = min(missing, key=lambda one: longest not in dict(one))
        row = dict(first)
        for key in axes:
            if key not in row:
                row[key] = _best(key, axes[key], row, missing, pairs)
        row = RULES.asked({key: row[key] for key in axes if row[key] is not None})
        rows.append(row)
        cover(RULES.full(row))
    return rows


def _best(key: str, values: Sequence[Any], row: Answers, *wanted: Iterable[tuple[Choice, ...]]) -> Any:
    """Return the value for a question that covers the most of what is wanted in a row, or None where no value is allowed."""

    def gain(value: Any) -> list[int]:
        full = {**row, key: value}
        known = [[one for one in group if (key, value) in one] for group in wanted]
        return [sum(all(full.get(name, what) == what for name, what in one) for one in group) for group in known]

    candidates = [value for value in values if allowed(*((k, v) for k, v in {**row, key: value}.items() if v is not None))]
    return max(candidates, key=gain, default=None)


def deal(rows: list[Answers], axes: Mapping[str, Sequence[Any]]) -> list[Answers]:
    """Deal the values of more questions into rows, one after the other, and shifted so that two of them do not go in step."""
    return [
        row
        | {
            key: values[(number + place * (number // len(values))) % len(values)]
            for place, (key, values) in enumerate(axes.items())
        }
        for number, row in enumerate(rows)
    ]


def _name(prefix: str, number: int, answers: Answers) -> str:
    """Name a row by its number, and by the values that are no defaults."""
    defaults = {key: values[0] for key, values in choices().items()}
    kept = {key: value for key, value in answers.items() if key in defaults and value != defaults[key]}
    values = [("" if value else "no ") + key if isinstance(value, bool) else value for key, value in kept.items()]
    return f"{prefix} {number}: {', '.join(values) or 'default'}"


def host_rows() -> dict[str, Answers]:
    """Return the projects that are linted and tested on the host: every choice of every axis but the servers, and difficult texts."""
    axes = {key: values for key, values in choices().items() if key not in {"license", "app_server"}}
    rows = deal(covering(axes, 1), {key: choices()[key] for key in ("license", "app_server")})
    texts = [SPECIAL[name] for name in HOST_TEXTS]
    return {_name("host", number, row): row | texts[(number - 1) % len(texts)] for number, row in enumerate(rows, 1)}


def stack_rows() -> dict[str, Answers]:
    """Return the projects whose whole stack is run: every choice of every axis that images are made of. The first is ``default``."""
    listed = choices()
    axes = {
        key: [value for value in values if (key, value) not in UNBUILT]
        for key, values in listed.items()
        if key not in {"license", "ci", "mirrors"}
    }
    rows = enumerate(covering(axes, 1), 1)
    defaults = {key: values[0] for key, values in listed.items()}
    return {"default" if row.items() <= defaults.items() else _name("stack", number, row): row for number, row in rows}


HOST_ROWS = host_rows()
STACK_ROWS = stack_rows()


def answer_sets() -> dict[str, Answers]:
    """Return the answer sets by name: the default, special ones, the rows that are run, and rows with all pairs of choices."""
    listed = choices()
    sets: dict[str, Answers] = {**STACK_ROWS, "default": {}, **SPECIAL, **HOST_ROWS}
    axes = {key: values for key, values in listed.items() if key not in LEAVES}
    rows = deal(covering(axes, 2, given=sets.values()), {key: listed[key] for key in LEAVES})
    return sets | {_name("pairs", number, row): row for number, row in enumerate(rows, 1)}


SETS = answer_sets()


def answers_of(name: str) -> Answers:
    """Return the answers of a set by its name, or of one choice alone, written as ``key=value``."""
    if name in SETS:
        return SETS[name]
    key, _, value = name.partition("=")
    return {key: next(choice for choice in choices()[key] if str(choice) == value)}
