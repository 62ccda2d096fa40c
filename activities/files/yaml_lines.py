"""YAML 1.2 (and JSON) as plain values with lines. libyaml, through PyYAML, only divides the text into events: no tag
constructs anything, plain scalars are resolved by the table of YAML 1.2 below, dates stay texts, aliases cost as much
as their targets, so that a small file cannot unfold into a large one.
"""

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, NamedTuple, TextIO, TypeAlias

import yaml
from yaml.events import (
    AliasEvent,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    StreamEndEvent,
)

from activities.errors import HIDDEN, quote, without_quotes
from workflows.model.file_faults import FileFault
from workflows.model.messages import Message

FieldPath: TypeAlias = tuple[str | int, ...]

_TAG: Final = "tag:yaml.org,2002:"
_STR: Final = _TAG + "str"
_TEXT_TAGS: Final = frozenset({_STR, _TAG + "timestamp", _TAG + "merge", _TAG + "value"})
_RESOLVER: Final = (
    ("~nN", "null", r"~|null|Null|NULL"),
    ("<", "merge", r"<<"),
    ("tTfF", "bool", r"true|True|TRUE|false|False|FALSE"),
    ("-+0123456789", "int", r"[-+]?(?:0b[01_]+|0o?[0-7_]+|[0-9_]+|0x[0-9a-fA-F_]+)"),
    (
        "-+0123456789.",
        "float",
        r"[-+]?[0-9][0-9_]*(?:\.[0-9_]*(?:[eE][-+]?[0-9]+)?|[eE][-+]?[0-9]+)"
        r"|[-+]?\.[0-9_]+(?:[eE][-+][0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
    ),
)
"""Plain scalars that are no texts: first characters, tag, pattern; as ruamel.yaml resolves YAML 1.2."""
_PATTERNS: Final = {
    first: [(_TAG + tag, re.compile(pattern)) for firsts, tag, pattern in _RESOLVER if first in firsts]
    for first in "".join(firsts for firsts, *_ in _RESOLVER)
}
_KEYS_THAT_ARE_NONE: Final = {
    _TAG + "merge": FileFault.MERGE_KEY,
    _TAG + "null": FileFault.EMPTY_KEY,
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
_SURROGATE_ESCAPES: Final = re.compile(r"(?:\\u[dD][89a-fA-F][\da-fA-F]{2})+")
_ESCAPES: Final = re.compile(rf"\\\\|({_SURROGATE_ESCAPES.pattern})")
_ENOUGH: Final = 20
"""Forbidden characters reported one by one; a file with more is no text."""


class FieldMark(NamedTuple):
    """A field's line, counted from 1, and the offset of its first character in the text."""

    line: int
    offset: int


@dataclass(frozen=True)
class YamlFlaw:
    """A fault of the text itself, independent of its model."""

    line: int
    path: FieldPath
    message: Message


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
    text = _unescape_json_surrogates(text)
    forbidden = list(_forbidden(text, _ALLOWED_CONTROLS))
    text = _replaced(text, forbidden)
    reader = _Reader(yaml.parse(text, yaml.CBaseLoader), len(text) + 100, first_line - 1)
    value = None
    try:
        value = reader.read_document()
    except _Unreadable as unreadable:
        reader.flaws.append(YamlFlaw(unreadable.line + first_line - 1, (), unreadable.message))
    except yaml.YAMLError as error:
        reader.flaws.append(_syntax_flaw(error, text, first_line))
    except RecursionError:
        reader.flaws.append(YamlFlaw(first_line, (), FileFault.NESTED_TOO_DEEPLY.to_message()))
    flaws = [
        YamlFlaw(text.count("\n", 0, offset) + first_line, reader.path_at(offset), refusal(character))
        for offset, character in forbidden[:_ENOUGH]
    ]
    return Parsed(value, reader.marks, (*flaws, *reader.flaws))


def dump(value: Any, stream: TextIO) -> None:
    """Write plain values as block YAML that `parse` reads as the same; lines are not broken at a width."""
    yaml.dump(value, stream, _Dumper, allow_unicode=True, sort_keys=False, width=float("inf"))


def parsed_values(value: Any) -> "Parsed":
    """What was no YAML, such as JSON of a program or fields of a form, with its texts as those of a file."""
    flaws: list[YamlFlaw] = []

    def text(written: str, path: FieldPath) -> str:
        clean, fault = cleaned(written)
        if fault:
            flaws.append(YamlFlaw(1, path, fault))
        return clean

    def walk(value: Any, path: FieldPath) -> Any:
        if isinstance(value, dict):
            return {text(str(key), (*path, str(key))): walk(item, (*path, str(key))) for key, item in value.items()}
        if isinstance(value, list):
            return [walk(item, (*path, number)) for number, item in enumerate(value)]
        return text(value, path) if isinstance(value, str) else value

    return Parsed(walk(value, ()), {}, tuple(flaws))


def cleaned(text: str) -> tuple[str, Message | None]:
    """The text in NFC, and why it is refused; for texts of every file."""
    text = unicodedata.normalize("NFC", text)
    return text, next((refusal(character) for _, character in _forbidden(text, "\t\n")), None)


def refusal(character: str) -> Message:
    unnamed = "LONE SURROGATE" if unicodedata.category(character) == "Cs" else "CONTROL CHARACTER"
    name = _NAMELESS.get(character) or unicodedata.name(character, unnamed)
    return FileFault.FORBIDDEN_CHARACTER.to_message(what=f"U+{ord(character):04X} {name}")


def _forbidden(text: str, allowed: str) -> Iterator[tuple[int, str]]:
    for match in FORBIDDEN.finditer(text):
        if match.group() not in allowed:
            yield match.start(), match.group()


def _replaced(text: str, forbidden: Iterable[tuple[int, str]]) -> str:
    return text.translate({ord(character): _REPLACEMENT for _, character in forbidden})


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]
    """Puts texts in quotes that are numbers and the like in YAML 1.1 or 1.2."""


