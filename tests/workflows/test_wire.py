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
from workflows.model.base import ALWAYS_WRITTEN
from workflows.model.hand_off import SettledRequest
from workflows.model.notifications import Delivery, NotificationOrder
from workflows.model.policy import Policy
from workflows.model.schedule import ActionType, Schedule, ScheduledAction, Snooze
from workflows.model.subject import Status, Subject
from workflows.names import alert_key, notice_key

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


def test_a_field_that_has_its_default_is_left_out_and_read_as_it_was() -> None:
    for part in PARTS:
        for whole in _values_by_model().get(part, []):
            for name, field in part.model_fields.items():
                if field.is_required():
                    continue
                value = whole.model_copy(update={name: samples.default_of(field)})
                document = tersely(value)
                assert ((field.alias or name) in document) is (ALWAYS_WRITTEN in field.metadata), (part, name)
                assert read(document, part) == value, (part, name)


def test_what_is_as_by_default_is_written_with_its_required_fields_alone() -> None:
    action = ScheduledAction(at=AT, kind=ActionType.WARN, stage="warning-1d", person="signer", to="legal-lead")
    document = tersely(Schedule(due_at=AT, closes=False, actions=(action,)))
    warning = {"kind": "warn", "stage": "warning-1d", "person": "signer", "to": "legal-lead"}
    assert document == {
        "due_at": "2027-01-04T09:00:00Z",
        "closes": False,
        "actions": [{"at": "2027-01-04T09:00:00Z", **warning}],
    }
    assert tersely(Schedule(due_at=AT)) == {"due_at": "2027-01-04T09:00:00Z"}
    assert tersely(Policy()) == {}


def test_the_version_of_facts_is_written_for_the_programs_that_read_it() -> None:
    facts = SettledRequest(request="msa-0042", external_id="msa-0042", kind="contract", outcome=Status.SIGNED, at=AT)
    assert tersely(facts) == {
        "version": 1,
        "kind": "contract",
        "outcome": "signed",
        "at": "2027-01-04T09:00:00Z",
        "request": "msa-0042",
        "external_id": "msa-0042",
    }


@pytest.mark.parametrize(
    ("key", "stage", "person", "written_fields"),
    [
        (notice_key("msa-0042", "reminder-1", "ada"), "reminder-1", "ada", ()),
        (alert_key("msa-0042", "escalation", "grace", "ada"), "escalation", "grace", ()),
        (notice_key("msa-0042:2", "ready", "group:sales"), "ready", "group:sales", ()),
        (notice_key("msa-0042", "ready", "ada"), "ready", "grace", ("person",)),
        (notice_key("msa-0042", "ready", "a/da"), "ready", "a/da", ("person",)),
        ("of/its/own", "ready", "ada", ("stage", "person")),
        ("opaque", "ready", "ada", ("stage", "person")),
        ("", "", "", ("stage", "person")),
    ],
)
def test_stage_and_person_are_left_out_where_the_key_names_them(
    key: str, stage: str, person: str, written_fields: tuple[str, ...]
) -> None:
    order = NotificationOrder(key=key, stage=stage, person=person)
    document = tersely(order)
    assert document.keys() == {"key", *written_fields}
    assert read(document, NotificationOrder) == order


def test_the_recipient_of_a_planned_action_is_left_out_where_it_is_the_signer() -> None:
    action = ScheduledAction(at=AT, kind=ActionType.REMIND, stage="reminder-1", person="ada", to="ada")
    document = tersely(action)
    assert document.keys() == {"at", "kind", "stage", "person"}
    assert read(document, ScheduledAction) == action


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
