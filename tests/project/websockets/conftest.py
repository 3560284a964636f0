"""Coroutine tests of the runtime, without a plugin."""

import inspect

import pytest
from asgiref.sync import async_to_sync


def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a coroutine test in the thread of its fixtures, which has the connection to the database."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    parameters = inspect.signature(pyfuncitem.obj).parameters
    async_to_sync(pyfuncitem.obj)(**{name: pyfuncitem.funcargs[name] for name in parameters})
    return True
