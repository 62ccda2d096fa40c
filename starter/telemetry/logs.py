"""One stream of log lines, ours and of libraries, as JSON on stderr or readable on a terminal; in UTC and redacted.
Workflow code logs by `workflow.logger`, silent in a replay.
"""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, Final, TextIO

import structlog
from structlog.stdlib import ExtraAdder, ProcessorFormatter
from structlog.typing import EventDict, Processor
from temporalio import activity, workflow
from temporalio.exceptions import ApplicationError

from activities.http.error_bodies import BLANK

_SECRET_WORDS: Final = (
    "authorization",
    "cookie",
    "token",
    "secret",
    "passw",
    "api_key",
    "app_key",
    "private_key",
    "credential",
    "embed_url",
    "email",
    "full_name",
    "display_name",
    "mobile",
    "phone",
)
"""A value whose name has one of these words is hidden entirely."""
_CONTROLS: Final = dict.fromkeys((*range(32), *range(127, 160), 8232, 8233), " ")
_MULTI_LINE: Final = frozenset({"exception", "stack"})
_QUIET: Final = ("httpx", "httpcore", "uvicorn.access", "asyncio", "opentelemetry", "fsspec")
"""Loggers that repeat ours, or log whole URLs."""
_RAISING: Final = ("psycopg",)
"""Loggers that warn of an error which the call raises too: a transaction that is repeated is no warning."""
_NOT_FOR_LINES: Final = ("temporal_log", "color_message")


def redacted(text: str) -> str:
    """`text` without anything that looks like a secret, an e-mail address or a signing link."""
    for mark, pattern, substitute in _PATTERNS:
        if mark in text:
            text = pattern.sub(substitute, text)
    return text


def redact_event(logger: object, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor that redacts, and removes control characters."""
    return {name: _value(name, value) for name, value in event.items()}


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
    for name in _RAISING:
        logging.getLogger(name).setLevel(logging.ERROR)
    _log_like_temporal()
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *_shared(), ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )


def _blank_marked(match: re.Match[str]) -> str:
    return BLANK if match[1] else match[0]


def _blank_query(match: re.Match[str]) -> str:
    return f"{match[1]}?{BLANK}" if match[2] else match[0]


def _blank_opaque(match: re.Match[str]) -> str:
    """Hashes have no capitals, and few ids are that long."""
    return BLANK if all(re.search(letters, match[0]) for letters in ("[A-Z]", "[a-z]", "[0-9]")) else match[0]


# What may stand before a mark, such as the @ of an address, is consumed also where the mark is missing: begun anew at
# each of its characters, a search would take time by the square of its length.
_PATTERNS: Final = (
    ("@", re.compile(r"[\w.+%'-]++(@[\w-]++(?:\.[\w-]++)++)?"), _blank_marked),
    (" ", re.compile(r"\b(Bearer|Basic|Token) [\w.~+/=-]{8,}", re.IGNORECASE), rf"\1 {BLANK}"),
    ("eyJ", re.compile(r"\beyJ[\w-]++(\.[\w-]++\.[\w-]*+)?"), _blank_marked),
    ("whsec_", re.compile(r"\bwhsec_[\w+/=-]+"), BLANK),
    (":APA91", re.compile(r"[\w-]++(:APA91[\w-]++)?"), _blank_marked),
    ("://", re.compile(r"(https?://[^\s?#\"'<>]++)([?#][^\s\"'<>]*+)?"), _blank_query),
    ("+", re.compile(r"\+\d[\d ().-]{6,20}\d"), BLANK),
    ("", re.compile(r"[\w+=~-]{48,}+"), _blank_opaque),
    ("/", re.compile(r"(/(?:open|journey|task|campaign|desk/in|callbacks/core-signature)/)[\w.~=-]+"), rf"\1{BLANK}"),
)
"""What a text has in which a pattern matches, the pattern, and what stands in the place of a match."""


def _value(name: str, value: object) -> object:
    if any(secret_word in name.lower() for secret_word in _SECRET_WORDS) and value is not None:
        return BLANK
    match value:
        case str():
            return redacted(value if name in _MULTI_LINE else value.translate(_CONTROLS))
        case Mapping():
            return {str(key): _value(str(key), inner) for key, inner in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_value("", inner) for inner in value]
        case None | bool() | int() | float():
            return value
        case _:
            return redacted(str(value).translate(_CONTROLS))


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
            _name_known_failure,
            structlog.processors.format_exc_info,
            redact_event,
            renderer,
        ],
    )


def _name_known_failure(logger: Any, method: str, event: EventDict) -> EventDict:
    """A failure to which an activity has given a type is told in words; a traceback is for what nobody foresaw."""
    raised = event.get("exc_info")
    error = raised[1] if isinstance(raised, tuple) else None
    if isinstance(error, ApplicationError) and error.type:
        del event["exc_info"]
        event.update(failure=error.type, why=error.message)
    return event


def _without_objects(logger: Any, method: str, event: EventDict) -> EventDict:
    for name in _NOT_FOR_LINES:
        event.pop(name, None)
    return event
