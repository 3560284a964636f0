"""Formatters and filters for ``settings/logging.py``, by structlog.

https://www.structlog.org/en/stable/standard-library.html
"""

import logging
import sys
from collections.abc import Callable

import structlog
from django.conf import settings
from structlog.stdlib import ProcessorFormatter
from structlog.typing import EventDict, Processor


def shorten(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Drop the request object that Django attaches: its id and its path are in the line.

    A rejected request, such as one for a wrong host, is no error of the site: it needs no traceback.
    """
    event.pop("request", None)
    if event.get("logger", "").startswith("django.security."):
        event.pop("exc_info", None)
    return event


read_extra = structlog.stdlib.ExtraAdder()


def add_extra(logger: logging.Logger, method: str, event: EventDict) -> EventDict:
    """Add the values of ``extra``. One named as a part of the line, such as ``level``, is ``extra_level``."""
    extra = read_extra(logger, method, {"_record": event.get("_record")})
    del extra["_record"]
    return {**event, **{f"extra_{key}" if key in event else key: extra[key] for key in extra}}


# For the lines of the standard library's loggers and of structlog's.
SHARED: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.stdlib.PositionalArgumentsFormatter(),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    add_extra,
    shorten,
    structlog.processors.StackInfoRenderer(),
]


def configure_structlog() -> None:
    """Let ``structlog.get_logger()`` write through the standard library's handlers."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *SHARED,
            ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def console_formatter() -> ProcessorFormatter:
    """Return the formatter for people: coloured where standard error is a terminal."""
    return ProcessorFormatter(
        foreign_pre_chain=SHARED,
        processors=[
            ProcessorFormatter.remove_processors_meta,
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()),
        ],
    )


def json_formatter(environment: str) -> ProcessorFormatter:
    """Return the formatter for machines: a line of JSON per event.

    Args:
        environment: a value of every line, for places that collect the logs of several installations.
    """

    def add_environment(_logger: object, _method: str, event: EventDict) -> EventDict:
        return {**event, "environment": environment}

    return ProcessorFormatter(
        foreign_pre_chain=SHARED,
        processors=[
            ProcessorFormatter.remove_processors_meta,
            add_environment,
            structlog.processors.format_exc_info,
            structlog.processors.EventRenamer("message"),
            structlog.processors.JSONRenderer(),
        ],
    )


def static_files_filter() -> Callable[[logging.LogRecord], bool]:
    """Return a filter that keeps the lines about static files, which pass no middleware."""
    return lambda record: f" {settings.STATIC_URL}" in record.getMessage()
