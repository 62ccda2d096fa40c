"""Records in the store: settled record, its amendments; and the hand-off batches that write them."""

from pydantic import AwareDatetime

from workflows.kinds import Kind, WorkflowName
from workflows.model.base import Model
from workflows.model.hand_off import AnyEnded, HandoffCall, HandoffLine
from workflows.model.notifications import LogPage, Notification
from workflows.model.policy import Target
from workflows.model.subject import Subject
from workflows.model.timeline import EscalationEntry
from workflows.model.views import Shown


class HandOffOrder(Model):
    """Repeats a hand-off whose run Temporal has forgotten. `targets` are of the ending, `escalated` of escalations,
    `escalations` what these heard.
    """

    subject: Subject
    settled: AnyEnded
    document: str | None = None
    targets: tuple[Target, ...] = ()
    escalated: tuple[Target, ...] = ()
    escalations: tuple[EscalationEntry, ...] = ()


class SettledRecord(Model):
    """What remains when Temporal has forgotten the run."""

    version: int = 1
    fingerprint: str
    run_id: str
    show: Shown
    settled: AnyEnded | None = None
    origin: str | None = None
    hand_off: HandOffOrder | None = None


class ReplayOrder(Model):
    type: Kind = Kind.REQUEST
    id: str

    @property
    def named(self) -> WorkflowName:
        return WorkflowName(self.type, self.id)


class RecordedHandOff(Model):
    """The stored hand-off state, empty without a record; `batches` is the last amendment's number."""

    order: HandOffOrder | None = None
    lines: tuple[HandoffLine, ...] = ()
    batches: int = 0


class Amendment(Model):
    """Outbox lines changed by one batch."""

    version: int = 1
    number: int
    handoffs: tuple[HandoffLine, ...] = ()
    notifications: tuple[Notification, ...] = ()
    subscribers: tuple[str, ...] = ()
    """Subscribed workflows among the targets."""


class HandoffBatch(Model):
    """The targets due now; `document` is the provider's uuid, `settled` None before the end, and beside a record."""

    subject: Subject
    settled: AnyEnded | None = None
    calls: tuple[HandoffCall, ...]
    document: str | None = None
    number: int = 1
    """The batch's and its amendment's number."""
    at: AwareDatetime | None = None
    page: LogPage | None = None
    """To be stored before the record."""
    record: SettledRecord | None = None
    """To be stored before anybody is told; None after the first successful batch. Without what follows from the rest of
    the batch (`complete_record`).
    """
    targets: tuple[Target, ...] = ()
    """Of the record's hand-off order; empty if they are those of the calls."""
    escalated: tuple[Target, ...] = ()
    """Of the record's hand-off order."""
    unrecorded: Amendment | None = None
    """Unstored results of an earlier batch: stored before anybody else is told."""
    first_run_id: str = ""
    """See `Delivery`."""
