"""Turns a source's JSON into an onboarding file by its mapping file.

The JSON gives texts, people and dates; everything else is in the mapping, which is refused if it takes other values.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple, Self

from pydantic import AfterValidator, Field, model_validator

from activities.errors import did_you_mean
from activities.files.fields import Name, filled, places
from activities.files.reading import FileModel, FileText, PlainFile
from activities.files.yaml_lines import FieldPath, cleaned
from activities.onboarding.file import ID_AT_MOST
from activities.policies.onboarding_template import TemplatePosition, may_be_given
from starter.config.values import SOURCE, HeaderName
from starter.web.http.bodies import NumberText
from workflows.model.file_faults import FileFault
from workflows.model.messages import Message

DEAL: Final = "deal"
"""The place of the deal's id; no other path may fill it."""
TAKEN_AT_MOST: Final = 100
"""Of one mapping."""
VALUE_AT_MOST: Final = 4_000
"""Characters; the longest text of a file."""
DEAL_AT_MOST: Final = 200
"""Characters."""
_PATH_AT_MOST: Final = 500
_PATH: Final = re.compile(r"(?:[^.\[\]\s]+|\[[0-9]{1,4}\])(?:\.[^.\[\]\s]+|\[[0-9]{1,4}\])*")
_STEP: Final = re.compile(r"\[([0-9]+)\]|([^.\[\]]+)")
_PLAIN_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


def _is_path(text: str) -> str:
    if len(text) > _PATH_AT_MOST or not _PATH.fullmatch(text):
        raise ValueError("is not a path like deal.id or contacts[0].email")
    return text


JsonPath = Annotated[str, AfterValidator(_is_path)]


class TakenEntry(FileModel):
    """A path and its default; without one the value may be missing."""

    at: JsonPath
    default: str = ""

    @model_validator(mode="before")
    @classmethod
    def _path_alone(cls, entry: Any) -> Any:
        return {"at": entry} if isinstance(entry, str) else entry


def _is_value(value: object) -> object:
    if not isinstance(value, str | int):
        raise ValueError("must be a text, a whole number, true or false")
    return value


class MappingFile(FileModel):
    """`onboarding` is an onboarding file with `{places}`."""

    signature: HeaderName | None = None
    when: dict[JsonPath, Annotated[Any, AfterValidator(_is_value)]] = Field(default={}, max_length=TAKEN_AT_MOST)
    deal: JsonPath
    take: dict[Name, TakenEntry] = Field(default={}, max_length=TAKEN_AT_MOST)
    onboarding: dict[str, Any]


class MappingFailed(Exception):
    """The JSON has no deal id or a wrong shape; names the path, never a value."""


class MappedOnboarding(NamedTuple):
    """An unchecked onboarding file, with its id and the deal's."""

    file: PlainFile
    id: str
    deal: str


@dataclass(frozen=True)
class SourceMapping:
    source: str
    says: MappingFile
    file: PlainFile

    @classmethod
    def read(cls, folder: Path, source: str) -> Self:
        """Raises `FileFaults`."""
        plain = FileText.read(folder / f"{source}.yaml").parse()
        if not SOURCE.fullmatch(source):
            # With a `-` two sources could make one id.
            raise plain.faults([((), FileFault.NO_SOURCE.to_message())])
        mapping_file = plain.validate(MappingFile)
        if wrong := list(_wrong_places(mapping_file)):
            raise plain.faults((("onboarding", *path), fault) for path, fault in wrong)
        return cls(source, mapping_file, plain)

    def file_of(self, event: Any) -> MappedOnboarding | None:
        """The onboarding file, None when `when` skips the event; raises `MappingFailed`."""
        if not self._is_meant(event):
            return None
        deal = _value(event, self.says.deal, DEAL_AT_MOST)
        if not deal:
            raise MappingFailed(f"{self.says.deal} is missing: it is the id of the deal")
        values = {name: _value(event, entry.at) or entry.default for name, entry in self.says.take.items()}
        content = filled(self.says.onboarding, {DEAL: deal, **values})
        id = onboarding_id(self.source, deal)
        return MappedOnboarding(
            TemplatePosition(self.file, ("onboarding",)).holding({"id": id, **(content or {})}), id, deal
        )

    def _is_meant(self, event: Any) -> bool:
        try:
            return all(_text_at(event, path) == _written(value) for path, value in self.says.when.items())
        except MappingFailed:
            return False  # An event of another shape is another event.


def onboarding_id(source: str, deal: str) -> str:
    """The deal's id where it is a valid id, else its hash."""
    plain = f"{source}-{deal}"
    if _PLAIN_ID.fullmatch(deal) and len(plain) <= ID_AT_MOST:
        return plain
    return f"{source}-_{hashlib.sha256(deal.encode()).hexdigest()[:24]}"


def _wrong_places(mapping_file: MappingFile) -> Iterator[tuple[FieldPath, Message]]:
    if "id" in mapping_file.onboarding:
        yield ("id",), FileFault.ID_FROM_DEAL.to_message()
    available = (DEAL, *mapping_file.take)
    for path, name in places(mapping_file.onboarding):
        if not may_be_given(path):
            yield path, FileFault.NOT_FROM_JSON.to_message()
        elif name not in available:
            yield path, FileFault.NOT_TAKEN.to_message(name=name, hint=did_you_mean(name, available))


def _value(event: Any, path: str, at_most: int = VALUE_AT_MOST) -> str:
    text, refused = cleaned(_text_at(event, path).strip())
    if len(text) > at_most:
        refused = FileFault.LONG_CELL.to_message(most=at_most)
    if refused:
        raise MappingFailed(f"{path} {refused}")
    return text


def _text_at(node: Any, path: str) -> str:
    for index, key in _STEP.findall(path):
        if index:
            node = node[int(index)] if isinstance(node, list) and int(index) < len(node) else None
        else:
            node = node.get(key) if isinstance(node, dict) else None
    if isinstance(node, dict | list):
        raise MappingFailed(f"{path} is no text")
    return _written(node)


def _written(value: object) -> str:
    if isinstance(value, NumberText):
        return value.text
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
