"""What `null` removes, and the layer that each value of a policy comes from."""

from typing import Any

import pytest

from activities.policies.cascade import ResolvedPolicy
from activities.policies.catalogue import Catalogue, CatalogueKind
from activities.policies.policy_file import PolicyLayer
from workflows.model.policy import Escalation, Policy, Reminders

BASE: dict[str, Any] = {
    "window": "60d",
    "reminders": {"first": "1d", "every": "1d", "most": 9},
    "warnings": ["3d"],
    "hours": "any",
    "urgent": True,
    "snooze": 5,
    "self_delegate": True,
    "escalation": {
        "after": "5d",
        "or": "50%",
        "action": "reassign",
        "to": ["manager"],
        "alternates": ["chair"],
        "depth": 1,
        "fallback": "chair",
    },
    "handoff": [{"target": "hr", "person": "hr-desk"}],
}


def resolve_override(override: dict[str, Any]) -> ResolvedPolicy:
    kinds = {"base": CatalogueKind.model_validate(BASE), "kind": CatalogueKind(extends="base")}
    return Catalogue(kinds).resolve("kind", PolicyLayer.model_validate(override))


@pytest.mark.parametrize(
    ("field", "default"),
    [
        ("window", "30d"),
        ("hours", "working"),
        ("urgent", False),
        ("reminders", None),
        ("warnings", ()),
        ("snooze", 0),
        ("self_delegate", False),
        ("escalation", None),
        ("handoff", ()),
    ],
)
def test_null_removes_what_lower_layers_say(field: str, default: Any) -> None:
    assert getattr(resolve_override({}).policy, field) != default
    resolved_policy = resolve_override({field: None})
    assert getattr(resolved_policy.policy, field) == default
    assert resolved_policy.layer(field) == "request"


@pytest.mark.parametrize("field", ["first", "every", "most"])
def test_null_removes_a_part_of_the_reminders(field: str) -> None:
    reminders = resolve_override({"reminders": {field: None}}).policy.reminders
    assert reminders == Reminders(first="1d", every="1d", most=9).replace(**{field: getattr(Reminders(), field)})


@pytest.mark.parametrize("field", ["action", "to", "alternates", "depth", "fallback"])
def test_null_removes_a_part_of_the_escalation(field: str) -> None:
    base_escalation, escalation = (
        resolve_override({}).policy.escalation,
        resolve_override({"escalation": {field: None}}).policy.escalation,
    )
    assert base_escalation is not None
    assert escalation == base_escalation.replace(**{field: getattr(Escalation(), field)})


def test_all_that_can_be_removed_at_once() -> None:
    nothing = dict.fromkeys(BASE)
    assert resolve_override(nothing).policy == Policy(
        hours="working", reminders=None, warnings=(), snooze=0, escalation=None, handoff=()
    )


def test_a_whole_that_is_written_above_covers_what_its_parts_came_from() -> None:
    """What lower layers said of `reminders.first` does not count any more, so none of them is named."""
    kinds = {
        "base": CatalogueKind.model_validate(BASE),
        "kind": CatalogueKind.model_validate({"extends": "base", "reminders": None}),
    }
    resolved_policy = Catalogue(kinds).resolve("kind", PolicyLayer.model_validate({"reminders": {"every": "4d"}}))
    assert resolved_policy.policy.reminders == Reminders(every="4d")
    assert {part: resolved_policy.layer(f"reminders.{part}") for part in ("first", "every", "most")} == {
        "first": "kind",
        "every": "request",
        "most": "kind",
    }


def test_a_second_trigger_that_moves_up_keeps_its_layer() -> None:
    resolved_policy = resolve_override({"escalation": {"after": None}})
    assert resolved_policy.policy.escalation is not None
    assert (resolved_policy.policy.escalation.after, resolved_policy.policy.escalation.or_) == ("50%", None)
    assert (resolved_policy.layer("escalation.after"), resolved_policy.layer("escalation.or")) == ("base", "request")


def test_a_second_trigger_that_nobody_wrote_is_the_default() -> None:
    resolved_policy = Catalogue({"kind": CatalogueKind()}).resolve(
        "kind", PolicyLayer.model_validate({"escalation": {"after": None}})
    )
    assert resolved_policy.policy.escalation == Escalation(after="60%", or_=None)
    assert resolved_policy.layer("escalation.after") == "default"
