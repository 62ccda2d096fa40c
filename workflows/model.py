"""What crosses a boundary: the request and its policy, what the provider said, what people did, what was decided.

Every model is frozen and ignores unknown fields: histories outlive code, so fields are only ever added, with defaults.
Persons are directory ids; names and addresses never enter a history (design.md, "Legibility").
"""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

Duration = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,3}[mhdw]$")]
"""`90m`, `4h`, `3d`, `2w`; days and weeks are calendar days in the recipient's zone (formats.md)."""


class Model(BaseModel):
    """A frozen value; unknown fields are ignored so that old code reads new histories."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    def having(self, **changes: object) -> Self:
        """The same value with `changes` applied; nothing is validated again, so pass the declared types."""
        return self.model_copy(update=changes)


class Status(StrEnum):
    """Where a request stands; the order of `rank` is never walked backwards (contracts 3.3)."""

    CONVERTING = "converting"
    SENT = "sent"
    VIEWED = "viewed"
    SIGNED = "signed"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    FAILED = "failed"

    @property
    def ended(self) -> bool:
        """Whether this status is final."""
        return self.rank == len(_LIVING)

    @property
    def rank(self) -> int:
        """Position on the way from `converting` to an ending; all endings rank alike."""
        return _LIVING.index(self) if self in _LIVING else len(_LIVING)


_LIVING = (Status.CONVERTING, Status.SENT, Status.VIEWED)


class Role(StrEnum):
    """What a signer is asked to do; `copy` only receives the result."""

    SIGN = "sign"
    APPROVE = "approve"
    COPY = "copy"


class SignerState(StrEnum):
    """Where one signer stands."""

    WAITING = "waiting"
    TURN = "turn"
    VIEWED = "viewed"
    SIGNED = "signed"
    APPROVED = "approved"
    DECLINED = "declined"
    REASSIGNED = "reassigned"
    BOUNCED = "bounced"
    COPIED = "copied"


class Code(StrEnum):
    """Why a request waits for a person of ours, or why it failed; also the `type` of our `ApplicationError`s."""

    UNAUTHORISED = "unauthorised"
    PROVIDER_UNSURE = "provider_unsure"
    PLANNING = "planning"
    DIRECTORY = "directory"
    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    ID_USED_BEFORE = "id_used_before"
    DOCUMENT_DELETED = "document_deleted"
    CONVERT_ERROR = "convert_error"
    SENDING_ERROR = "sending_error"

    @property
    def terminal(self) -> bool:
        """Whether no mending helps: the request ends `failed`."""
        return self in (Code.ID_USED_BEFORE, Code.DOCUMENT_DELETED, Code.CONVERT_ERROR, Code.SENDING_ERROR)


# --- the request and its policy (formats.md) ---------------------------------------------------------------------


class Document(Model):
    """The document to sign: bytes of the store by their SHA-256, or a template of Core Signature by its URL."""

    name: str
    sha256: str | None = None
    size: int = 0
    file_name: str = "document.pdf"
    template: str | None = None


class Signer(Model):
    """Somebody who is asked: a directory id, or `signer-<position>` of an inline entry kept beside the request."""

    person: str
    order: int
    role: Role = Role.SIGN


class Reminders(Model):
    """First reminder after `first`, then every `every`, at most `most` per signer."""

    first: Duration = "3d"
    every: Duration = "3d"
    most: int = 4


class EscalationAction(StrEnum):
    """`notify` alerts the alternate; `reassign` forwards the request to them."""

    NOTIFY = "notify"
    REASSIGN = "reassign"


class Escalation(Model):
    """When a silent signer's request reaches somebody who can act: a duration, a share (`60%`) or `used-up`."""

    after: str = "used-up"
    or_: str | None = Field(default="60%", alias="or")
    action: EscalationAction = EscalationAction.NOTIFY
    to: tuple[str, ...] = ("alternates", "delegate", "manager")
    alternates: tuple[str, ...] = ()
    depth: int = 3
    fallback: str | None = None


