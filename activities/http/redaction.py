"""What a provider says may quote people and secrets: both are blanked before it reaches a log, history or screen."""

import re
from collections.abc import Iterable
from typing import Final

from workflows.model.texts import in_one_line

BLANK: Final = "[redacted]"
LONGEST_TEXT: Final = 2048
"""The longest text of a provider that is kept: 2 KiB of UTF-8."""

_PATTERNS: Final = (
    re.compile(r"(?<=://)[^\s/@]{1,256}@"),  # credentials in an address
    re.compile(r"[^\s@<>\"'(),:;\[\]/][^\s@<>\"(),:;\[\]/]{0,63}@[^\s@<>\"'(),:;\[\]/?]{1,255}"),  # e-mail addresses
    re.compile(r"(?<=\?)[^\s\"'<>?]*=[^\s\"'<>]*"),  # queries of addresses
    re.compile(r"(?i)\b(?:bearer|basic|token)\s+[A-Za-z0-9._~+/=-]{8,}"),
    re.compile(r"\beyJ[A-Za-z0-9_.=-]{10,}"),  # JSON web tokens
    re.compile(r"\+\d[\d\s().-]{6,20}\d"),  # telephone numbers
    re.compile(r"[A-Za-z0-9_~+/=-]{40,}"),  # keys, device tokens, base64
)


def redact(text: str, private: Iterable[str] = ()) -> str:
    """`text` in one printable line of at most 2 KiB, without the `private` strings, addresses, tokens and queries."""
    line = in_one_line(text)
    for secret in sorted((value for value in private if len(value) > 2), key=len, reverse=True):
        line = re.sub(re.escape(secret), BLANK, line, flags=re.IGNORECASE)
    for pattern in _PATTERNS:
        line = pattern.sub(BLANK, line)
    return clip(line.strip(), LONGEST_TEXT)


def clip(text: str, most_bytes: int) -> str:
    """`text` cut to at most `most_bytes` of UTF-8, never inside a character; a cut shows as an ellipsis."""
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= most_bytes:
        return encoded.decode()
    return encoded[: most_bytes - 3].decode("utf-8", "ignore") + "…"
