"""Removes secrets, tokens, e-mail addresses, telephone numbers, signing links and URL queries from log lines; ids and
paths stay.
"""

import re
from collections.abc import Mapping, MutableMapping
from typing import Any, Final

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

_PATTERNS: Final = (
    (re.compile(r"[\w.+%'-]+@[\w-]+(?:\.[\w-]+)+"), BLANK),
    (re.compile(r"\b(Bearer|Basic|Token) [\w.~+/=-]{8,}", re.IGNORECASE), rf"\1 {BLANK}"),
    (re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*"), BLANK),
    (re.compile(r"\bwhsec_[\w+/=-]+"), BLANK),
    (re.compile(r"[\w-]+:APA91[\w-]+"), BLANK),
    (re.compile(r"(https?://[^\s?#\"'<>]+)[?#][^\s\"'<>]*"), rf"\1?{BLANK}"),
    (re.compile(r"\+\d[\d ().-]{6,20}\d"), BLANK),
    # Opaque tokens; hashes have no capitals, and few ids are that long.
    (re.compile(r"(?=[\w+=~-]*[A-Z])(?=[\w+=~-]*[a-z])(?=[\w+=~-]*[0-9])[\w+=~-]{48,}"), BLANK),
    (re.compile(r"(/(?:open|journey|task|campaign|desk/in|callbacks/core-signature)/)[\w.~=-]+"), rf"\1{BLANK}"),
)
_CONTROLS: Final = dict.fromkeys((*range(32), *range(127, 160), 8232, 8233), " ")
_MULTI_LINE: Final = frozenset({"exception", "stack"})


def redacted(text: str) -> str:
    """`text` without anything that looks like a secret, an e-mail address or a signing link."""
    for pattern, substitute in _PATTERNS:
        text = pattern.sub(substitute, text)
    return text


def redact_event(logger: object, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor that redacts, and removes control characters."""
    return {name: _value(name, value) for name, value in event.items()}


def _value(name: str, value: object) -> object:
    if any(word in name.lower() for word in _SECRET_WORDS) and value is not None:
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