class Target(Model):
    """One entry of the hand-off: exactly one of `person`, `group`, `url`, `workflow` says how it is told."""

    target: str
    person: str | None = None
    group: str | None = None
    url: str | None = None
    workflow: str | None = None
    on: tuple[Status, ...] = (Status.SIGNED,)
    personal: bool = False


class Policy(Model):
    """The resolved policy of one request; it travels in the workflow's input so that a catalogue may change later."""

    window: Duration = "30d"
    reminders: Reminders | None = Reminders()
    warnings: tuple[Duration, ...] = ("2d", "1d")
    hours: str = "any"
    urgent: bool = False
    escalation: Escalation | None = Escalation()
    handoff: tuple[Target, ...] = ()


class Brief(Model):
    """What every call about a request needs to know of it."""

    id: str
    kind: str
    document: Document
    requester: str
    signers: tuple[Signer, ...]
    message: str | None = None
    urgent: bool = False


# --- the agenda (Planner → workflow) -----------------------------------------------------------------------------


class MomentKind(StrEnum):
    """What an instant of the agenda is for."""

    REMIND = "remind"
    WARN = "warn"
    ESCALATE = "escalate"
    EXPIRE = "expire"


class Moment(Model):
    """One planned instant: `stage` names it in keys (`reminder-2`, `warning-1d`, `escalation`), `why` says it in words.

    `person` is the silent signer it is about; `to` is who hears it (an escalation goes to somebody else).
    """

    at: AwareDatetime
    kind: MomentKind
    stage: str
    person: str
    to: str
    why: str


class Agenda(Model):
    """The instants planned for the signers whose turn it is, earliest first, and the due date, all in UTC."""

    due_at: AwareDatetime
    moments: tuple[Moment, ...] = ()


class Turn(Model):
    """A signer whose turn it is, and the instant from which their offsets count (pauses already added)."""

    person: str
    since: AwareDatetime


class Planning(Model):
    """Input of the planner: never the clock, `now` comes from the workflow."""

    brief: Brief
    policy: Policy
    due: Annotated[AwareDatetime | date | None, Field(union_mode="left_to_right")]
    window_from: AwareDatetime
    turns: tuple[Turn, ...]
    now: AwareDatetime


# --- what the provider says --------------------------------------------------------------------------------------


class SignerSeen(Model):
    """One signer as the provider tells it, matched to our person."""

    person: str
    state: SignerState
    at: AwareDatetime | None = None
    reason: str | None = None


class DocumentSeen(Model):
    """The document as read from the API: the only source a status is believed from (faults.md, fact 1).

    `status` is None for a code we do not know: the previous one is kept and `raw` goes into the timeline.
    """

    document: str
    status: Status | None
    raw: str
    signers: tuple[SignerSeen, ...] = ()
    code: Code | None = None


class ProviderEvent(Model):
    """Signal `provider_event`: a hint that something happened; `id` is the event's uuid, `type` the provider's word."""

    id: str
    type: str
    at: AwareDatetime


class CreateOrder(Model):
    """Make the document and its request, or take over what an earlier attempt made (design.md step 2)."""

    brief: Brief


class CancelOrder(Model):
    """Cancel whatever the provider has under this request; `document` is None when the creation is in doubt."""

    brief: Brief
    document: str | None


# --- notices to people -------------------------------------------------------------------------------------------


class NoticeAction(StrEnum):
    """What tapping a notice is for; `withdraw` removes the one with the same key from the screen."""

    SIGN = "sign"
    APPROVE = "approve"
    OPEN = "open"
    WITHDRAW = "withdraw"


class Channel(StrEnum):
    """How a notice travels; `mail` is Core Signature's own."""

    PUSH = "push"
    MAIL = "mail"
    SMS = "sms"


