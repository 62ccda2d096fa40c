"""The engine is composed: few classes above a workflow, few members on it."""

import dis
from abc import ABC
from collections.abc import Iterator
from typing import Any, Final, Generic, TypeVar

import pytest

from workflows.campaign.workflow import AcknowledgementCampaignWorkflow
from workflows.onboarding.workflow import CustomerOnboardingWorkflow
from workflows.signature.workflow import SignatureRequestWorkflow
from workflows.task.workflow import TaskWorkflow

CLASSES_AT_MOST: Final = 4
MEMBERS_AT_MOST: Final = 45
_T = TypeVar("_T")


class _Bare(ABC, Generic[_T]):
    """What the language alone puts on an object."""


@pytest.mark.parametrize(
    "workflow",
    [SignatureRequestWorkflow, TaskWorkflow, CustomerOnboardingWorkflow, AcknowledgementCampaignWorkflow],
    ids=lambda workflow: workflow.__name__,
)
def test_a_workflow_is_a_few_classes_deep_and_has_a_loop_handlers_and_verbs(workflow: type[Any]) -> None:
    own = [one for one in workflow.__mro__ if one not in _Bare.__mro__]
    assert len(own) <= CLASSES_AT_MOST
    members = {name for name in dir(workflow) if not hasattr(_Bare, name) and not name.startswith("__")}
    members |= {name for one in own for name in _attributes(one)}
    assert len(members) <= MEMBERS_AT_MOST, sorted(members)


def _attributes(one: type[Any]) -> Iterator[str]:
    """What the `__init__` of a class sets on its instance."""
    init = vars(one).get("__init__")
    for code in dis.get_instructions(init) if init else ():
        if code.opname == "STORE_ATTR":
            yield code.argval
