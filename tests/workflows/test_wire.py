"""The wire samples: what histories, the store and other programs hold today must be read by tomorrow's code.

Red here means that open requests or kept records would be read wrongly after a deploy. Fields and words are only ever
added, with a default: `make golden` adds them to `tests/golden/`. Nothing in there is changed or removed.
"""

import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest
from pydantic import BaseModel

from tests.golden import samples
from tests.golden.__main__ import grow_sample
from tests.golden.samples import read, sample, tersely, written
from workflows.model.notifications import Delivery
from workflows.model.plan_reasons import PlanReason
from workflows.model.policy import Policy
from workflows.model.schedule import ActionType, Schedule, ScheduledAction, Snooze
from workflows.model.subject import Subject

AT = datetime(2027, 1, 4, 9, tzinfo=UTC)
SUBJECT = Subject(id="msa-0042", people=(), kind="customer-contract", title="Agreement", requester="legal-desk")
MODELS = samples.models()
PARTS = samples.all_parts()
FIELDS = json.loads(samples.FIELDS.read_text())
WORDS = json.loads(samples.WORDS.read_text())


def test_every_model_that_crosses_a_boundary_has_a_sample() -> None:
    assert {path.stem for path in samples.WIRE.glob("*.json")} >= {model.__name__ for model in MODELS}
    assert len(MODELS) >= 16


def test_what_was_written_is_read_and_written_alike() -> None:
    for model in MODELS:
        assert written(read(sample(model), model)) == sample(model), model


def test_what_a_history_leaves_out_is_read_as_it_was() -> None:
    for model in MODELS:
        whole = read(sample(model), model)
        assert read(tersely(whole), model) == whole, model


def test_a_history_is_plain_json_without_fields_that_say_nothing() -> None:
    action = ScheduledAction(
        at=AT,
        kind=ActionType.WARN,
        stage="warning-1d",
        person="signer",
        to="signer",
        reasons=(PlanReason.ON_LAST_WORKING_DAY.to_message(),),
    )
    agenda = Schedule(due_at=AT, closes=False, actions=200 * (action,))
    document = tersely(agenda)
    assert document.keys() == {"due_at", "closes", "actions"}
    warning = {"kind": "warn", "stage": "warning-1d", "person": "signer", "to": "signer"}
    assert document["actions"][-1] == {
        "at": "2027-01-04T09:00:00Z",
        **warning,
        "reasons": [{"code": "on_last_working_day"}],
        "action": "notify",
        "reason": "escalation",
    }
    assert read(document, Schedule) == agenda


def test_a_history_has_defaults_that_say_something() -> None:
    assert tersely(Schedule(due_at=AT)) == {"due_at": "2027-01-04T09:00:00Z", "closes": True}
    assert tersely(Policy()).items() >= {"window": "30d", "warnings": ["2d", "1d"], "expires": True}.items()


@pytest.mark.parametrize("value", [(), None])
def test_an_empty_field_is_written_where_its_default_is_another(value: tuple[str, ...] | None) -> None:
    delivery = Delivery(subject=SUBJECT, notices=(), devices=value)
    assert read(tersely(delivery), Delivery) == delivery
    policy = Policy(warnings=())
    assert read(tersely(policy), Policy) == policy


def test_fields_of_newer_code_are_ignored() -> None:
    for model in MODELS:
        assert read(_add_unknown_fields(sample(model)), model) == read(sample(model), model), model


def test_every_field_stands_in_a_sample_with_another_value_than_its_default() -> None:
    """Else a field that is no longer read would not be noticed."""
    values_by_model = _values_by_model()
    for part in PARTS:
        silent = [
            name
            for name, field in part.model_fields.items()
            if all(getattr(filled, name) == samples.default_of(field) for filled in values_by_model.get(part, []))
        ]
        assert not silent, part


def test_no_field_is_newly_required_and_no_default_changes_its_meaning() -> None:
    """A history without the field means its default: another default would be another promise."""
    for part in PARTS:
        assert samples.defaults(part) == FIELDS[part.__name__], part


@pytest.mark.parametrize(("kind", "today"), samples.vocabulary().items())
def test_words_are_only_added(kind: str, today: list[str]) -> None:
    assert sorted(today) == sorted(WORDS[kind])


def test_adding_to_a_sample_changes_nothing_that_stands_there() -> None:
    for model in MODELS:
        assert grow_sample(model) == sample(model), model


@cache
def _values_by_model() -> dict[type[BaseModel], list[BaseModel]]:
    """The values in all samples, by their model."""
    values_by_model: dict[type[BaseModel], list[BaseModel]] = defaultdict(list)
    for value in (value for model in MODELS for value in _values(read(sample(model), model))):
        values_by_model[type(value)].append(value)
    return values_by_model


def _values(value: Any) -> Iterator[BaseModel]:
    if isinstance(value, BaseModel):
        yield value
        for _, inner in value:
            yield from _values(inner)
    elif isinstance(value, tuple):
        for inner in value:
            yield from _values(inner)


def _add_unknown_fields(sample_json: Any) -> Any:
    match sample_json:
        case {"code": str(), "values": dict()}:  # the values of a message are no fields
            return sample_json | {"news": {"of": ["tomorrow"]}}
        case dict():
            return {name: _add_unknown_fields(inner) for name, inner in sample_json.items()} | {
                "news": {"of": ["tomorrow"]}
            }
        case list():
            return [_add_unknown_fields(inner) for inner in sample_json]
        case _:
            return sample_json


def test_a_change_of_a_field_that_does_not_exist_is_refused() -> None:
    """A misspelt name would otherwise change nothing, in silence."""
    snooze = Snooze(person="signer", until=AT, number=1)
    with pytest.raises(TypeError, match="Snooze has no field numbr"):
        snooze.replace(numbr=5)
    assert snooze.replace(number=5).number == 5
