"""Base classes of the models: frozen pydantic model, enum with English words."""

import base64
import json
import zlib
from enum import StrEnum
from typing import Annotated, Any, Final, Self, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    SerializationInfo,
    SerializerFunctionWrapHandler,
    WrapSerializer,
)

Part = TypeVar("Part")

PACKED: Final = "packed"
"""Key of the serialisation context that packs packable fields."""


def _packed(value: Any, plain: SerializerFunctionWrapHandler, info: SerializationInfo) -> Any:
    told = plain(value)
    if not told or not (info.context or {}).get(PACKED):
        return told
    text = json.dumps(told, separators=(",", ":"))
    packed = base64.b85encode(zlib.compress(text.encode(), 9)).decode()
    return packed if len(packed) < len(text) else told


def _unpacked(told: Any) -> Any:
    return json.loads(zlib.decompress(base64.b85decode(told))) if isinstance(told, str) else told


Packed = Annotated[Part, BeforeValidator(_unpacked), WrapSerializer(_packed, when_used="json")]
"""Large data read elsewhere (by `show`, in the store): its JSON, deflated, as base85 if shorter. Plain JSON is read as
well.
"""


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

    def __new__(cls, word: str, english: str = "") -> Self:
        """`value` is the word in histories and records; the text defaults to it."""
        one = str.__new__(cls, word)
        one._value_, one.english = word, english or word
        return one

    def says(self, **values: object) -> str:
        return self.english.format(**values)
