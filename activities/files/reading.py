"""Reads files that people write: text → values with lines → a validated model, or all faults at once: `file:line:
path.to[1].field: what is wrong, what would be right`, without names, addresses or tokens. Validators get directory and
catalogue as pydantic context.
"""

import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sized
from dataclasses import dataclass, replace
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, ClassVar, Final, Self, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator
from pydantic_core import ErrorDetails, PydanticKnownError

from activities.errors import did_you_mean, word
from activities.files.yaml_lines import FieldPath, Parsed, parse

_TEXT: Final = "a text"
_EXPECTED: Final = {
    "string_type": _TEXT,
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a map of names",
    "model_type": "a map of fields",
    "model_attributes_type": "a map of fields",
}
_SENTENCES: Final = {
    "missing": "is missing",
    "value_error": "{error}",
    "string_too_long": "is {size:,} characters long, at most {max_length:,} are allowed",
    "string_too_short": "is empty",
    "too_short": "needs at least {min_length}",
    "int_from_float": "must be a whole number, not one with a fraction",
    "finite_number": "must be a whole number",
    "too_long": "has more than {max_length:,} entries",
    "enum": "must be one of {expected}",
    "literal_error": "must be one of {expected}",
    "less_than_equal": "must be at most {le}",
    "greater_than_equal": "must be at least {ge}",
}
SUGGESTED_AT_MOST: Final = 10
"""Unknown keys for which the nearest known one is searched."""
_ENUM_MEMBER: Final = re.compile(r"<[\w.]+: ('[^']*')>")


def in_words(error: ValidationError, model: type[BaseModel]) -> dict[FieldPath, str]:
    """A sentence per faulty field, in the order of validation."""
    found: dict[FieldPath, str] = {}
    details = error.errors(include_url=False)
    unknown_count = 0
    for detail in details:
        path = tuple(step for step in detail["loc"] if step != "[key]")
        unknown_count += detail["type"] == "extra_forbidden"
        if unknown_count > SUGGESTED_AT_MOST and detail["type"] == "extra_forbidden":
            found.setdefault(path, "unknown")
        elif not _too_short_for_faulty_items(detail, details):
            found.setdefault(path, _sentence(detail, path, model))
    return found


def written_path(path: FieldPath) -> str:
    """`signers[1].order`, as people write it; a step that is no short word may be personal and is not repeated."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{word(step)}" for step in path).removeprefix(".")


def _too_short_for_faulty_items(detail: ErrorDetails, details: list[ErrorDetails]) -> bool:
    """pydantic counts only valid items: a list of faulty items is not empty."""
    at = detail["loc"]
    return detail["type"] == "too_short" and any(
        len(other["loc"]) > len(at) and other["loc"][: len(at)] == at for other in details
    )


def _sentence(detail: ErrorDetails, path: FieldPath, model: type[BaseModel]) -> str:
    kind, given = detail["type"], detail["input"]
    if kind == "extra_forbidden":
        if len(path) == 1 and issubclass(model, FileModel) and (instead := model.INSTEAD.get(str(path[0]))):
            return instead
        cut_off = " (if it is the rest of a text with a comma in it, put that in quotes)" if given is None else ""
        return f"unknown{_close_key(path, model)}{cut_off}"
    if kind in _EXPECTED:
        return f"must be {_EXPECTED[kind]}, not {_kind_of(given)}{_quotes_help(_EXPECTED[kind], given)}"
    if kind in _SENTENCES:
        told = _SENTENCES[kind].format(**{"size": _size(given), **detail.get("ctx", {})})
        return _ENUM_MEMBER.sub(r"\1", told)
    return detail["msg"][:1].lower() + detail["msg"][1:]


def _size(given: object) -> int:
    return len(given) if isinstance(given, Sized) else 0


def _kind_of(given: object) -> str:
    match given:
        case None:
            return "empty"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "a text"
        case Mapping():
            return "a map"
        case _:
            return "a list"


def _quotes_help(expected: str, given: object) -> str:
    return " (put it in quotes)" if expected == _TEXT and isinstance(given, bool | int | float) else ""


def _close_key(path: FieldPath, model: type[BaseModel]) -> str:
    holder = _model_at(model, path[:-1])
    if holder is None:
        return ""
    known = [field.alias or name for name, field in holder.model_fields.items()]
    return did_you_mean(str(path[-1]), known) or f", known are {', '.join(known)}"


def _model_at(model: type[BaseModel], path: FieldPath) -> type[BaseModel] | None:
    """The model of the map at `path`."""
    here: type[BaseModel] | None = model
    for step in path:
        if isinstance(step, int) or here is None:
            continue
        field = next((field for name, field in here.model_fields.items() if step in (name, field.alias)), None)
        # A step that is no field is a key in a map of models: the model stays.
        here = _model_in(field.annotation) if field else here
    return here


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (Union, UnionType, list, tuple, dict):
        return next((found for part in get_args(annotation) if (found := _model_in(part))), None)
    return None


MAX_FILE_BYTES: Final = 1024 * 1024
DOCUMENTS_AT_MOST: Final = 1_000
TOLD_AT_MOST: Final = 100
"""Faults listed one by one."""
STDIN: Final = "-"
_DIVIDER: Final = re.compile(r"^(?=---(?:\s|$))", re.MULTILINE)
_NO_DOCUMENT: Final = re.compile(r"^(?:#.*|%.*|---(?=\s|$)|\.\.\.(?=\s|$))", re.MULTILINE)


class FileModel(BaseModel):
    """Part of a file that people write: frozen, and an unknown key is a fault."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
    INSTEAD: ClassVar[Mapping[str, str]] = {}
    """Keys of other files that this one has not, and what it has in their place."""

    @field_validator("*", mode="before")
    @classmethod
    def _is_number_or_flag(cls, value: object, info: ValidationInfo) -> object:
        """Pydantic alone takes 0 and 1 for false and true, and the other way round."""
        if isinstance(value, bool | int | float):
            expected = _of_one_type(cls.model_fields[str(info.field_name)].annotation)
            if isinstance(value, bool) is not (expected is bool) and expected in (bool, int):
                raise PydanticKnownError("bool_type" if expected is bool else "int_type")
        return value


