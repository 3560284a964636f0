"""What a component is, and what a look at it finds."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Component:
    """A part of the site that can fail on its own.

    Attributes:
        name: how logs, ``/health/ready`` and ``manage.py doctor`` call it.
        label: how people see it.
        probe: looks whether it answers, within milliseconds and without a trace. Returns a
            short description; raises whatever goes wrong.
        trial: uses it for real and cleans up. Returns what was done; raises whatever goes wrong.
        essential: whether the site cannot serve requests without it.
    """

    name: str
    label: "str | _StrPromise"
    probe: Callable[[], str]
    trial: Callable[[], str]
    essential: bool = False


@dataclass(frozen=True)
class State:
    """What one look at a component found.

    Attributes:
        component: the component.
        works: whether it did.
        detail: what it said, or the error in one line.
        seconds: how long the look took.
    """

    component: Component
    works: bool
    detail: str
    seconds: float


def check(component: Component, *, thorough: bool = False) -> State:
    """Look at a component by its probe, or by its trial. Never raises: a failure is a state.

    Args:
        component: what to look at.
        thorough: whether to use it for real.
    """
    started = perf_counter()
    try:
        detail = component.trial() if thorough else component.probe()
        works = True
    except Exception as error:
        lines = str(error).strip().splitlines()
        detail = f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
        works = False
        # Whoever tries it for real reads what is returned.
        if not thorough:
            logger.warning("%s does not work: %s", component.name, detail)
    return State(component, works, detail, perf_counter() - started)
