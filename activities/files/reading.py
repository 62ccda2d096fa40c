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

from activities.errors import did_you_mean, quote
from activities.files.yaml_lines import FieldPath, Parsed, parse
from workflows.model.file_faults import FileFault
from workflows.model.messages import Message

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
_FAULTS: Final = {
    "missing": FileFault.MISSING,
    "string_too_long": FileFault.TOO_MANY_CHARACTERS,
    "string_too_short": FileFault.BLANK,
    "too_short": FileFault.TOO_FEW,
    "int_from_float": FileFault.NO_NUMBER,
    "finite_number": FileFault.NO_NUMBER,
    "too_long": FileFault.TOO_MANY_ENTRIES,
    "enum": FileFault.ONE_OF,
    "literal_error": FileFault.ONE_OF,
    "less_than_equal": FileFault.AT_MOST,
    "greater_than_equal": FileFault.AT_LEAST,
}
"""By pydantic's kind of error."""
_VALUES: Final = {"max_length": "most", "le": "most", "min_length": "least", "ge": "least", "expected": "expected"}
"""Our names of pydantic's values."""
_REST_OF_TEXT: Final = " (if it is the rest of a text with a comma in it, put that in quotes)"
SUGGESTED_AT_MOST: Final = 10
"""Unknown keys for which the nearest known one is searched."""
_ENUM_MEMBER: Final = re.compile(r"<[\w.]+: ('[^']*')>")
MAX_FILE_BYTES: Final = 1024 * 1024
DOCUMENTS_AT_MOST: Final = 1_000
TOLD_AT_MOST: Final = 100
"""Faults listed one by one."""
STDIN: Final = "-"
_DIVIDER: Final = re.compile(r"^(?=---(?:\s|$))", re.MULTILINE)
_NO_DOCUMENT: Final = re.compile(r"^(?:#.*|%.*|---(?=\s|$)|\.\.\.(?=\s|$))", re.MULTILINE)
ModelT = TypeVar("ModelT", bound=BaseModel)


def messages_of(error: ValidationError, model: type[BaseModel]) -> dict[FieldPath, Message]:
    """A message per faulty field, in the order of validation."""
    message_by_path: dict[FieldPath, Message] = {}
    details = error.errors(include_url=False)
    unknown_count = 0
    for detail in details:
        path = tuple(step for step in detail["loc"] if step != "[key]")
        unknown_count += detail["type"] == "extra_forbidden"
        if unknown_count > SUGGESTED_AT_MOST and detail["type"] == "extra_forbidden":
            message_by_path.setdefault(path, FileFault.UNKNOWN_FIELD.to_message(hint=""))
        elif not _too_short_for_faulty_items(detail, details):
            message_by_path.setdefault(path, _message(detail, path, model))
    return message_by_path


def written_path(path: FieldPath) -> str:
    """`signers[1].order`, as people write it; a step that is no short word may be personal and is not repeated."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{quote(step)}" for step in path).removeprefix(".")


class FileModel(BaseModel):
    """Part of a file that people write: frozen, and an unknown key is a fault."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
    INSTEAD: ClassVar[Mapping[str, FileFault]] = {}
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


@dataclass(frozen=True)
class Fault:
    file: str
    line: int | None
    path: str
    message: Message

    @property
    def says(self) -> str:
        """The message in English."""
        return self.message.english

    def __str__(self) -> str:
        return ": ".join(part for part in (self.place, self.path, self.says) if part)

    @property
    def place(self) -> str:
        return self.file if self.line is None else f"{self.file}:{self.line}"


class FileFaults(Exception):
    """All faults of one file; the text has one per line."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(sorted(faults, key=lambda fault: (fault.file, fault.line or 0)))
        lines = list(map(str, self.faults[:TOLD_AT_MOST]))
        unlisted_count = len(self.faults) - len(lines)
        super().__init__("\n".join([*lines, *([f"and {unlisted_count:,} more"] if unlisted_count else [])]))

    def __add__(self, further_faults: "FileFaults") -> "FileFaults":
        return FileFaults((*self.faults, *further_faults.faults))

    @property
    def in_short(self) -> str:
        """The first fault, and how many more there are, in one line."""
        return self.first.english

    @property
    def first(self) -> Message:
        """The same as a message about the file that names this one."""
        fault = self.faults[0]
        return fault.message.of_column(fault.path).of_table(fault.place, len(self.faults) - 1)


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
        return cls.from_bytes(Path(path), bytes_of(Path(path), at_most=MAX_FILE_BYTES))

    @classmethod
    def from_bytes(cls, path: Path, content: bytes, *, at_most: int = MAX_FILE_BYTES) -> Self:
        """A file from bytes already read; `FileFaults` if more than `at_most`."""
        return cls._decode(str(path), path.parent, content, at_most)

    @classmethod
    def _decode(cls, name: str, folder: Path, content: bytes, at_most: int = MAX_FILE_BYTES) -> Self:
        if len(content) > at_most:
            raise _unreadable(name, FileFault.FILE_TOO_LARGE.to_message(megabytes=at_most // MAX_FILE_BYTES))
        try:
            return cls(name, folder, content.decode("utf-8-sig"))
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            raise _unreadable(name, FileFault.NOT_UTF_8.to_message(), line) from error

    def parse(self) -> "PlainFile":
        """Parse YAML or JSON; faults are reported at validation, together with all others."""
        return PlainFile(self.name, self.folder, parse(self.text, self.first_line))

    def documents(self) -> Iterator["FileText"]:
        """The documents divided by `---`, at least one, with their line numbers. `FileFaults` for more than
        `DOCUMENTS_AT_MOST`.
        """
        parts = _DIVIDER.split(self.text)
        if len(parts) > DOCUMENTS_AT_MOST + 1:
            raise _unreadable(self.name, FileFault.TOO_MANY_DOCUMENTS.to_message(most=DOCUMENTS_AT_MOST))
        line, has_document = self.first_line, False
        for number, part in enumerate(parts):
            if _NO_DOCUMENT.sub("", part).strip() or (number == len(parts) - 1 and not has_document):
                has_document = True
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
        flaws = {(flaw.path, flaw.message): flaw.line for flaw in self.parsed.flaws}
        faults = [Fault(self.name, line, written_path(path), message) for (path, message), line in flaws.items()]
        try:
            value = model.model_validate(self.plain, context=context)
        except ValidationError as error:
            if not faults or self.plain is not None:
                faults += self.faults(messages_of(error, model).items()).faults
            raise FileFaults(faults) from None
        if faults:
            raise FileFaults(faults)
        return value

    def faults(self, messages: Iterable[tuple[FieldPath, Message]]) -> FileFaults:
        return FileFaults(
            Fault(self.name, self.parsed.line(path), written_path(path), message) for path, message in messages
        )


def bytes_of(path: Path, *, at_most: int) -> bytes:
    """A file's bytes, at most one more than `at_most`; `FileFaults` if unreadable."""
    try:
        with path.open("rb") as stream:
            return stream.read(at_most + 1)
    except OSError as error:
        raise _unreadable(str(path), FileFault.UNREADABLE.to_message(why=error.strerror or error)) from error


