"""Replaces each text of a JSON value that may be personal, secret or an id; equal texts get equal placeholders. A text
is kept only if its key or its form shows that it is harmless.
"""

import re
from dataclasses import dataclass, field
from typing import Any, Final

HOST: Final = "sign.example.test"
"""Stands for any host."""
FOREIGN: Final = "other"
"""Stands for the id of a document that the trial has not created."""
ITEMS_AT_MOST: Final = 100
"""Items kept of one list."""

_WORD_KEYS: Final = frozenset(
    ("status", "event_type", "who", "language", "token_type", "error", "errorCode", "event_time", "page", "limit")
)
"""Keys whose values are words of the service, never of people."""
_WORD: Final = re.compile(r"[A-Za-z0-9_.-]{1,60}")
_SECRET_KEY: Final = re.compile(r"token$|secret|password|assertion|^fid$|api_?key", re.IGNORECASE)
_INSTANT_OR_SHA256: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?|[0-9a-f]{64}")
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_KEY: Final = re.compile(r"[A-Za-z_@$][\w.$-]{0,60}")
_API_PATH: Final = re.compile(
    r"(/api/v1/(?:documents|signature-requests|signrequests|events|webhooks)/)(?:([\w-]{1,64})(/(?:[a-z_-]{1,60}/)?))?"
)
"""A resource, the id of one of them, and an action."""
_LARGE_NUMBER: Final = 10**7
"""A larger number may be a phone number or an id."""


@dataclass
class Scrubber:
    """`own_texts` are written by the trial itself, and kept."""

    own_texts: set[str] = field(default_factory=lambda: {FOREIGN})
    _placeholders: dict[str, str] = field(default_factory=dict)

    def scrub(self, value: Any, key: str = "") -> Any:
        """Any JSON value that stands under this key."""
        if isinstance(value, dict):
            return {self._scrub_key(name): self.scrub(inner, name) for name, inner in value.items()}
        if isinstance(value, list):
            return [self.scrub(item, key) for item in value[:ITEMS_AT_MOST]]
        if isinstance(value, str):
            return self.scrub_text(value, key)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return 0 if is_number and abs(value) >= _LARGE_NUMBER else value

    def scrub_text(self, text: str, key: str = "") -> str:
        is_word = key in _WORD_KEYS and _WORD.fullmatch(text)
        if not text or text in self.own_texts or is_word:
            return text
        if _INSTANT_OR_SHA256.fullmatch(text) and not _SECRET_KEY.search(key):
            return text
        return self._scrub_address(text) or self._placeholder(text)

    def scrub_path(self, path: str) -> str:
        """Keeps resources and actions of Core Signature."""
        match = _API_PATH.fullmatch(path)
        if match is None:
            return f"/{self._placeholder(path)}"
        return match[1] + (self._placeholder(match[2]) + match[3] if match[2] else "")

    def _scrub_address(self, text: str) -> str:
        """The address of a resource; empty if it is none."""
        base, slashes, host_and_path = text.partition("://")
        path = f"/{host_and_path.partition('/')[2]}" if slashes else base
        if not _API_PATH.fullmatch(path):
            return ""
        return (f"https://{HOST}" if slashes else "") + self.scrub_path(path)

    def _scrub_key(self, key: str) -> str:
        return key if _KEY.fullmatch(key) and not _UUID.fullmatch(key) else self._placeholder(key)

    def _placeholder(self, text: str) -> str:
        return self._placeholders.setdefault(text.casefold(), f"text-{len(self._placeholders) + 1}")
