"""The names of metrics in PromQL."""

import re
from typing import Final

_QUOTED: Final = re.compile(r'"[^"]*"')
_LABELS: Final = re.compile(r"\{[^}]*\}|\b(?:by|on|without|ignoring)\s*\([^)]*\)")
_WORD: Final = re.compile(r"(?<![\w$.])[a-zA-Z_]\w*\b(?!\s*\()")
_KEYWORDS: Final = frozenset(("and", "or", "unless", "bool", "offset", "by", "on", "group_left"))
_UNITS: Final = re.compile(r"\[[^\]]*\]")


def metrics_in(query: str) -> set[str]:
    """Without functions, labels, durations and keywords."""
    bare = _UNITS.sub("", _LABELS.sub("", _QUOTED.sub("", query)))
    return set(_WORD.findall(bare)) - _KEYWORDS


def family(series: str) -> str:
    """The name that a page's `TYPE` line has for a series of a histogram."""
    return re.sub(r"_(bucket|sum|count)$", "", series)
