"""The answer sets that the tests render, read from the questionnaire itself: a question that is added is tested."""

from collections.abc import Iterator
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import yaml
from allpairspy import AllPairs
from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import SandboxedEnvironment
from jinja2_ansible_filters import AnsibleCoreFiltersExtension

ROOT = Path(__file__).resolve().parents[1]

Answers = dict[str, Any]

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
        "app_server": "uvicorn",
    },
    "nasty, proprietary": {"project_name": NASTY[::-1].strip(), "project_slug": "x", "license": "proprietary"},
    "long": {
        "project_name": "Wohnungsbaugenossenschaft " * 9 + "eG",
        "project_slug": "wohnungsbaugenossenschaft_der_stadt_neus",
        "description": "漢" * 300,
        "domain": ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 61]),
        "language": "de",
        "timezone": "Europe/Berlin",
        "app_server": "hypercorn",
    },
    "behind swag": {"proxy_network": "swag", "redis": False},
    "short": {"project_name": "Z", "project_slug": "z", "domain": "z", "app_server": "daphne"},
    "small": {"app_server": "granian", "websockets": False, "redis": False, "celery_broker": "none", "frontend": "none"},
    "uwsgi, rabbitmq": {"app_server": "uwsgi", "celery_broker": "rabbitmq"},
}


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
    """The ``when`` and ``validator`` of the questionnaire, evaluated as Copier does."""

    def __init__(self) -> None:
        self.jinja = SandboxedEnvironment(
            loader=FileSystemLoader(ROOT),
            extensions=[AnsibleCoreFiltersExtension],
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        # A few texts, for thousands of answers.
        self.template = cache(self.jinja.from_string)

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

    def asked(self, answers: Answers) -> Answers:
        """Leave out the answers to questions that are not asked with these answers."""
        full = self.complete(answers) or {}
        return {key: value for key, value in answers.items() if self._render(QUESTIONS[key].get("when", True), full)}

    def _render(self, value: Any, answers: Answers) -> Any:
        if not isinstance(value, str):
            return value
        text = self.template(value).render(answers)
        return yaml.safe_load(text) if text in {"true", "false", "True", "False"} else text


def _name(answers: Answers, number: int) -> str:
    """Name a set: one changed answer by its key and value, several by the number of the set and their values."""
    if len(answers) == 1:
        return ",".join(f"{key}={value}" for key, value in answers.items())
    values = [("" if value else "no ") + key if isinstance(value, bool) else value for key, value in answers.items()]
    return f"{number}: {', '.join(values)}"


def answer_sets() -> dict[str, Answers]:
    """Return the answer sets by name: the default, each choice alone, all pairs that the rules allow, and the special ones."""
    rules = Rules()
    listed = choices()
    defaults = {key: values[0] for key, values in listed.items()}
    singles: Iterator[Answers] = ({key: value} for key, values in listed.items() for value in values[1:])

    def allowed(row: list[Any]) -> bool:
        answers = dict(zip(listed, row, strict=False))
        if rules.complete(answers) is None:
            return False
        # What is not asked then has one value, so that its others are paired where they count.
        asked = rules.asked(answers)
        return all(key in asked or value == defaults[key] for key, value in answers.items())

    pairs = (dict(zip(listed, row, strict=True)) for row in AllPairs(list(listed.values()), filter_func=allowed))
    sets: dict[str, Answers] = {"default": {}}
    # The rows are made without a look ahead: where the rules forbid the last way to a pair, it is missing.
    missing = all_pairs()
    for answers in [*singles, *pairs, *map(dict, sorted(missing, key=str))]:
        full = rules.complete(answers)
        if full is None or (len(answers) == 2 and tuple(answers.items()) not in missing):
            continue
        missing = {pair for pair in missing if any(full[key] != value for key, value in pair)}
        kept = {key: value for key, value in rules.asked(answers).items() if value != defaults[key]}
        if kept not in sets.values():
            sets[_name(kept, len(sets))] = kept
    return {**sets, **SPECIAL}


def all_pairs() -> set[tuple[tuple[str, Any], tuple[str, Any]]]:
    """Return every pair of choices of two questions that the rules allow: what the answer sets must cover."""
    rules = Rules()
    listed = choices()
    keys = list(listed)
    return {
        ((one, first), (other, second))
        for index, one in enumerate(keys)
        for other in keys[index + 1 :]
        for first, second in product(listed[one], listed[other])
        if rules.complete({one: first, other: second}) is not None
        and {one, other} <= rules.asked({one: first, other: second}).keys()
    }
