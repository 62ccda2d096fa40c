"""The kinds of workflow: prefix of the id, workflow type, signal names, event names and command words of each."""

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
    """A kind of workflow, by the word that people use for it."""

    REQUEST = "request"
    TASK = "task"
    ONBOARDING = "onboarding"
    CAMPAIGN = "campaign"

    @property
    def names(self) -> "KindNames":
        return _NAMES[self]

    def workflow_id(self, id: str) -> str:
        """The workflow id for the kind's own id; fixed, so that a second start finds the first."""
        return f"{self.names.prefix}:{id}"


@dataclass(frozen=True)
class KindNames:
    """Names of one kind: `workflow` its type, `prefix` of its workflow id, `settled` the signal and `event` the event
    type of its end, `page` the path of its links, `desk` of its desk page, `stage` the first `CsStage`, `command` the
    first word of its commands.
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
        """Event type of an escalation."""
        return f"{self._noun}.escalated"

    @property
    def escalated(self) -> str:
        """Signal of an escalation."""
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
    """Kind and own id of one workflow."""

    kind: Kind
    id: str

    @property
    def workflow_id(self) -> str:
        return self.kind.workflow_id(self.id)

    @property
    def reference(self) -> str:
        """The id for outside systems: the own id of a request, else the workflow id."""
        return self.id if self.kind is Kind.REQUEST else self.workflow_id


def named(workflow_id: str) -> WorkflowName | None:
    """Kind and id from a workflow id; None for a workflow that is not followed up."""
    prefix, _, id = workflow_id.partition(":")
    return next((WorkflowName(kind, id) for kind in Kind if kind.names.prefix == prefix), None)


def referred(reference: str) -> WorkflowName:
    """Kind and id from a `WorkflowName.reference`."""
    return named(reference) or WorkflowName(Kind.REQUEST, reference)