for _firsts, _name, _pattern in _RESOLVER:
    _Dumper.add_implicit_resolver(_TAG + _name, re.compile(rf"(?:{_pattern})\Z"), [*_firsts])


class _Unreadable(Exception):
    def __init__(self, message: Message, line: int = 1) -> None:
        super().__init__(message)
        self.message, self.line = message, line


def _syntax_flaw(error: yaml.YAMLError, text: str, first_line: int) -> YamlFlaw:
    if isinstance(error, yaml.MarkedYAMLError):
        line = min(error.problem_mark.line, text.count("\n"))  # an end that is missing is missed a line below
        problem = without_quotes(error.problem)
        if problem == "found character that cannot start any token":
            problem = f"found character '{text[error.problem_mark.index]}' that cannot start any token"
    else:  # a character that libyaml does not read, at a byte
        line, problem = text.encode()[: error.position].count(b"\n"), error.reason
    return YamlFlaw(line + first_line, (), FileFault.NO_YAML.to_message(problem=problem, hint=_yaml_hint(text, line)))


def _yaml_hint(text: str, line: int) -> str:
    """A hint for common mistakes: a sign in a text that means something in YAML."""
    written = next(islice(text.split("\n"), line, None), "")
    if "\t" in written:
        return " (there is a tab on the line: indent with spaces, and put a text with a tab in quotes)"
    if "," in written or ": " in written.partition(":")[2]:
        return " (a text with a comma or a colon in it needs quotes)"
    return ""


