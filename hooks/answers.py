"""Write ``docs/answers.md`` from the questionnaire: ``pdm run answers``."""

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]

HEAD = """# Every question

Give an answer at the prompt, or on the command line as `--data key=value`. A wrong one is refused with a sentence that says
what to write. The first choice is the default.
"""


def page() -> str:
    """Return the page: a section for each question that people are asked."""
    sections = [HEAD]
    for file in ("project", "python", "components"):
        questions: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "questions" / f"{file}.yml").read_text())
        sections += [_section(key, question) for key, question in questions.items()]
    return "\n".join(sections)


def _section(key: str, question: dict[str, Any]) -> str:
    """Return the section of one question."""
    lines = [f"## `{key}`", "", *question["help"].strip().splitlines(), ""]
    if "when" in question:
        lines += [f"Asked if {_condition(question['when'])}.", ""]
    if "choices" in question:
        listed = question["choices"]
        pairs = listed.items() if isinstance(listed, dict) else zip(listed, listed, strict=True)
        lines += [f"- `{value}`: {label}" if label != value else f"- `{value}`" for label, value in pairs]
    elif question["type"] == "bool":
        lines.append(f"Default: `{'yes' if question['default'] else 'no'}`")
    elif "{%" in str(question["default"]):
        lines.append("Default: made from the answers before it.")
    else:
        lines.append(f"Default: `{question['default']}`" if question["default"] != "" else "Default: empty")
    return "\n".join([*lines, ""])


def _condition(when: str) -> str:
    """Return the condition of ``when``, in which questions are marked as code.

    Raises:
        ValueError: it is not of the form ``question != 'choice'``.
    """
    found = re.fullmatch(r"\{\{ (\w+) != '(\w+)' \}\}", when)
    if found is None:
        raise ValueError(f"say in hooks/answers.py how to put into words: {when}")
    return f"`{found[1]}` is not `{found[2]}`"


if __name__ == "__main__":
    (ROOT / "docs" / "answers.md").write_text(page())
