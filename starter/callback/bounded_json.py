"""The JSON of a stranger: bounded before it is parsed, and with numbers kept as the text they came as."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn

MOST_DEPTH: Final = 32
MOST_VALUES: Final = 20_000
"""A callback has some hundred values; a megabyte of commas would become a hundred megabytes of objects."""
MOST_QUOTES: Final = 4 * MOST_VALUES
"""Of as many names and texts; a megabyte of quotes would become twenty of pieces while it is looked through."""

# The closing quote may be missing, so that each character is looked at once, however the quotes are placed.
_STRINGS: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_BRACKETS: Final = re.compile(rb"[\[\]{}]")


class NotReadable(ValueError):
    """The body is not JSON that we are willing to parse."""


@dataclass(frozen=True, slots=True)
class NumberText:
    """A number, as the text it was written as: none of a stranger's digits is ever calculated with."""

    text: str


def parse(body: bytes) -> Any:
    """The value in `body`, UTF-8 only; raises `NotReadable` for anything else, also when it is deep or crowded."""
    _refuse_bombs(body)
    try:
        return json.loads(body.decode(), parse_int=NumberText, parse_float=NumberText, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise NotReadable("not JSON") from None


def parse_object(body: bytes) -> Mapping[str, Any]:
    """The object in `body`; raises `NotReadable` for anything else, too."""
    value = parse(body)
    if not isinstance(value, dict):
        raise NotReadable("not an object")
    return value


def _refuse_bombs(body: bytes) -> None:
    if body.count(b'"') > MOST_QUOTES:
        raise NotReadable("too many texts")
    structure = _STRINGS.sub(b"", body)
    if sum(map(structure.count, (b",", b"[", b"{"))) > MOST_VALUES:
        raise NotReadable("too many values")
    depth = 0
    for bracket in _BRACKETS.finditer(structure):
        depth += 1 if bracket[0] in b"[{" else -1
        if depth > MOST_DEPTH:
            raise NotReadable("too deep")


def _refuse(constant: str) -> NoReturn:
    raise NotReadable(f"{constant} is not JSON")
