"""The wire samples: what histories, the store and other programs hold today must be read by tomorrow's code.

`tests/golden/wire/` has one sample per model that crosses a boundary, with every field set. Red here means that open
requests or kept records would be read wrongly after a deploy. Fields are only ever added, with a default: add the new
field to the sample (another value than its default) and to `fields.json`. Nothing in there is changed or removed.
"""

import json
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python
from temporalio.api.common.v1 import Payload
from temporalio.contrib.pydantic import pydantic_data_converter

from tests.workflows.boundary import boundary_models, parts, words

FOLDER = Path(__file__).parents[1] / "golden"
SAMPLES = FOLDER / "wire"
REQUIRED = "(required)"
MODELS = boundary_models()
PARTS = sorted({part for model in MODELS for part in parts(model)}, key=lambda part: part.__name__)
WORDS = sorted({word for model in MODELS for word in words(model)}, key=lambda word: word.__name__)
CONVERTER = pydantic_data_converter.payload_converter


def sample(model: type[BaseModel]) -> Any:
    return json.loads((SAMPLES / f"{model.__name__}.json").read_text())


def read(told: Any, model: type[BaseModel]) -> Any:
    """As Temporal's converter reads it, which is what the samples are about."""
    payload = Payload(metadata={"encoding": b"json/plain"}, data=json.dumps(told).encode())
    return CONVERTER.from_payload(payload, model)


def written(value: BaseModel) -> Any:
    return json.loads(CONVERTER.to_payload(value).data)


def test_every_model_that_crosses_a_boundary_has_a_sample_and_no_sample_is_left_over() -> None:
    assert {path.stem for path in SAMPLES.glob("*.json")} == {model.__name__ for model in MODELS}


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_what_was_written_is_read_and_written_alike(model: type[BaseModel]) -> None:
    assert written(read(sample(model), model)) == sample(model)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_fields_of_newer_code_are_ignored(model: type[BaseModel]) -> None:
    assert read(_with_news(sample(model)), model) == read(sample(model), model)


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.__name__)
def test_every_field_stands_in_a_sample_with_another_value_than_its_default(part: type[BaseModel]) -> None:
    """Else a field that is no longer read would not be noticed."""
    told = [value for model in MODELS for value in _values(read(sample(model), model)) if type(value) is part]
    silent = {
        name
        for name, field in part.model_fields.items()
        if all(getattr(value, name) == _default(field) for value in told)
    }
    assert not silent


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.__name__)
def test_no_field_is_newly_required_and_no_default_changes_its_meaning(part: type[BaseModel]) -> None:
    """A history without the field means its default: another default would be another promise."""
    pinned = json.loads((FOLDER / "fields.json").read_text())[part.__name__]
    today = {name: to_jsonable_python(_default(field)) for name, field in part.model_fields.items()}
    assert today == pinned


@pytest.mark.parametrize("word", WORDS, ids=lambda word: word.__name__)
def test_words_are_only_added(word: type[StrEnum]) -> None:
    pinned = json.loads((FOLDER / "words.json").read_text())[word.__name__]
    assert [one.value for one in word] == pinned


def _default(field: FieldInfo) -> Any:
    return REQUIRED if field.is_required() else field.get_default(call_default_factory=True)


def _values(value: Any) -> Iterator[BaseModel]:
    if isinstance(value, BaseModel):
        yield value
        for _, inner in value:
            yield from _values(inner)
    elif isinstance(value, tuple):
        for inner in value:
            yield from _values(inner)


def _with_news(told: Any) -> Any:
    match told:
        case dict():
            return {name: _with_news(inner) for name, inner in told.items()} | {"news": {"of": ["tomorrow"]}}
        case list():
            return [_with_news(inner) for inner in told]
        case _:
            return told