def _too_short_for_faulty_items(detail: ErrorDetails, details: list[ErrorDetails]) -> bool:
    """pydantic counts only valid items: a list of faulty items is not empty."""
    list_path = detail["loc"]
    return detail["type"] == "too_short" and any(
        len(neighbour["loc"]) > len(list_path) and neighbour["loc"][: len(list_path)] == list_path
        for neighbour in details
    )


def _message(detail: ErrorDetails, path: FieldPath, model: type[BaseModel]) -> Message:
    kind, written, context = detail["type"], detail["input"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        if len(path) == 1 and issubclass(model, FileModel) and (instead := model.INSTEAD.get(str(path[0]))):
            return instead.to_message()
        quotes_hint = _REST_OF_TEXT if written is None else ""
        return FileFault.UNKNOWN_FIELD.to_message(hint=f"{_close_key(path, model)}{quotes_hint}")
    if kind in _EXPECTED:
        quotable = _EXPECTED[kind] == _TEXT and isinstance(written, bool | int | float)
        hint = " (put it in quotes)" if quotable else ""
        return FileFault.OTHER_TYPE.to_message(expected=_EXPECTED[kind], given=_kind_of(written), hint=hint)
    if kind in _FAULTS:
        values = {_VALUES[name]: value for name, value in context.items() if name in _VALUES}
        if "expected" in values:
            values["expected"] = _ENUM_MEMBER.sub(r"\1", values["expected"])
        if _FAULTS[kind] is FileFault.TOO_MANY_CHARACTERS:
            values["size"] = _size(written)
        return _FAULTS[kind].to_message(**values)
    reason = error.args[0] if kind == "value_error" and (error := context["error"]).args else detail["msg"]
    return reason if isinstance(reason, Message) else FileFault.INVALID.to_message(says=_small(str(reason)))


def _small(text: str) -> str:
    return text[:1].lower() + text[1:]


def _size(written: object) -> int:
    return len(written) if isinstance(written, Sized) else 0


def _kind_of(written: object) -> str:
    match written:
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


def _close_key(path: FieldPath, model: type[BaseModel]) -> str:
    holder = _model_at(model, path[:-1])
    if holder is None:
        return ""
    keys = [field.alias or name for name, field in holder.model_fields.items()]
    return did_you_mean(str(path[-1]), keys) or f", known are {', '.join(keys)}"


def _model_at(model: type[BaseModel], path: FieldPath) -> type[BaseModel] | None:
    """The model of the map at `path`."""
    holder: type[BaseModel] | None = model
    for step in path:
        if isinstance(step, int) or holder is None:
            continue
        field = next((field for name, field in holder.model_fields.items() if step in (name, field.alias)), None)
        # A step that is no field is a key in a map of models: the model stays.
        holder = _model_in(field.annotation) if field else holder
    return holder


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (Union, UnionType, list, tuple, dict):
        return next((nested_model for part in get_args(annotation) if (nested_model := _model_in(part))), None)
    return None


def _of_one_type(annotation: Any) -> Any:
    """The one type of a field besides None, without what bounds it; None of several."""
    types = [part for part in get_args(annotation) if part is not NoneType] if _is_union(annotation) else [annotation]
    return None if len(types) != 1 else get_args(types[0])[0] if get_origin(types[0]) is Annotated else types[0]


def _is_union(annotation: Any) -> bool:
    return get_origin(annotation) in (Union, UnionType)


def _unreadable(name: str, message: Message, line: int | None = None) -> FileFaults:
    return FileFaults((Fault(name, line, "", message),))
