"""How models are written into histories: what has its default is left out, which is most of what a model has.

A field that is not there means its default: so it is with fields that are added later, and so no default of a model may
ever change (tests/workflows/test_wire.py).
"""

from typing import Any

from pydantic import BaseModel
from pydantic_core import SchemaSerializer
from pydantic_core.core_schema import any_schema
from temporalio.api.common.v1 import Payload
from temporalio.contrib.pydantic import PydanticJSONPlainPayloadConverter
from temporalio.converter import (
    CompositePayloadConverter,
    DataConverter,
    DefaultPayloadConverter,
    JSONPlainPayloadConverter,
)

from workflows.model.base import PACKED

_JSON = SchemaSerializer(any_schema())


class TersePayloadConverter(PydanticJSONPlainPayloadConverter):
    """Temporal's converter of models, without their defaults."""

    def to_payload(self, value: Any) -> Payload | None:
        """The value as JSON, under the names that files and histories have for its fields."""
        data = _JSON.to_json(value, by_alias=True, exclude_defaults=True, context={PACKED: True})
        return Payload(metadata={"encoding": self.encoding.encode()}, data=data)

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:
        """The value, as Temporal's converter reads it."""
        if isinstance(type_hint, type) and issubclass(type_hint, BaseModel):
            # Each workflow has a converter of its own, which would otherwise make, and keep, a schema of its own.
            type_hint.model_rebuild()
        return super().from_payload(payload, type_hint)


class _PayloadConverter(CompositePayloadConverter):
    def __init__(self) -> None:
        terse = TersePayloadConverter()
        usual = DefaultPayloadConverter.default_encoding_payload_converters
        super().__init__(*(terse if isinstance(one, JSONPlainPayloadConverter) else one for one in usual))


terse_data_converter = DataConverter(payload_converter_class=_PayloadConverter)
"""For client, worker and replayer alike."""
