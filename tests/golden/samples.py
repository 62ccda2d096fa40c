"""The wire samples and the two tables beside them: one sample per model that crosses a boundary, with every field set.

`wire/<Model>.json` are the samples, `fields.json` has every field's default, `words.json` the words of enumerations.
"""

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.fields import FieldInfo
from temporalio.api.common.v1 import Payload

from starter.temporal.codec import terse_data_converter
from tests.golden.boundary import boundary_models, enumerations, parts

FOLDER = Path(__file__).parent
WIRE = FOLDER / "wire"
FIELDS = FOLDER / "fields.json"
WORDS = FOLDER / "words.json"
REQUIRED = "(required)"

_ANY: TypeAdapter[Any] = TypeAdapter(Any)
_CONVERTER = terse_data_converter.payload_converter


def sample(model: type[BaseModel]) -> Any:
    """The sample of a model, as JSON."""
    return json.loads(path_of(model).read_text())


def path_of(model: type[BaseModel]) -> Path:
    """Where the sample of a model is."""
    return WIRE / f"{model.__name__}.json"


def read(document: Any, model: type[BaseModel]) -> Any:
    """As Temporal's converter reads it."""
    payload = Payload(metadata={"encoding": b"json/plain"}, data=json.dumps(document).encode())
    return _CONVERTER.from_payload(payload, model)


def written(value: BaseModel) -> Any:
    """All of it, as the store keeps it."""
    return json.loads(value.model_dump_json(by_alias=True))


def tersely(value: BaseModel) -> Any:
    """As Temporal's converter writes it."""
    return json.loads(_CONVERTER.to_payload(value).data)


def models() -> list[type[BaseModel]]:
    """The models that have a sample."""
    return boundary_models()


def all_parts() -> list[type[BaseModel]]:
    """The models and what is inside them, by name."""
    return sorted({part for model in models() for part in parts(model)}, key=lambda part: part.__name__)


def defaults(part: type[BaseModel]) -> dict[str, Any]:
    """Every field of a model with its default as JSON, `REQUIRED` when it has none.

    Of a default that is a model only what differs from that model's own defaults: they have their own row.
    """
    default_by_field = {name: default_of(field) for name, field in part.model_fields.items()}
    return {
        name: _ANY.dump_python(default, mode="json", exclude_defaults=True)
        for name, default in default_by_field.items()
    }


def default_of(field: FieldInfo) -> Any:
    """What a missing field means."""
    return REQUIRED if field.is_required() else field.get_default(call_default_factory=True)


def vocabulary() -> dict[str, list[str]]:
    """The words of every enumeration that is carried."""
    kinds = {enumeration for model in models() for enumeration in enumerations(model)}
    return {kind.__name__: [member.value for member in kind] for kind in sorted(kinds, key=lambda kind: kind.__name__)}