def _of_one_type(annotation: Any) -> Any:
    """The one type of a field besides None, without what bounds it; None of several."""
    types = [one for one in get_args(annotation) if one is not NoneType] if _is_union(annotation) else [annotation]
    return None if len(types) != 1 else get_args(types[0])[0] if get_origin(types[0]) is Annotated else types[0]


def _is_union(annotation: Any) -> bool:
    return get_origin(annotation) in (Union, UnionType)


ModelT = TypeVar("ModelT", bound=BaseModel)


@dataclass(frozen=True)
class Fault:
    file: str
    line: int | None
    path: str
    says: str

    def __str__(self) -> str:
        where = self.file if self.line is None else f"{self.file}:{self.line}"
        return ": ".join(part for part in (where, self.path, self.says) if part)


class FileFaults(Exception):
    """All faults of one file; the text has one per line."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(sorted(faults, key=lambda fault: (fault.file, fault.line or 0)))
        told = list(map(str, self.faults[:TOLD_AT_MOST]))
        more = len(self.faults) - len(told)
        super().__init__("\n".join([*told, *([f"and {more:,} more"] if more else [])]))

    def __add__(self, other: "FileFaults") -> "FileFaults":
        return FileFaults((*self.faults, *other.faults))

    @property
    def in_short(self) -> str:
        """The first fault, and how many more there are, in one line."""
        more = f" (and {len(self.faults) - 1} more)" if len(self.faults) > 1 else ""
        return f"{self.faults[0]}{more}"


@dataclass(frozen=True)
class FileText:
    """A file's text, its name in messages, and the folder of relative paths."""

    name: str
    folder: Path
    text: str
    first_line: int = 1

    @classmethod
    def read(cls, path: Path | str) -> Self:
        """Read a file, or standard input for `-`; `FileFaults` unless it is at most 1 MiB of UTF-8."""
        if str(path) == STDIN:
            return cls._decode("stdin", Path.cwd(), sys.stdin.buffer.read(MAX_FILE_BYTES + 1))
        return cls.of(Path(path), bytes_of(Path(path), at_most=MAX_FILE_BYTES))

    @classmethod
    def of(cls, path: Path, content: bytes, *, at_most: int = MAX_FILE_BYTES) -> Self:
        """A file from bytes already read; `FileFaults` if more than `at_most`."""
        return cls._decode(str(path), path.parent, content, at_most)

    @classmethod
    def _decode(cls, name: str, folder: Path, content: bytes, at_most: int = MAX_FILE_BYTES) -> Self:
        if len(content) > at_most:
            raise _unreadable(name, f"is larger than {at_most // MAX_FILE_BYTES} MiB")
        try:
            return cls(name, folder, content.decode("utf-8-sig"))
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            raise _unreadable(name, "is not UTF-8 text", line) from error

    def parse(self) -> "PlainFile":
        """Parse YAML or JSON; faults are reported at validation, together with all others."""
        return PlainFile(self.name, self.folder, parse(self.text, self.first_line))

    def documents(self) -> Iterator["FileText"]:
        """The documents divided by `---`, at least one, with their line numbers. `FileFaults` for more than
        `DOCUMENTS_AT_MOST`.
        """
        parts = _DIVIDER.split(self.text)
        if len(parts) > DOCUMENTS_AT_MOST + 1:
            raise _unreadable(self.name, f"has more than {DOCUMENTS_AT_MOST:,} documents: divide it")
        line, found = self.first_line, False
        for number, part in enumerate(parts):
            if _NO_DOCUMENT.sub("", part).strip() or (number == len(parts) - 1 and not found):
                found = True
                yield replace(self, text=part, first_line=line)
            line += part.count("\n")


@dataclass(frozen=True)
class PlainFile:
    name: str
    folder: Path
    parsed: Parsed

    @property
    def plain(self) -> Any:
        return self.parsed.value

    def saying(self, value: Any) -> Self:
        return replace(self, parsed=replace(self.parsed, value=value))

    def validate(self, model: type[ModelT], context: object = None) -> ModelT:
        """The file as its model; `FileFaults` with all faults."""
        flaws = {(flaw.path, flaw.says): flaw.line for flaw in self.parsed.flaws}
        faults = [Fault(self.name, line, written_path(path), says) for (path, says), line in flaws.items()]
        try:
            value = model.model_validate(self.plain, context=context)
        except ValidationError as error:
            if not faults or self.plain is not None:
                faults += self.faults(in_words(error, model).items()).faults
            raise FileFaults(faults) from None
        if faults:
            raise FileFaults(faults)
        return value

    def faults(self, found: Iterable[tuple[FieldPath, str]]) -> FileFaults:
        return FileFaults(Fault(self.name, self.parsed.line(path), written_path(path), says) for path, says in found)


def bytes_of(path: Path, *, at_most: int) -> bytes:
    """A file's bytes, at most one more than `at_most`; `FileFaults` if unreadable."""
    try:
        with path.open("rb") as stream:
            return stream.read(at_most + 1)
    except OSError as error:
        raise _unreadable(str(path), f"cannot be read: {error.strerror or error}") from error


def _unreadable(name: str, says: str, line: int | None = None) -> FileFaults:
    return FileFaults((Fault(name, line, "", says),))
