"""A component, and the result of its check."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Component:
    """A part of the site that can fail on its own.

    Attributes:
        name: its name in logs, in ``/health/ready`` and in ``manage.py doctor``.
        probe: checks within milliseconds, without side effects, whether it responds. Returns a
            short description; may raise any error.
        trial: uses it as the site does, and cleans up. Returns what was done; may raise any error.
        essential: whether the site can't serve pages without it.
    """

    name: str
    probe: Callable[[], str]
    trial: Callable[[], str]
    essential: bool = False


@dataclass(frozen=True)
class Result:
    """The result of one check.

    Attributes:
        component: the component.
        works: whether the check passed.
        detail: what the check returned, or its error in one line.
        seconds: the duration.
    """

    component: Component
    works: bool
    detail: str
    seconds: float


def check(component: Component, *, thorough: bool = False) -> Result:
    """Check a component by its probe, or by its trial. Never raises: a failure is a result.

    Args:
        component: the component.
        thorough: whether to run the trial.
    """
    started = perf_counter()
    try:
        detail = component.trial() if thorough else component.probe()
        works = True
    except Exception as error:
        lines = str(error).strip().splitlines()
        detail = f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
        works = False
        if not thorough:
            logger.warning("%s does not work: %s", component.name, detail)
    return Result(component, works, detail, perf_counter() - started)
