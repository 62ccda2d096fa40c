"""One stream of log lines, ours and of libraries, as JSON on stderr or readable on a terminal; in UTC and redacted.
Workflow code logs by `workflow.logger`, silent in a replay.
"""

import logging
import sys
from typing import Any, Final, TextIO

import structlog
from structlog.stdlib import ExtraAdder, ProcessorFormatter
from structlog.typing import EventDict, Processor
from temporalio import activity, workflow

from starter.telemetry.log_redaction import redact_event

_QUIET: Final = ("httpx", "httpcore", "uvicorn.access", "asyncio", "opentelemetry", "fsspec")
"""Loggers that repeat ours, or log whole URLs."""

_NOT_FOR_LINES: Final = ("temporal_log", "color_message")


def configure(level: str = "info", *, stream: TextIO | None = None, json: bool | None = None) -> None:
    """Log from `level` on to `stream` (default stderr). `json` None: unless it is a terminal. Replaces an earlier
    configuration.
    """
    stream = stream or sys.stderr
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_formatter(json=not stream.isatty() if json is None else json))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    _log_like_temporal()
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *_shared(), ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )


def _log_like_temporal() -> None:
    """Ids of workflow and activity as fields, not as a dictionary in the text."""
    workflow.logger.workflow_info_on_message = False
    activity.logger.activity_info_on_message = False


def _shared() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _formatter(*, json: bool) -> logging.Formatter:
    renderer: Processor = structlog.processors.JSONRenderer() if json else structlog.dev.ConsoleRenderer()
    return ProcessorFormatter(
        foreign_pre_chain=[*_shared(), ExtraAdder(), _without_objects],
        processors=[
            ProcessorFormatter.remove_processors_meta,
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            redact_event,
            renderer,
        ],
    )


def _without_objects(logger: Any, method: str, event: EventDict) -> EventDict:
    for name in _NOT_FOR_LINES:
        event.pop(name, None)
    return event
