"""Base classes of the models: frozen pydantic model, enum with English words."""

from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """A frozen model; ignores unknown fields so that old code reads new histories."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True, defer_build=True)

    def replace(self, **changes: object) -> Self:
        """A copy with `changes`, not validated; `TypeError` for an unknown name."""
        if strangers := changes.keys() - type(self).model_fields.keys():
            raise TypeError(f"{type(self).__name__} has no field {', '.join(sorted(strangers))}")
        return self.model_copy(update=changes)


class InWords(StrEnum):
    """A string enum with an English text per member, perhaps with placeholders: `NAME = "word", "said of {whom}"`."""

    english: str

    def __new__(cls, code: str, english: str = "") -> Self:
        """`value` is the word in histories and records; the text defaults to it."""
        member = str.__new__(cls, code)
        member._value_, member.english = code, english or code
        return member

    def format_english(self, **values: object) -> str:
        return self.english.format(**values)
