"""YAML 1.2 (and JSON) as plain values with lines. ruamel.yaml only builds the node graph: no tag constructs anything,
dates stay texts, aliases cost as much as their targets, so that a small file cannot unfold into a large one.
`quickly` reads files with many entries of one simple form, without lines.
"""

import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from typing import Any, Final, TypeAlias, TypeVar

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from activities.errors import HIDDEN, without_quotes, word

FieldPath: TypeAlias = tuple[str | int, ...]

_TAG: Final = "tag:yaml.org,2002:"
TEXT_TAGS: Final = frozenset({_TAG + "str", _TAG + "timestamp", _TAG + "merge", _TAG + "value"})
_KEYS_THAT_ARE_NONE: Final = {
    _TAG + "merge": "has the key <<, which takes over another map and is not supported; write its fields out",
    _TAG + "null": "has an empty key (~)",
}
_ALLOWED_CONTROLS: Final = "\t\n\r"
_CONTROLS: Final = r"\x00-\x1f\x7f-\x9f"
_SURROGATES: Final = r"\ud800-\udfff"
_LINES: Final = r"\u2028\u2029"
"""Unicode line and paragraph separators, which some editors show as line ends."""
_OVERRIDES: Final = r"\u202a-\u202e\u2066-\u2069"
"""Characters that change the text direction."""
FORBIDDEN: Final = re.compile(f"[{_CONTROLS}{_SURROGATES}{_LINES}{_OVERRIDES}]")
_NAMELESS: Final = {
    "\0": "NULL",
    "\a": "BELL",
    "\b": "BACKSPACE",
    "\v": "LINE TABULATION",
    "\f": "FORM FEED",
    "\r": "CARRIAGE RETURN",
    "\x1b": "ESCAPE",
    "\x7f": "DELETE",
}
_REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"
_ENOUGH: Final = 20
"""Forbidden characters reported one by one; a file with more is no text."""


@dataclass(frozen=True)
class FieldMark:
    """A field's line, counted from 1, and the index of its first character."""

    line: int
    index: int


@dataclass(frozen=True)
class YamlFlaw:
    """A fault of the text itself, independent of its model."""

    line: int
    path: FieldPath
    says: str


@dataclass(frozen=True)
class Parsed:
    """The plain value, the mark of every field, and flaws of the text."""

    value: Any
    marks: dict[FieldPath, FieldMark]
    flaws: tuple[YamlFlaw, ...]

    def line(self, path: FieldPath) -> int:
        """The line of a field, or of its nearest existing parent."""
        while path and path not in self.marks:
            path = path[:-1]
        return self.marks[path].line if path in self.marks else 1


def parse(text: str, first_line: int = 1) -> Parsed:
    """Parse one document whose first line is `first_line`; never raises: with `flaws` the value may be incomplete."""
    forbidden = list(_forbidden(text, _ALLOWED_CONTROLS))
    text = _replaced(text, forbidden)
    walk = _Walk(budget=len(text) + 100, before=first_line - 1)
    value = None
    try:
        value = walk.value(_compose(text), ())
    except _Unreadable as unreadable:
        walk.flaws.append(YamlFlaw(unreadable.line + walk.before, (), str(unreadable)))
    except RecursionError:
        walk.flaws.append(YamlFlaw(first_line, (), "is nested too deeply"))
    flaws = [
        YamlFlaw(text.count("\n", 0, at) + first_line, walk.path_at(at), refusal(what))
        for at, what in forbidden[:_ENOUGH]
    ]
    return Parsed(value, walk.marks, (*flaws, *walk.flaws))


def parsed_values(value: Any) -> "Parsed":
    """What was no YAML, such as JSON of a program or fields of a form, with its texts as those of a file."""
    flaws: list[YamlFlaw] = []

    def text(written: str, path: FieldPath) -> str:
        clean, why = cleaned(written)
        if why:
            flaws.append(YamlFlaw(1, path, why))
        return clean

    def walk(value: Any, path: FieldPath) -> Any:
        if isinstance(value, dict):
            return {text(str(key), (*path, str(key))): walk(item, (*path, str(key))) for key, item in value.items()}
        if isinstance(value, list):
            return [walk(item, (*path, number)) for number, item in enumerate(value)]
        return text(value, path) if isinstance(value, str) else value

    return Parsed(walk(value, ()), {}, tuple(flaws))


def cleaned(text: str) -> tuple[str, str]:
    """The text in NFC, and why it is refused, else empty; for texts of every file."""
    text = unicodedata.normalize("NFC", text)
    return text, next((refusal(character) for _, character in _forbidden(text, "\t\n")), "")


def refusal(character: str) -> str:
    unnamed = "LONE SURROGATE" if unicodedata.category(character) == "Cs" else "CONTROL CHARACTER"
    name = _NAMELESS.get(character) or unicodedata.name(character, unnamed)
    return f"contains U+{ord(character):04X} {name}, which is not allowed"


def _forbidden(text: str, allowed: str) -> Iterator[tuple[int, str]]:
    for found in FORBIDDEN.finditer(text):
        if found.group() not in allowed:
            yield found.start(), found.group()


def _replaced(text: str, forbidden: Iterable[tuple[int, str]]) -> str:
    return text.translate({ord(character): _REPLACEMENT for _, character in forbidden})


class _Unreadable(Exception):
    def __init__(self, says: str, line: int = 1) -> None:
        super().__init__(says)
        self.line = line