@dataclass
class _Reader:
    """Makes a plain value of the events of a text, and collects marks and flaws."""

    events: Iterator[Any]
    budget: int
    before: int
    """Lines of the file before this document."""
    marks: dict[FieldPath, FieldMark] = field(default_factory=dict)
    flaws: list[YamlFlaw] = field(default_factory=list)
    replayed: list[Any] = field(default_factory=list)
    """Events of an alias's target that are still to come, in reverse."""
    log: list[Any] = field(default_factory=list)
    """All events inside of anchors, those of aliases written out."""
    anchors: dict[str, list[int]] = field(default_factory=dict)
    """Where in `log` the target begins and, once it has been read, ends."""
    open_anchors: int = 0

    def path_at(self, offset: int) -> FieldPath:
        """The field of the character at `offset`."""
        paths = (path for path, mark in self.marks.items() if mark.offset <= offset)
        return max(paths, key=lambda path: (self.marks[path].offset, len(path)), default=())

    def read_document(self) -> Any:
        next(self.events)
        if isinstance(next(self.events), StreamEndEvent):
            return None
        root = self._next_node()
        self.marks[()] = self._mark(root)
        value = self._value(root, ())
        next(self.events)
        if not isinstance(event := next(self.events), StreamEndEvent):
            another = FileFault.NO_YAML.to_message(problem="but found another document", hint="")
            raise _Unreadable(another, event.start_mark.line + 1)
        return value

    def _next_node(self) -> Any:
        """The first event of the next node, for an alias that of its target, or the end of the collection."""
        event = self.replayed.pop() if self.replayed else next(self.events)
        while isinstance(event, AliasEvent):
            self.replayed += reversed(self._target(event))
            event = self.replayed.pop()
        if self.open_anchors:
            self.log.append(event)
        return event

    def _target(self, alias: AliasEvent) -> list[Any]:
        match self.anchors.get(alias.anchor):
            case None:
                line = alias.start_mark.line + 1
                undefined = FileFault.NO_YAML.to_message(problem=f"found undefined alias {HIDDEN}", hint="")
                raise _Unreadable(undefined, line)
            case [begin, end]:
                return self.log[begin:end]
        raise _Unreadable(FileFault.UNFOLDS.to_message())

    def _value(self, event: NodeEvent, path: FieldPath) -> Any:
        self.budget -= 1
        if self.budget < 0:
            raise _Unreadable(FileFault.UNFOLDS.to_message())
        if event.anchor:
            return self._anchored_value(event, path)
        if isinstance(event, ScalarEvent):
            return self._scalar(event, path)
        return self._mapping(path) if isinstance(event, MappingStartEvent) else self._sequence(path)

    def _anchored_value(self, event: NodeEvent, path: FieldPath) -> Any:
        if not self.open_anchors:
            self.log.append(event)
        self.anchors[event.anchor] = span = [len(self.log) - 1]
        event.anchor = None  # a replay does not define it again
        self.open_anchors += 1
        value = self._value(event, path)
        self.open_anchors -= 1
        span.append(len(self.log))
        return value

    def _sequence(self, path: FieldPath) -> list[Any]:
        values: list[Any] = []
        while not isinstance(event := self._next_node(), SequenceEndEvent):
            value_path = (*path, len(values))
            self.marks[value_path] = self._mark(event)
            values.append(self._value(event, value_path))
        return values

    def _mapping(self, path: FieldPath) -> dict[str, Any]:
        values: dict[str, Any] = {}
        while not isinstance(key := self._next_node(), MappingEndEvent):
            if key.anchor or not isinstance(key, ScalarEvent):
                self._discard(key)
            if not isinstance(key, ScalarEvent) or not key.value.isprintable():
                self._refuse(key, path, FileFault.NO_KEY.to_message())
            elif (fault := _KEYS_THAT_ARE_NONE.get(_tag(key))) is not None:
                self._refuse(key, path, fault.to_message())
            elif (name := self._text(key, path)) in values:
                first = self.marks[*path, name].line
                self._refuse(key, (*path, name), FileFault.KEY_TWICE.to_message(line=first))
            else:
                value_path = (*path, name)
                self.marks[value_path] = self._mark(key)
                values[name] = self._value(self._next_node(), value_path)
                continue
            self._discard(self._next_node())
        return values

    def _discard(self, event: NodeEvent) -> None:
        """Read a node for its anchors alone."""
        marks, flaws, self.marks, self.flaws = self.marks, self.flaws, {}, []
        self._value(event, ())
        self.marks, self.flaws = marks, flaws

    def _scalar(self, event: ScalarEvent, path: FieldPath) -> Any:
        tag = _tag(event)
        if tag in _TEXT_TAGS:
            return self._text(event, path)
        try:
            return _PLAIN[tag](event.value)
        except KeyError:
            self._refuse(event, path, FileFault.UNKNOWN_TAG.to_message(tag=_readable_tag(tag)))
        except ValueError:
            self._refuse(event, path, FileFault.UNREADABLE_NUMBER.to_message())
        return None

    def _text(self, event: ScalarEvent, path: FieldPath) -> str:
        text: str = event.value
        if text.isascii() and text.isprintable():
            return text
        text = unicodedata.normalize("NFC", text)
        forbidden = list(_forbidden(text, "\t\n"))
        for _, character in forbidden:
            self._refuse(event, path, refusal(character))
        return _replaced(text, forbidden)

    def _refuse(self, event: NodeEvent, path: FieldPath, message: Message) -> None:
        self.flaws.append(YamlFlaw(self._mark(event).line, path, message))

    def _mark(self, event: NodeEvent) -> FieldMark:
        return FieldMark(event.start_mark.line + 1 + self.before, event.start_mark.index)


def _tag(event: ScalarEvent) -> str:
    if not event.implicit[0]:
        return event.tag or _STR
    if not event.value:
        return _TAG + "null"
    candidates = _PATTERNS.get(event.value[0], ())
    return next((tag for tag, pattern in candidates if pattern.fullmatch(event.value)), _STR)


def _readable_tag(tag: str) -> str:
    return f"!!{quote(tag.removeprefix(_TAG))}" if tag.startswith(_TAG) else f"!{HIDDEN}"


def _unescape_json_surrogates(text: str) -> str:
    """JSON escapes characters beyond the first plane as pairs of surrogates, which YAML refuses."""
    if not _SURROGATE_ESCAPES.search(text):
        return text
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return text
    return _ESCAPES.sub(lambda escape: json.loads(f'"{escape[1]}"') if escape[1] else escape[0], text)


def _integer(text: str) -> int:
    plain = text.replace("_", "")
    return int(plain, 0) if re.match(r"[-+]?0[xo]", plain) else int(plain)


def _number(text: str) -> float:
    return float(re.sub(r"^([-+]?)\.(inf|nan)$", r"\1\2", text.replace("_", ""), flags=re.IGNORECASE))


_PLAIN: Final = {
    _TAG + "null": lambda text: None,
    _TAG + "bool": lambda text: {"true": True, "false": False}[text.lower()],
    _TAG + "int": _integer,
    _TAG + "float": _number,
}
