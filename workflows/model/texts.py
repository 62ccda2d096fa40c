"""What a text of somebody else's must be before we remember it: readable as it is, and no longer than there is room."""

import json
import unicodedata
from typing import Final

from workflows.model.objections import Rejection

TEXT_AT_MOST: Final = 1_000
"""Characters of a reason, a question or an answer: all of them stay in the memory of the request."""
NAME_AT_MOST: Final = 200
"""Characters of the name of who wants something."""
NAMES_AT_MOST: Final = 20
"""People whom one wish names."""
_CONTROLS: Final = (*range(9), *range(0x0B, 0x20), *range(0x7F, 0xA0))
_TURNING: Final = (0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A))
_HIDDEN: Final = frozenset(map(chr, (*_CONTROLS, *_TURNING)))
"""What moves a terminal's cursor, or turns the direction of whatever follows."""
_LAYOUT: Final = frozenset("\t\n")
"""What a text of several lines may have and a name may not."""
_TO_LINES: Final = dict.fromkeys(map(ord, _HIDDEN | _LAYOUT), "\n")
_MORE: Final = "…"


def text_fault(text: str, what: str) -> str | None:
    """Why a text that is needed cannot be taken as it is."""
    return reason_fault(text, what) if text.strip() else Rejection.EMPTY.says(what=what)


def reason_fault(text: str, what: str = "the reason") -> str | None:
    """Why a text that may be empty cannot be taken as it is."""
    return _fault(text, what, TEXT_AT_MOST, _HIDDEN)


def name_fault(name: str, what: str = "the name of who wants it") -> str | None:
    """Why a name cannot be taken as it is; it is told within a line of other words."""
    return _fault(name, what, NAME_AT_MOST, _HIDDEN | _LAYOUT)


def plain(text: str) -> str:
    """The text in NFC, with unix line ends and without what people cannot see."""
    folded = unicodedata.normalize("NFC", text.replace("\r\n", "\n"))
    return "".join(char for char in folded if char not in _HIDDEN and not _is_half(char))


def in_one_line(text: str) -> str:
    """The text with a space for every run of line ends and of what people cannot see."""
    return " ".join(filter(None, text.translate(_TO_LINES).split("\n")))


def cleaned(text: str) -> str:
    """A text that nobody could be asked to write better: what people cannot see and what is too much is left out."""
    # Clipped first as well, because what comes from Temporal may have megabytes.
    return plain(text[: 2 * TEXT_AT_MOST])[:TEXT_AT_MOST].strip()


def name_told(name: str) -> str:
    """The name of somebody as others told it, of which nobody could be asked either."""
    return in_one_line(cleaned(name))[:NAME_AT_MOST]


def clipped(text: str, most: int) -> str:
    """The text, or as much of its beginning as fits with an ellipsis into `most` bytes of JSON."""
    if _bytes(text) <= most:
        return text
    kept = text[:most]
    while _bytes(kept + _MORE) > most:
        kept = kept[: -max(1, (_bytes(kept + _MORE) - most) // 6)]
    return kept + _MORE


def _fault(text: str, what: str, at_most: int, hidden: frozenset[str]) -> str | None:
    if len(text) > at_most:
        return Rejection.TOO_LONG.says(what=what, most=at_most)
    found = next((char for char in text if char in hidden or _is_half(char)), None)
    return Rejection.UNSEEN.says(what=what, character=f"U+{ord(found):04X}") if found else None


def _is_half(char: str) -> bool:
    """Half of a character beyond the basic plane, which no encoding takes."""
    return "\ud800" <= char <= "\udfff"


def _bytes(text: str) -> int:
    return len(json.dumps(text, ensure_ascii=False).encode()) - 2