def _compose(text: str) -> Node | None:
    try:
        return YAML(typ="safe", pure=True).compose(text)  # type: ignore[no-any-return]
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        says = without_quotes(error.problem or error.context or "")
        raise _Unreadable(f"is not valid YAML: {says}{_hint(text, line)}", line) from error


def _hint(text: str, line: int) -> str:
    """A hint for common mistakes: a sign in a text that means something in YAML."""
    written = next(islice(text.split("\n"), line - 1, None), "")
    if "\t" in written:
        return " (there is a tab on the line: indent with spaces, and put a text with a tab in quotes)"
    if "," in written or ": " in written.partition(":")[2]:
        return " (a text with a comma or a colon in it needs quotes)"
    return ""


@dataclass
class _Walk:
    """A walk over the node graph that collects marks and flaws."""

    budget: int
    before: int = 0
    """Lines of the file before this document."""
    marks: dict[FieldPath, FieldMark] = field(default_factory=dict)
    flaws: list[YamlFlaw] = field(default_factory=list)

    def path_at(self, index: int) -> FieldPath:
        """The field of the character at `index`."""
        before = (path for path, mark in self.marks.items() if mark.index <= index)
        return max(before, key=lambda path: (self.marks[path].index, len(path)), default=())

    def value(self, node: Node | None, path: FieldPath) -> Any:
        self.budget -= 1
        if self.budget < 0:
            raise _Unreadable("unfolds through its aliases into far more than was written; write the parts out")
        if node is None:
            return None
        self.marks.setdefault(path, self._mark(node))
        if isinstance(node, MappingNode):
            return self._mapping(node, path)
        if isinstance(node, SequenceNode):
            return [self.value(item, (*path, position)) for position, item in enumerate(node.value)]
        return self._scalar(node, path) if isinstance(node, ScalarNode) else None

    def _mapping(self, node: MappingNode, path: FieldPath) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, item in node.value:
            if not isinstance(key, ScalarNode) or not str(key.value).isprintable():
                self._refuse(key, path, "has a key that is not a word")
            elif (why := _KEYS_THAT_ARE_NONE.get(str(key.tag))) is not None:
                self._refuse(key, path, why)
            elif (name := self._text(key, path)) in found:
                first = self.marks[*path, name].line
                self._refuse(key, (*path, name), f"is given twice, first on line {first}")
            else:
                self.marks[*path, name] = self._mark(key)
                found[name] = self.value(item, (*path, name))
        return found

    def _scalar(self, node: ScalarNode, path: FieldPath) -> Any:
        tag = str(node.tag)
        if tag in TEXT_TAGS:
            return self._text(node, path)
        try:
            return _PLAIN[tag](str(node.value))
        except KeyError:
            self._refuse(node, path, f"has the tag {_readable_tag(tag)}, which is not supported")
        except ValueError:
            self._refuse(node, path, "is not a number that can be read")
        return None

    def _text(self, node: ScalarNode, path: FieldPath) -> str:
        text = unicodedata.normalize("NFC", _join_surrogates(str(node.value)))
        forbidden = list(_forbidden(text, "\t\n"))
        for _, character in forbidden:
            self._refuse(node, path, refusal(character))
        return _replaced(text, forbidden)

    def _refuse(self, node: Node, path: FieldPath, says: str) -> None:
        self.flaws.append(YamlFlaw(self._mark(node).line, path, says))

    def _mark(self, node: Node) -> FieldMark:
        return FieldMark(node.start_mark.line + 1 + self.before, node.start_mark.index)


def _readable_tag(tag: str) -> str:
    return f"!!{word(tag.removeprefix(_TAG))}" if tag.startswith(_TAG) else f"!{HIDDEN}"


def _join_surrogates(text: str) -> str:
    """Joins surrogate pairs, by which JSON escapes characters beyond the first plane."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


def _integer(text: str) -> int:
    plain = text.replace("_", "")
    return int(plain, 0) if re.match(r"[-+]?0[xo]", plain) else int(plain)


def _number(text: str) -> float:
    return float(re.sub(r"^([-+]?)\.(inf|nan)$", r"\1\2", text.replace("_", ""), flags=re.IGNORECASE))


_PLAIN: Final = {
    _TAG + "null": lambda text: None,
    _TAG + "bool": lambda text: text.lower() == "true",
    _TAG + "int": _integer,
    _TAG + "float": _number,
}


Item = TypeVar("Item")

_KEY: Final = r"[A-Za-z_][A-Za-z0-9_]*"
_PLAIN_SCALAR: Final = r"[\w+.](?:[^:#\[\]{},]|:(?=[^\s\[\]{},]))*"
"""Plain scalars without comments or ambiguous signs."""
_QUOTED: Final = r"\"[^\"\\]*\"|'[^']*'"
_FIELD: Final = re.compile(rf"({_KEY}): +(?:({_QUOTED})|([\[{{].*)|({_PLAIN_SCALAR})) *")
_TOKEN: Final = re.compile(rf" *(?:([\[\]{{}},])|(?:({_KEY}): +|\"({_KEY})\": *)|({_QUOTED})|({_PLAIN_SCALAR}))")
_ENTRY: Final = re.compile(r"( *)- +(?=\S)")
_OTHER_WORDS: Final = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
"""Plain scalars that may not be texts in some YAML version."""


class _NotSimple(Exception):
    """Must be read by `parse`."""


def quickly(text: str, key: str) -> Any:
    """A map with `key` alone, whose value is a list of maps; None if `parse` has to read it."""
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
