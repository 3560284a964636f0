"""What the questionnaire accepts and refuses, and what it says then."""

import keyword
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from projects import copier, data
from questionnaire import NASTY, QUESTIONS, ROOT, RULES

# A value that is refused, and the words of the rule that the sentence must hold.
REFUSED = [
    ("project_name", "", "is empty"),
    ("project_name", "two\nlines", "line break"),
    ("project_name", "tab\there", "control character"),
    ("project_name", "bell\x07", "control character"),
    ("project_name", "next\x85line", "line break"),
    ("project_name", "line\u2028separator", "line break"),
    ("project_name", "reordered\u202etxt", "control character"),
    ("project_name", " leading", "begins or ends with a space"),
    ("project_slug", "", "at most 40"),
    ("project_slug", "My_Site", "at most 40"),
    ("project_slug", "my-site", "at most 40"),
    ("project_slug", "1site", "at most 40"),
    ("project_slug", "_site", "at most 40"),
    ("project_slug", "site\n", "at most 40"),
    ("project_slug", "a" * 41, "at most 40"),
    ("project_slug", "class", "already uses"),
    ("project_slug", "string", "already uses"),
    ("project_slug", "django", "already uses"),
    ("project_slug", "celery", "already uses"),
    ("project_slug", "config", "already uses"),
    ("project_slug", "worker", "already uses"),
    ("project_slug", "con", "already uses"),
    ("description", "two\rlines", "line break"),
    ("description", "trailing ", "begins or ends with a space"),
    ("author_name", "esc\x1b[0m", "control character"),
    ("author_email", "nobody", "not a mail address"),
    ("author_email", "a@b@c", "not a mail address"),
    ("author_email", "a b@example.com", "not a mail address"),
    ("author_email", "a@example.com\n", "not a mail address"),
    ("domain", "", "not a host name"),
    ("domain", "https://example.com", "has a scheme"),
    ("domain", "example.com:8000", "has a port"),
    ("domain", "example.com/shop", "has a path"),
    ("domain", "exa mple.com", "not a host name"),
    ("domain", "-example.com", "not a host name"),
    ("domain", "example..com", "not a host name"),
    ("domain", "my_site.com", "not a host name"),
    ("domain", "a" * 64 + ".com", "too long"),
    ("domain", "ü" * 60 + ".com", "too long"),
    ("domain", "127.0.0.1", "is a number"),
    ("proxy_network", "my network", "no Docker network"),
    ("proxy_network", "-swag", "no Docker network"),
    ("proxy_network", "swag\n", "no Docker network"),
    ("timezone", "Berlin", "tz database"),
    ("timezone", "Europe/Kiev", "tz database"),
    ("timezone", "europe/berlin", "tz database"),
    ("language", "klingon", "not a language"),
    ("language", "en_US", "not a language"),
]

ACCEPTED = [
    ("project_name", NASTY),
    ("project_name", "漢字"),
    ("project_name", "👩‍👩‍👧‍👦"),
    ("project_slug", "a"),
    ("project_slug", "a" * 40),
    ("project_slug", "shop2_eu"),
    ("description", ""),
    ("author_name", "Жанна д’Арк"),
    ("author_email", ""),
    ("author_email", "first.last+tag@mail.example.co.uk"),
    ("domain", "xn--bcher-kva.example"),
    ("domain", "bücher.example"),
    ("domain", "例え.テスト"),
    ("domain", "Shop.Example.com"),
    ("domain", "a" * 63 + ".com"),
    ("timezone", "Etc/GMT+5"),
    ("timezone", "Europe/Kyiv"),
    ("language", "en-us"),
    ("language", "zh-hans"),
    ("proxy_network", "swag_default"),
    ("proxy_network", "proxy.internal-1"),
]


def sentence(question: str, value: str) -> str:
    """Return what the validator of a question says of a value."""
    rendered = RULES.jinja.from_string(QUESTIONS[question]["validator"]).render({question: value})
    return rendered.strip()


@pytest.mark.parametrize(("question", "value", "rule"), REFUSED)
def test_a_wrong_answer_gets_one_sentence_that_names_it_and_the_rule(question: str, value: str, rule: str) -> None:
    said = sentence(question, value)
    assert f": {question} is " in said
    assert said.index(f": {question}") < 60, "the way out comes first: the prompt shows no more of a line"
    assert rule in said
    assert said.endswith((".", ")."))
    assert "\n" not in said
    shown = re.sub(r"\\u[0-9a-f]{4}|\\[nrt]", "", said)
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u202e]", shown), "what cannot be seen is shown as an escape"


