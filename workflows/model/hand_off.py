"""Everyone downstream of a settled request."""

from enum import StrEnum

from pydantic import AwareDatetime

from workflows.model.base import Model, Packed
from workflows.model.campaign import Counts
from workflows.model.commands import Problem
from workflows.model.notifications import Delivered, NotificationOrder
from workflows.model.onboarding import PartKind
from workflows.model.policy import NexusOperation, Target
from workflows.model.rejections import name_told
from workflows.model.schedule import EscalationReason
from workflows.model.signature import SignerState
from workflows.model.subject import Status


class HandoffState(StrEnum):
    """Where one target of the fan-out stands; `dead` is final and carries its reason."""

    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"
    DEAD = "dead"


class HandoffLine(Model):
    """A target of the hand-off as shown; each replay has a line of its own beside the original, numbered from 1.

    `why` is the last answer in words, `key` what outside systems know the hand-off by: the `webhook-id` of a call.
    """

    target: str
    state: HandoffState
    attempts: int
    at: AwareDatetime
    why: str | None = None
    due_at: AwareDatetime | None = None
    """The next attempt, while it is pending."""
    key: str = ""
    replay: int = 0
    by: str | None = None
    """Who wanted the replay."""


class SettledSigner(Model):
    """A signer's last state, as handed off."""

    person: str
    state: SignerState
    at: AwareDatetime | None = None


class EndedFacts(Model):
    """How something ended: the `data` of the HTTP hand-off, and the argument of the signal to whoever subscribed.

    Its JSON Schemas are in docs/schemas/. `version` counts what a reader must know of: fields are only ever added.
    """

    version: int = 1
    kind: str
    outcome: Status
    at: AwareDatetime
    link: str | None = None
    late: bool = False
    """Somebody acted after the due date."""


class Settled(EndedFacts):
    """The facts of a settled request, as `signature_settled` tells them."""

    request: str
    external_id: str
    document_sha256: str | None = None
    signers: tuple[SettledSigner, ...] = ()

    @property
    def declined_by(self) -> str | None:
        """Who did, if it was declined."""
        return next((name_told(one.person) for one in self.signers if one.state is SignerState.DECLINED), None)


class SettledPerson(Model):
    """How somebody stood when a task ended, in a word."""

    person: str
    state: str
    at: AwareDatetime | None = None


class SettledTask(EndedFacts):
    """The facts of a task that has ended, as `task_settled` tells them; `by` is who ended it."""

    task: str
    by: str
    people: tuple[SettledPerson, ...] = ()


class SettledPart(Model):
    """How a part of an onboarding ended, in a word; `kind` is that of the catalogue."""

    id: str
    what: PartKind
    kind: str
    state: str
    at: AwareDatetime | None = None


class SettledOnboarding(EndedFacts):
    """The facts of an onboarding that has ended, as `onboarding.completed` tells them."""

    onboarding: str
    parts: tuple[SettledPart, ...] = ()


class SettledCampaign(EndedFacts):
    """The facts of a campaign that has ended, as `campaign.completed` tells them: how many stood how, and the record.

    `outcomes` is the SHA-256 of the list in which each person stands once, None where nobody was ever asked.
    """

    campaign: str
    counts: Counts
    audience_sha256: str | None = None
    outcomes_sha256: str | None = None


class Escalated(Model):
    """Somebody has not acted, and somebody else was alerted or asked instead: the `data` of that event.

    `number` counts the escalations, hand-overs and delegations of one request or task.
    """

    version: int = 1
    kind: str
    at: AwareDatetime
    link: str | None = None
    number: int
    person: str
    to: str
    reason: EscalationReason


class EscalatedRequest(Escalated):
    """Of a request, as `signature_escalated` tells it."""

    request: str
    external_id: str


class EscalatedTask(Escalated):
    """Of a task, as `task_escalated` tells it."""

    task: str


AnyEnded = Settled | SettledTask | SettledOnboarding | SettledCampaign
AnyEscalated = EscalatedRequest | EscalatedTask
Told = AnyEnded | AnyEscalated
"""What a target hears."""


class HandoffCall(Model):
    """One target to be told now."""

    target: Target
    notice: NotificationOrder | None = None
    """For a target that is a person: what they are told."""
    attempt: int = 1
    replay: int = 0
    by: str | None = None
    listed: bool = True
    """False for people told of the ending: they show among the notifications, not among the hand-offs."""
    missed: tuple[str, ...] = ()
    """For a group: whom this attempt has tried and not reached in earlier calls."""
    passing: str | None = None
    """Why one of those may be reached by the next attempt."""
    reached: tuple[str, ...] = ()
    """For several people: who has it by now, so that nobody is told twice."""
    escalated: AnyEscalated | None = None
    """What it hears instead of the ending."""


class HandoffResult(Model):
    """What became of one target; `gone` means that no retry can help (`workflow_closed`, HTTP 410)."""

    target: str
    ok: bool
    gone: bool = False
    disabled: bool = False
    """Its answer says that it wants no more calls, of whatever request."""
    held: bool = False
    """It was not called, and that is no attempt: it wants no calls, and what it is to hear waits until somebody has it
    called again; or there is no place for the call, and it is tried again after `retry_after`."""
    why: str | None = None
    retry_after: float = 0
    delivered: tuple[Delivered, ...] = ()
    more: bool = False
    """Some of a large group are still to be told: at once, in the same attempt."""
    missed: tuple[str, ...] = ()
    passing: str | None = None
    partly: bool = False
    """Some of a group were told, by this attempt or an earlier one: it ends done when nobody else can be."""
    before: bool = False
    """The record says that it was told before, as after a reset: it was not called, and has its line already."""


class HandOffNow(Model):
    """Signal `hand_off_now`: do not wait for the next attempt of a target, or of all."""

    target: str | None = None


class ReplayedFacts(Model):
    """How the replays of something that has ended stand: every line of its hand-off."""

    id: str
    status: Status
    handoffs: Packed[tuple[HandoffLine, ...]] = ()
    problem: Problem | None = None
    """What keeps it from reading the record, or from telling anybody."""


class HandoffReport(Model):
    """A result per call of the batch; whether the store has it that they were called.

    `number` is that of the batch's amendment where the record had some before; 0 is that of the batch.
    """

    results: Packed[tuple[HandoffResult, ...]]
    recorded: bool = True
    number: int = 0


class OperationOrder(Model):
    """The operation, the facts that are its only argument, and the key that its handler tells a repetition by."""

    operation: NexusOperation
    told: Told
    key: str
