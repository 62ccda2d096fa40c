"""`python -m tests.golden` adds new models, fields and words to the samples; what stands there is never changed.

It writes the JSON Schemas of docs/schemas/ anew.
A new field gets an invented value that is not its default. Refuses a field without a default in a model that is known:
histories do not have it.
"""

import json
import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from tests.golden import samples, schemas
from tests.golden.boundary import of_all_kinds
from workflows.kinds import Kind, kinds
from workflows.model.hand_off import EndedFacts, EscalationData
from workflows.model.views import FollowUpShow

_SIMPLE = ("5d", 3, 1.5, True, False, "2026-11-02T09:00:00Z", "2026-11-02", "PT1H")


def main() -> int:
    """Add what is new; 1 with a line for each field that may not be added as it is."""
    known_fields = _read(samples.FIELDS)
    refused = [line for part in samples.all_parts() for line in _refusals(part, known_fields.get(part.__name__))]
    if refused:
        print("\n".join(refused), file=sys.stderr)
        return 1
    for model in samples.models():
        _write(samples.path_of(model), grow_sample(model))
    _write(samples.FIELDS, _with_new_fields(known_fields))
    _write(samples.WORDS, _with_new_words(_read(samples.WORDS)))
    for event in schemas.EVENTS:
        _write(schemas.path_of(event), schemas.schema(event))
    return 0


def grow_sample(model: type[BaseModel]) -> Any:
    """The sample with the fields that it does not have yet; a whole one for a new model."""
    if not samples.path_of(model).exists():
        return _invented_model(model)
    sample_json = samples.sample(model)
    _grow(sample_json, samples.read(sample_json, model))
    return sample_json


def _grow(sample_json: Any, value: Any) -> None:
    if isinstance(value, BaseModel):
        for name, field in type(value).model_fields.items():
            alias = field.alias or name
            if alias in sample_json:
                _grow(sample_json[alias], getattr(value, name))
            else:
                sample_json[alias] = _invented_field(name, field)
    elif isinstance(value, tuple):
        for inner, item in zip(sample_json, value, strict=True):
            _grow(inner, item)


def _invented_model(model: type[BaseModel]) -> Any:
    fields = {field.alias or name: _invented_field(name, field) for name, field in model.model_fields.items()}
    # A view is read again by its kind, which is no field.
    return fields | ({"type": model.of} if issubclass(model, FollowUpShow) else {})


def _invented_field(name: str, field: FieldInfo) -> Any:
    annotation: Any = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
    kind: TypeAdapter[Any] = TypeAdapter(annotation)
    default = samples.default_of(field)
    for candidate in _candidates(name, field.annotation):
        try:
            if (value := kind.validate_python(candidate)) != default:
                return kind.dump_python(value, mode="json", by_alias=True)
        except ValidationError:
            continue
    raise AssertionError(f"no value comes to mind for {name}: {field.annotation}")


def _candidates(name: str, annotation: Any) -> Iterator[Any]:
    """Values that the annotation may take, the telling ones first."""
    origin = get_origin(annotation)
    if origin in (Union, UnionType, Annotated):
        for type_argument in get_args(annotation):
            yield from _candidates(name, type_argument)
    elif origin is tuple:
        yield from ([value] for value in _candidates(name, get_args(annotation)[0]))
    elif origin is dict:
        yield {"person": "ada", "count": 2}
    elif annotation in (FollowUpShow, EndedFacts, EscalationData):
        yield from map(_invented_model, of_all_kinds(annotation))
    elif annotation is Kind:
        yield from reversed(kinds())
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield _invented_model(annotation)
    elif isinstance(annotation, type) and issubclass(annotation, StrEnum):
        yield from reversed(annotation)
    elif annotation is not type(None):
        yield from (f"a {name.strip('_').replace('_', ' ')}", *_SIMPLE)


def _refusals(part: type[BaseModel], known_fields: Any) -> Iterator[str]:
    for name, default in samples.defaults(part).items():
        if known_fields and name not in known_fields and default == samples.REQUIRED:
            yield f"{part.__name__}.{name} has no default, but histories do not have it"


def _with_new_fields(known_fields: dict[str, Any]) -> dict[str, Any]:
    today = {part.__name__: samples.defaults(part) for part in samples.all_parts()}
    return known_fields | {name: fields | known_fields.get(name, {}) for name, fields in today.items()}


def _with_new_words(known_words: dict[str, list[str]]) -> dict[str, list[str]]:
    today = samples.vocabulary()
    return known_words | {
        kind: list(dict.fromkeys([*known_words.get(kind, ()), *kind_words])) for kind, kind_words in today.items()
    }


def _read(path: Path) -> Any:
    return json.loads(path.read_text()) if path.exists() else {}


def _write(path: Path, content: Any) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    sys.exit(main())
