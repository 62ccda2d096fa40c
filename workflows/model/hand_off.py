"""Models of the hand-off: facts of an ending or escalation, calls to targets and their results."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Final, Self, cast

from pydantic import AwareDatetime, SerializeAsAny, ValidatorFunctionWrapHandler, WrapValidator

from workflows.kinds import Kind, kinds
from workflows.model.base import ALWAYS_WRITTEN, Model
from workflows.model.campaign import Counts
from workflows.model.commands import Problem
from workflows.model.evidence import KeptFile, KeptFiles
from workflows.model.notifications import DeliveryResult
from workflows.model.onboarding import PartKind
from workflows.model.policy import NexusOperation, Target
from workflows.model.rejections import name_told
from workflows.model.schedule import EscalationReason
from workflows.model.signature import SignerState
from workflows.model.subject import Status


class HandoffState(StrEnum):
    """State of one target; `dead` is final and has a reason."""

    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"
    DEAD = "dead"


class HandoffLine(Model):
    """A target in a view; each replay has a line beside the original, numbered from 1.

    `why` is the last answer in words, `key` the id for outside systems: the `webhook-id` of a call.
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
    """Who wanted the replay, and how that is known."""


class SettledSigner(Model):
    """A signer's last state, as handed off."""

    person: str
    state: SignerState
    at: AwareDatetime | None = None


class EventData(Model):
    """What a target hears: the `data` of an event, which has its id under the word of its kind.

    The facts of a kind name it by `of`, which registers them for that kind.
    """

    of: ClassVar[Kind]

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        if "of" in cls.__dict__:
            _FACTS[cls.__base__, cls.of] = cls

    @classmethod
    def from_id(cls, id: str, **facts: Any) -> Self:
        """The facts of the one with this id."""
        return cls(**{cls.of: id}, **facts)


_FACTS: Final[dict[tuple[type | None, Kind], type[EventData]]] = {}


class EndedFacts(EventData):
    """How something ended: the `data` of the HTTP hand-off and the argument of subscribers' signal (docs/schemas/).

    `version` rises when readers must change: fields are only ever added.
    """

    version: Annotated[int, ALWAYS_WRITTEN] = 1
    kind: str
    outcome: Status
    at: AwareDatetime
    link: str | None = None
    late: bool = False
    """Somebody acted after the due date."""

    @property
    def acted(self) -> tuple[str, ...]:
        """Who brought this ending about, where they hear of it in words of their own."""
        return ()

    @property
    def kept_files(self) -> KeptFiles:
        """The provider's files that are told of."""
        return KeptFiles()

    @property
    def derived(self) -> Mapping[str, Any]:
        """What is told besides, and follows from these facts: histories have it once."""
        return {}


class SettledRequest(EndedFacts):
    """The facts of a settled request, as `signature_settled` tells them."""

    of: ClassVar[Kind] = Kind.REQUEST
    request: str
    external_id: str
    document_sha256: str | None = None
    """Of the document as it was sent."""
    document: KeptFile | None = None
    """The signed document, None while it is not kept."""
    signing_log: KeptFile | None = None
    signers: tuple[SettledSigner, ...] = ()

    @property
    def kept_files(self) -> KeptFiles:
        return KeptFiles(document=self.document, signing_log=self.signing_log)

    @property
    def derived(self) -> Mapping[str, Any]:
        """The hash of the signed document; `document_sha256` is that of the document as it was sent."""
        signed = self.outcome is Status.SIGNED and self.document is not None
        return {"signed_sha256": self.document.sha256 if signed and self.document else None}

    @property
    def acted(self) -> tuple[str, ...]:
        declined = self.outcome is Status.DECLINED
        states = (SignerState.DECLINED,) if declined else (SignerState.SIGNED, SignerState.APPROVED)
        return tuple(signer.person for signer in self.signers if signer.state in states)

    @property
    def declined_by(self) -> str | None:
        return next((name_told(signer.person) for signer in self.signers if signer.state is SignerState.DECLINED), None)


class SettledPerson(Model):
    """How somebody stood when a task ended, in a word."""

    person: str
    state: str
    at: AwareDatetime | None = None


class SettledTask(EndedFacts):
    """The facts of a task that has ended, as `task_settled` tells them; `by` is who ended it."""

    of: ClassVar[Kind] = Kind.TASK
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

    of: ClassVar[Kind] = Kind.ONBOARDING
    onboarding: str
    parts: tuple[SettledPart, ...] = ()