@pytest.mark.parametrize(("question", "value"), ACCEPTED)
def test_a_right_answer_gets_no_word(question: str, value: str) -> None:
    assert sentence(question, value) == ""


def test_every_text_question_has_a_rule_and_two_lines_of_help() -> None:
    asked = {key: question for key, question in QUESTIONS.items() if question.get("when") is not False}
    for key, question in asked.items():
        assert len(question["help"].strip().splitlines()) == 2, key
        assert "choices" in question or "validator" in question or question["type"] == "bool", key


def test_the_command_line_ends_with_the_sentence_and_leaves_nothing(template: Path, tmp_path: Path) -> None:
    printed = copier(
        "copy", "--defaults", *data({"domain": "https://example.com"}), template, tmp_path / "site", cwd=tmp_path, code=1
    )
    last = printed.strip().splitlines()[-1]
    assert "domain is" in last
    assert "Write the name alone" in last
    assert not (tmp_path / "site").exists()


@pytest.mark.parametrize("choice", ["license", "python_version", "frontend", "ci"])
def test_a_choice_that_does_not_exist_is_refused(choice: str, template: Path, tmp_path: Path) -> None:
    printed = copier("copy", "--defaults", *data({choice: "nonsense"}), template, tmp_path / "site", cwd=tmp_path, code=1)
    assert choice in printed.strip().splitlines()[-1]
    assert not (tmp_path / "site").exists()


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("My Site", "my_site"),
        ("Café Ängström", "cafe_aengstroem"),
        ("漢字", "my_site"),
        ("2024", "site_2024"),
        ("Django", "django_site"),
        ("class", "class_site"),
        ("--- x ---", "x"),
        ("A" * 60, "a" * 40),
        ("a " * 30, ("a_" * 20)[:-1]),
        ("importlib_resources", "importlib_resources"),
    ],
)
def test_a_package_name_comes_from_the_name_of_the_site(name: str, slug: str) -> None:
    full = RULES.complete({"project_name": name.strip()})
    assert full is not None, "the default must always be acceptable"
    assert full["project_slug"] == slug


@pytest.mark.parametrize(
    ("domain", "host"),
    [
        ("example.com", "example.com"),
        ("Example.COM", "example.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("straße.de", "xn--strae-oqa.de"),
        ("例え.テスト", "xn--r8jz45g.xn--zckzah"),
    ],
)
def test_an_international_domain_becomes_what_dns_carries(domain: str, host: str) -> None:
    full = RULES.complete({"domain": domain})
    assert full is not None
    assert full["host"] == host


def test_no_package_of_python_or_of_the_lock_can_be_hidden() -> None:
    reserved = set((ROOT / "questions" / "names.jinja").read_text().split("{% set reserved %}")[1].split("{%")[0].split())
    lock = (ROOT / "locks" / "pdm.lock").read_text()
    packages = {name.lower().replace("-", "_").replace(".", "_") for name in re.findall(r'^name = "(.+)"', lock, re.MULTILINE)}
    possible = {
        name for name in {*sys.stdlib_module_names, *keyword.kwlist, *packages} if re.fullmatch("[a-z][a-z0-9_]*", name)
    }
    assert possible - reserved == set()


def test_no_folder_of_the_project_can_be_hidden(render: Callable[[str], Path]) -> None:
    project = render("default")
    names = {path.name for path in [*project.iterdir(), *(project / "src").iterdir(), *(project / "src/my_site").iterdir()]}
    taken = {name for name in names if re.fullmatch("[a-z][a-z0-9_]*", name) and name != "my_site"}
    assert {name for name in taken if not sentence("project_slug", name)} == set()


def test_every_answer_of_the_contract_is_a_question() -> None:
    # The keys and choices that other people's scripts rely on.
    contract = [
        "project_name",
        "project_slug",
        "description",
        "author_name",
        "author_email",
        "domain",
        "license",
        "timezone",
        "language",
        "python_version",
        "frontend",
        "redis",
        "websockets",
        "celery_broker",
        "celery_beat",
        "app_server",
        "proxy_network",
        "mirrors",
        "ci",
    ]
    assert [key for key in QUESTIONS if QUESTIONS[key].get("when") is not False] == contract


def test_the_answers_file_says_what_was_answered(render: Callable[[str], Path]) -> None:
    assert yaml.safe_load((render("nasty") / ".copier-answers.yml").read_text())["project_name"] == NASTY
