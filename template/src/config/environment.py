"""The environment: what a machine decides comes from here, typed and checked.

Variables of the process win over those of ``.env``, the file of a development machine.
``docs/settings.md`` describes each of them.
"""

from pathlib import Path

from environs import Env, EnvError, EnvValidationError

ROOT = Path(__file__).resolve().parents[2]

env = Env()
env.read_env(ROOT / ".env", recurse=False)


def explain(error: EnvError) -> str:
    """Say in one line which variable is wrong and why, without its value: it may be a secret."""
    if not isinstance(error, EnvValidationError):
        return f"{error}."
    subject = str(error).partition(" invalid: ")[0]
    messages = error.error_messages
    reasons = messages if isinstance(messages, list) else [str(messages)]
    return f"{subject} is invalid: {' '.join(map(str, reasons))}"