class SettledCampaign(EndedFacts):
    """The facts of a campaign that has ended, as `campaign.completed` tells them: how many stood how, and the record.

    `outcomes` is the SHA-256 of the list in which each person stands once, None where nobody was ever asked.
    """

    of: ClassVar[Kind] = Kind.CAMPAIGN
    campaign: str
    counts: Counts
    audience_sha256: str | None = None
    outcomes_sha256: str | None = None


class EscalationData(EventData):
    """An escalation: the `data` of that event.

    `number` counts the escalations and reassignments of one request or task.
    """

    version: Annotated[int, ALWAYS_WRITTEN] = 1
    kind: str
    at: AwareDatetime
    link: str | None = None
    number: int
    person: str
    to: str
    reason: EscalationReason


class EscalatedRequest(EscalationData):
    """Of a request, as `signature_escalated` tells it."""

    of: ClassVar[Kind] = Kind.REQUEST
    request: str
    external_id: str

    @classmethod
    def from_id(cls, id: str, **facts: Any) -> Self:
        return super().from_id(id, external_id=id, **facts)


class EscalatedTask(EscalationData):
    """Of a task, as `task_escalated` tells it."""

    of: ClassVar[Kind] = Kind.TASK
    task: str


def ended_of(kind: Kind) -> type[EndedFacts]:
    """The facts of an ending of this kind."""
    return cast("type[EndedFacts]", _FACTS[EndedFacts, kind])


def escalated_of(kind: Kind) -> type[EscalationData]:
    """The facts of an escalation of this kind."""
    return cast("type[EscalationData]", _FACTS[EscalationData, kind])


def _by_kind(content: Any, plain: ValidatorFunctionWrapHandler) -> EventData:
    """Facts as the model of what they are about; an escalation has a number, an ending has none."""
    if isinstance(content, dict):
        kind_key = next((kind for kind in kinds() if kind in content), None)
        if kind_key is None:
            raise ValueError("facts of no kind that is known")
        return (escalated_of(kind_key) if "number" in content else ended_of(kind_key)).model_validate(content)
    facts: EventData = plain(content)
    return facts


AnyEnded = Annotated[SerializeAsAny[EndedFacts], WrapValidator(_by_kind)]
AnyEscalated = Annotated[SerializeAsAny[EscalationData], WrapValidator(_by_kind)]
Told = Annotated[SerializeAsAny[EndedFacts | EscalationData], WrapValidator(_by_kind)]
"""What a target hears."""


class HandoffCall(Model):
    target: Target
    stage: str = ""
    """For a target that is a person: the stage of what they are told, if it is not the news itself."""
    attempt: int = 1
    replay: int = 0
    by: str | None = None
    listed: bool = True
    """False for people told of the ending: they show among the notifications, not among the hand-offs."""
    missed: tuple[str, ...] = ()
    """For a group: whom this attempt has tried and not reached in earlier calls."""
    transient: str | None = None
    """Why one of those may be reached by the next attempt."""
    reached: tuple[str, ...] = ()
    """For several people: who has it by now, so that nobody is told twice."""
    escalated: AnyEscalated | None = None
    """What it hears instead of the ending."""


class HandoffResult(Model):
    """Result of one target; `gone` means that no retry can help (`workflow_closed`, HTTP 410)."""

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
    delivered: tuple[DeliveryResult, ...] = ()
    more: bool = False
    """Some of a large group are still to be told: at once, in the same attempt."""
    missed: tuple[str, ...] = ()
    transient: str | None = None
    partly: bool = False
    """Some of a group were told, by this attempt or an earlier one: it ends done when nobody else can be."""
    told_before: bool = False
    """The record says so, as after a reset: it was not called, and has its line already."""


class ImmediateHandOff(Model):
    """Signal `hand_off_now`: call a target, or all, at once."""

    target: str | None = None


class ReplayedFacts(Model):
    """All hand-off lines of an ended one, with its replays."""

    id: str
    status: Status
    handoffs: tuple[HandoffLine, ...] = ()
    problem: Problem | None = None
    """What keeps it from reading the record, or from telling anybody."""


class HandoffReport(Model):
    """A result per call of the batch; whether the store recorded them.

    `number` is the number of the batch's amendment where the record had earlier ones, else 0.
    """

    results: tuple[HandoffResult, ...]
    recorded: bool = True
    number: int = 0


class OperationOrder(Model):
    """A Nexus operation, its argument (the facts), and its idempotency key."""

    operation: NexusOperation
    told: Told
    key: str
