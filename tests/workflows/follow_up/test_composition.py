"""The engine is composed: few classes above a workflow, few members on it, its state a dozen parts at most."""

import dis
from abc import ABC
from collections.abc import Iterator
from typing import Any, Final, Generic, TypeVar, get_args

import pytest

from workflows.campaign.state import CampaignState
from workflows.campaign.workflow import AcknowledgementCampaignWorkflow
from workflows.follow_up.state import FollowUpState, LifecycleState
from workflows.model.base import Model
from workflows.onboarding.state import OnboardingState
from workflows.onboarding.workflow import CustomerOnboardingWorkflow
from workflows.signature.state import SignatureState
from workflows.signature.workflow import SignatureRequestWorkflow
from workflows.task.state import TaskState
from workflows.task.workflow import TaskWorkflow

CLASSES_AT_MOST: Final = 4
MEMBERS_AT_MOST: Final = 49
"""A command is one: a request has more than a task, of its review, its links and the places of groups."""
PARTS_AT_MOST: Final = 12
_T = TypeVar("_T")


class _Bare(ABC, Generic[_T]):
    """What the language alone puts on an object."""


@pytest.mark.parametrize(
    "workflow",
    [SignatureRequestWorkflow, TaskWorkflow, CustomerOnboardingWorkflow, AcknowledgementCampaignWorkflow],
    ids=lambda workflow: workflow.__name__,
)
def test_a_workflow_is_a_few_classes_deep_and_has_a_loop_handlers_and_verbs(workflow: type[Any]) -> None:
    own_classes = [own_class for own_class in workflow.__mro__ if own_class not in _Bare.__mro__]
    assert len(own_classes) <= CLASSES_AT_MOST
    members = {name for name in dir(workflow) if not hasattr(_Bare, name) and not name.startswith("__")}
    members |= {name for own_class in own_classes for name in _attributes(own_class)}
    assert len(members) <= MEMBERS_AT_MOST, sorted(members)


@pytest.mark.parametrize("state", [SignatureState, TaskState, OnboardingState, CampaignState])
def test_a_state_is_a_dozen_parts_at_most(state: type[LifecycleState]) -> None:
    assert len(state.model_fields) <= PARTS_AT_MOST, list(state.model_fields)
    assert all(_is_a_part(field.annotation) for field in state.model_fields.values())


def _is_a_part(annotation: Any) -> bool:
    """Whether it is a model, or a tuple of them."""
    [kind, *_] = get_args(annotation) or [annotation]
    return isinstance(kind, type) and issubclass(kind, Model)


@pytest.mark.parametrize("state", [OnboardingState, CampaignState])
def test_who_asks_nobody_inherits_nothing_of_who_must_act(state: type[LifecycleState]) -> None:
    assert not issubclass(state, FollowUpState)
    assert not {"slots", "plan", "escalations", "questions"} & state.model_fields.keys()


def _attributes(class_: type[Any]) -> Iterator[str]:
    """What the `__init__` of a class sets on its instance."""
    init = vars(class_).get("__init__")
    for code in dis.get_instructions(init) if init else ():
        if code.opname == "STORE_ATTR":
            yield code.argval