class Outcome(StrEnum):
    """What became of a notice."""

    ACCEPTED = "accepted"
    SUPPRESSED = "suppressed"
    FAILED = "failed"
    WITHDRAWN = "withdrawn"


class Notice(Model):
    """One notice to one person; its identity is request, stage and person."""

    key: str
    stage: str
    person: str
    action: NoticeAction
    about: str | None = None
    """Escalations: the silent signer."""


class Delivery(Model):
    """One stage for all its recipients. With `document` set it is read again first and nobody who acted is told."""

    brief: Brief
    notices: tuple[Notice, ...]
    due_at: AwareDatetime | None = None
    document: str | None = None
    devices: tuple[str, ...] | None = None
    """Only these devices (short hashes): the ones an earlier call left open."""
    outcome: Status | None = None


class DeviceOutcome(Model):
    """What became of one device; `device` is a short hash, never the token."""

    device: str
    outcome: Outcome


class Delivered(Model):
    """The line of the reminder ledger for one notice."""

    key: str
    stage: str
    person: str
    channel: Channel
    outcome: Outcome
    why: str | None = None
    devices: tuple[DeviceOutcome, ...] = ()


class DeliveryReport(Model):
    """Results per notice; `open_devices` are worth another try, not before `retry_after` seconds have passed."""

    delivered: tuple[Delivered, ...] = ()
    open_devices: tuple[str, ...] = ()
    retry_after: float = 0
    seen: DocumentSeen | None = None


# --- hand-off ----------------------------------------------------------------------------------------------------


class HandoffState(StrEnum):
    """Where one target of the fan-out stands; `dead` is final and carries its reason."""

    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"
    DEAD = "dead"


class SettledSigner(Model):
    """A signer's last state, as handed off."""

    person: str
    state: SignerState
    at: AwareDatetime | None = None


class Settled(Model):
    """The facts of a settled request; the `data` of the HTTP hand-off and the argument of `signature_settled`."""

    request: str
    kind: str
    outcome: Status
    at: AwareDatetime
    external_id: str
    document_sha256: str | None = None
    signers: tuple[SettledSigner, ...] = ()
    link: str | None = None


class HandoffCall(Model):
    """One target to be told now, with the key that makes a repetition harmless."""

    target: Target
    key: str
    notice: Notice | None = None
    """For a target that is a person: what they are told."""
    attempt: int = 1
    listed: bool = True
    """False for people told of the ending: they show among the notifications, not among the hand-offs."""


class HandoffBatch(Model):
    """All open targets of a settled request; `document` is the provider's uuid for the link."""

    brief: Brief
    settled: Settled
    calls: tuple[HandoffCall, ...]
    document: str | None = None
    number: int = 1
    """Which batch of the request this is; its amendment of the settled record has the same number."""
    at: AwareDatetime | None = None


class HandoffResult(Model):
    """What became of one target; `gone` means that no retry can help (`workflow_closed`, HTTP 410)."""

    target: str
    ok: bool
    gone: bool = False
    why: str | None = None
    retry_after: float = 0
    delivered: tuple[Delivered, ...] = ()


class HandoffReport(Model):
    """A result per call of the batch."""

    results: tuple[HandoffResult, ...]


# --- people's wishes ---------------------------------------------------------------------------------------------


class Cancellation(Model):
    """Update `cancel`: who wants it and why; `op` makes a repetition harmless."""

    reason: str
    actor: str
    op: str | None = None


class Ending(Model):
    """How we mean to end the request ourselves; the provider's word still wins."""

    outcome: Status
    who: str
    why: str


class Problem(Model):
    """What is wrong and needs a person; the clocks stand while it is set."""

    code: Code
    since: AwareDatetime
    says: str


def latest(*instants: datetime | None) -> datetime | None:
    """The latest of the given instants, None when there is none."""
    return max((instant for instant in instants if instant is not None), default=None)
