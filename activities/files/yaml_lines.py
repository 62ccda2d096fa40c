"""YAML 1.2 (and JSON) as plain values with lines. ruamel.yaml only builds the node graph: no tag constructs anything,
dates stay texts, aliases cost as much as their targets, so that a small file cannot unfold into a large one.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, TypeAlias

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
