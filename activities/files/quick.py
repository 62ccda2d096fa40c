"""A fast reader for files with many entries of one simple form, without lines. Content that is faulty, or that
`yaml_lines.parse` might read differently, gives None.
"""

import json
import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, Final, TypeAlias, TypeVar

from ruamel.yaml import YAML
from ruamel.yaml.nodes import ScalarNode

from activities.files.yaml_lines import FORBIDDEN, TEXT_TAGS, parse

Item = TypeVar("Item")

_KEY: Final = r"[A-Za-z_][A-Za-z0-9_]*"
_PLAIN: Final = r"[\w+.](?:[^:#\[\]{},]|:(?=[^\s\[\]{},]))*"
"""Plain scalars without comments or ambiguous signs."""
_QUOTED: Final = r"\"[^\"\\]*\"|'[^']*'"
_FIELD: Final = re.compile(rf"({_KEY}): +(?:({_QUOTED})|([\[{{].*)|({_PLAIN})) *")
_TOKEN: Final = re.compile(rf" *(?:([\[\]{{}},])|(?:({_KEY}): +|\"({_KEY})\": *)|({_QUOTED})|({_PLAIN}))")
_ENTRY: Final = re.compile(r"( *)- +(?=\S)")
_OTHER_WORDS: Final = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
"""Plain scalars that may not be texts in some YAML version."""


class _NotSimple(Exception):
    """Must be read by `yaml_lines.parse`."""


def quickly(text: str, key: str) -> Any:
    """A map with `key` alone, whose value is a list of maps; None if `yaml_lines.parse` has to read it."""
    if "\t" in text or FORBIDDEN.search(text.replace("\n", "")):
        return None
    try:
        if text.lstrip().startswith("{"):
            return _json(text)
        return {key: list(_entries(text, key))}
    except (_NotSimple, ValueError, RecursionError):
        return None


def _entries(text: str, key: str) -> Iterator[dict[str, Any]]:
    before, *lines = text.split("\n")
    while _is_blank(before):
        before, *lines = lines or (f"{key}:",)
    dash = next((found for line in lines if not _is_blank(line) and (found := _ENTRY.match(line))), None)
    if before.rstrip() != f"{key}:" or dash is None:
        raise _NotSimple
    indent = dash.group(1)
    entry: list[str] = []
    for line in lines:
        starts = line.startswith(f"{indent}- ")
        if not (starts or line.startswith(f"{indent} ") or _is_blank(line)):
            raise _NotSimple
        if starts and any(not _is_blank(one) for one in entry):
            yield _entry([*entry, ""])
            entry = []
        entry.append(line)
    yield _entry(entry)


def _is_blank(line: str) -> bool:
    return not (said := line.strip()) or said.startswith("#")


def _entry(lines: list[str]) -> dict[str, Any]:
    said = [line for line in lines if not _is_blank(line)]
    begin = _ENTRY.match(said[0])
    if begin is None:
        raise _NotSimple
    try:
        if len(said) == 1 and said[0].startswith("{", begin.end()):
            return _map(_flow(said[0][begin.end() :]))
        return dict(_fields(said, " " * begin.end()))
    except _NotSimple:
        return _parse_entry(lines)


def _map(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _NotSimple
    return value


def _fields(lines: list[str], indent: str) -> Iterator[tuple[str, Any]]:
    names = set()
    for number, line in enumerate(lines):
        field = _FIELD.fullmatch(line, len(indent))
        if field is None or (number and not line.startswith(indent)):
            raise _NotSimple
        name, quoted, flow, plain = field.groups()
        names.add(_checked_key(name))
        yield name, _checked_text(quoted[1:-1]) if quoted else _flow(flow) if flow else _plain(plain.rstrip())
    if len(names) < len(lines):
        raise _NotSimple


def _parse_entry(lines: list[str]) -> dict[str, Any]:
    """Parse one complex entry by itself; anchors outside it are unknown."""
    read = parse("\n".join(lines))
    if read.flaws or not isinstance(read.value, list) or len(read.value) != 1:
        raise _NotSimple
    return _map(read.value[0])


def _flow(written: str) -> Any:
    at, tokens = 0, []
    written = written.rstrip()
    while at < len(written):
        token = _TOKEN.match(written, at)
        if token is None:
            raise _NotSimple
        tokens.append(token.groups())
        at = token.end()
    tokens.reverse()
    value = _read_value(tokens)
    if tokens:
        raise _NotSimple
    return value


_Tokens: TypeAlias = list[tuple[str | None, ...]]
"""The last is the next: sign, key, quoted key, quoted text, plain."""


def _read_value(tokens: _Tokens) -> Any:
    sign, _, _, quoted, plain = _next(tokens)
    if quoted:
        return _checked_text(quoted[1:-1])
    if plain:
        return _plain(plain.rstrip())
    if sign == "[":
        return list(_read_items(tokens, "]", _read_value))
    if sign == "{":
        return _unique_keys(list(_read_items(tokens, "}", _read_pair)))
    raise _NotSimple


def _read_items(tokens: _Tokens, end: str, take: Callable[[_Tokens], Item]) -> Iterator[Item]:
    while tokens and tokens[-1][0] != end:
        yield take(tokens)
        if not tokens or tokens[-1][0] not in (",", end):
            raise _NotSimple
        if tokens[-1][0] == ",":
            tokens.pop()
    _next(tokens)


def _read_pair(tokens: _Tokens) -> tuple[str, Any]:
    _, key, quoted, *_ = _next(tokens)
    return key or quoted or "", _read_value(tokens)


def _next(tokens: _Tokens) -> tuple[str | None, ...]:
    if not tokens:
        raise _NotSimple
    return tokens.pop()


def _json(written: str) -> Any:
    return json.loads(
        written,
        object_pairs_hook=_unique_keys,
        parse_float=_not_simple,
        parse_int=_not_simple,
        parse_constant=_not_simple,
    )


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = {_checked_key(name): _checked_value(value) for name, value in pairs}
    if len(found) < len(pairs):
        raise _NotSimple
    return found


def _checked_key(name: str) -> str:
    if not re.fullmatch(_KEY, name) or name.lower() in _OTHER_WORDS:
        raise _NotSimple
    return name


def _checked_value(value: Any) -> Any:
    if isinstance(value, list):
        return [_checked_value(one) for one in value]
    return _checked_text(value) if isinstance(value, str) else value


def _not_simple(_: str) -> Any:
    raise _NotSimple


def _plain(text: str) -> Any:
    if text[0].isalpha() and text.lower() not in _OTHER_WORDS:
        return _checked_text(text)
    if str(_tag(text)) not in TEXT_TAGS:
        raise _NotSimple
    return _checked_text(text)


@lru_cache(maxsize=4096)
def _tag(text: str) -> str:
    return str(YAML(typ="safe", pure=True).resolver.resolve(ScalarNode, text, (True, False)))


def _checked_text(text: str) -> str:
    text = text if text.isascii() else unicodedata.normalize("NFC", text)
    if FORBIDDEN.search(text):
        raise _NotSimple
    return text
