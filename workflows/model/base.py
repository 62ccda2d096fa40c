"""Base classes of the models: frozen pydantic model, enum with English words; what a history has of their fields."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final, Self

from pydantic import BaseModel, ConfigDict, model_validator

ALWAYS_WRITTEN: Final = "always written"
"""Annotates a field that other programs read in payloads: it is written even if it has its default."""


class Model(BaseModel):
    """A frozen model; ignores unknown fields so that old code reads new histories."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True, defer_build=True)

    def replace(self, **changes: object) -> Self:
        """A copy with `changes`, not validated; `TypeError` for an unknown name."""
        if strangers := changes.keys() - type(self).model_fields.keys():
            raise TypeError(f"{type(self).__name__} has no field {', '.join(sorted(strangers))}")
        return self.model_copy(update=changes)


class DerivableModel(Model):
    """A model of which some fields follow from others: a history leaves these out, and reading restores them."""

    @classmethod
    def derive(cls, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """The fields that follow from these, of which some may be missing; a field that differs is written."""
        raise NotImplementedError

    @model_validator(mode="before")
    @classmethod
    def _restore_derived(cls, content: Any) -> Any:
        return {**cls.derive(content), **content} if isinstance(content, dict) else content


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
