"""The kinds of workflow that people know by an id: what each is called in ids, words and messages, in one table."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from workflows.names import (
    ACKNOWLEDGEMENT_CAMPAIGN,
    CAMPAIGN,
    CAMPAIGN_SETTLED,
    CUSTOMER_ONBOARDING,
    ONBOARDING_SETTLED,
    REQUEST_PREFIX,
    SIGNATURE_REQUEST,
    SIGNATURE_SETTLED,
    TASK,
    TASK_SETTLED,
)


class Kind(StrEnum):
    """The word that people say for it; `KindNames.command` is what its words of the command begin with."""

    REQUEST = "request"
    TASK = "task"
    ONBOARDING = "onboarding"
    CAMPAIGN = "campaign"

    @property
    def names(self) -> "KindNames":
        """What it is called elsewhere."""
        return _NAMES[self]

    def workflow_id(self, id: str) -> str:
        """The workflow id; its own id is its identity, so that a second start finds the first."""
        return f"{self.names.prefix}:{id}"


@dataclass(frozen=True)
class KindNames:
    """`workflow` is its type, `prefix` what stands before the colon of its id, `settled` the signal of its end.

    `event` is the type of the call that hands its end to other systems, `page` where its links lead, `desk` where
    its own page at the desk is, `stage` what `CsStage` says from its start until the workflow says it itself,
    `command` what its words of the command begin with.
    """

    workflow: str
    prefix: str
    settled: str
    event: str
    page: str
    desk: str
    stage: str
    command: str

    @property
    def escalated_event(self) -> str:
        """The type of the call that tells other systems of an escalation."""
        return f"{self._noun}.escalated"

    @property
    def escalated(self) -> str:
        """The signal that tells workflows of one."""
        return f"{self._noun}_escalated"

    @property
    def _noun(self) -> str:
        return self.event.partition(".")[0]


_NAMES: Final[Mapping[Kind, KindNames]] = {
    Kind.REQUEST: KindNames(
        workflow=SIGNATURE_REQUEST,
        prefix=REQUEST_PREFIX,
        settled=SIGNATURE_SETTLED,
        event="signature.settled",
        page="open",
        desk="requests",
        stage="sending",
        command="request",
    ),
    Kind.TASK: KindNames(
        workflow=TASK,
        prefix="task",
        settled=TASK_SETTLED,
        event="task.settled",
        page="task",
        desk="tasks",
        stage="open",
        command="task",
    ),
    Kind.ONBOARDING: KindNames(
        workflow=CUSTOMER_ONBOARDING,
        prefix="customer-onboarding",
        settled=ONBOARDING_SETTLED,
        event="onboarding.completed",
        page="journey",
        desk="onboardings",
        stage="starting",
        command="onboard",
    ),
    Kind.CAMPAIGN: KindNames(
        workflow=CAMPAIGN,
        prefix=ACKNOWLEDGEMENT_CAMPAIGN,
        settled=CAMPAIGN_SETTLED,
        event="campaign.completed",
        page="desk",
        desk="campaigns",
        stage="scheduled",
        command="campaign",
    ),
}


class WorkflowName(NamedTuple):
    """One of them: its kind, and the id that people know it by."""

    kind: Kind
    id: str

    @property
    def workflow_id(self) -> str:
        """Its workflow id."""
        return self.kind.workflow_id(self.id)

    @property
    def reference(self) -> str:
        """What outside systems know it by: a request by its id, anything else by its workflow id."""
        return self.id if self.kind is Kind.REQUEST else self.workflow_id


def named(workflow_id: str) -> WorkflowName | None:
    """What has this workflow id; None when it is nothing that we follow up."""
    prefix, _, id = workflow_id.partition(":")
    return next((WorkflowName(kind, id) for kind in Kind if kind.names.prefix == prefix), None)


def referred(reference: str) -> WorkflowName:
    """What outside systems know by this (`WorkflowName.reference`)."""
    return named(reference) or WorkflowName(Kind.REQUEST, reference)
