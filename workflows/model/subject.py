"""What is followed up: what it is about, who takes part, and where it stands."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from workflows.kinds import Kind, WorkflowName
from workflows.model.base import Model


class Status(StrEnum):
    """Where it stands; the order of `rank` is never walked backwards (docs/core-signature.md, Statuses).

    A task is `open` until it is `done`, `waived`, cancelled or expired; a campaign is `done_with_errors` when some of
    its audience expired, declined, failed or could not be asked.
    """

    OPEN = "open"
    CONVERTING = "converting"
    SENT = "sent"
    VIEWED = "viewed"
    SIGNED = "signed"
    DONE = "done"
    DONE_WITH_ERRORS = "done_with_errors"
    WAIVED = "waived"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    FAILED = "failed"

    @property
    def ended(self) -> bool:
        """Whether this status is final."""
        return self.rank == len(_LIVING)

    @property
    def fulfilled(self) -> bool:
        """Whether it ended as whoever asked for it wanted."""
        return self in (Status.SIGNED, Status.DONE, Status.DONE_WITH_ERRORS)

    @property
    def rank(self) -> int:
        """Position on the way to an ending; all endings rank alike."""
        return _LIVING.index(self) if self in _LIVING else len(_LIVING)


_LIVING = (Status.OPEN, Status.CONVERTING, Status.SENT, Status.VIEWED)
BEGINS: Final[Mapping[Kind, Status]] = {
    Kind.REQUEST: Status.CONVERTING,
    Kind.TASK: Status.OPEN,
    Kind.ONBOARDING: Status.OPEN,
    Kind.CAMPAIGN: Status.OPEN,
}
"""Where each kind stands when it is started."""


class Role(StrEnum):
    """What somebody is asked to do; `copy` only receives the result."""

    SIGN = "sign"
    APPROVE = "approve"
    DO = "do"
    COPY = "copy"


class Code(StrEnum):
    """Why a request waits for a person of ours, or why it failed; also the `type` of our `ApplicationError`s."""

    UNAUTHORISED = "unauthorised"
    PROVIDER_UNSURE = "provider_unsure"
    PLANNING = "planning"
    DIRECTORY = "directory"
    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    PUSH_MISMATCH = "push_mismatch"
    UNBALANCED = "unbalanced"
    ID_USED_BEFORE = "id_used_before"
    DOCUMENT_DELETED = "document_deleted"
    CONVERT_ERROR = "convert_error"
    SENDING_ERROR = "sending_error"
    NOT_OPENED = "not_opened"

    @property
    def terminal(self) -> bool:
        """Whether no mending helps: the request ends `failed`."""
        return self in _TERMINAL


_TERMINAL: Final = (
    *(Code.ID_USED_BEFORE, Code.DOCUMENT_DELETED, Code.CONVERT_ERROR, Code.SENDING_ERROR),
    Code.NOT_OPENED,
)


class LockScreen(StrEnum):
    """What a notice says to whoever sees the phone: the document's name, or only what is asked for."""

    FULL = "full"
    GENERIC = "generic"


class Participant(Model):
    """Somebody who is asked: a directory id, or `p-<12 hex>` of an inline entry, kept beside its workflow."""

    person: str
    order: int = 1
    role: Role = Role.SIGN


class Roster(Model):
    """Who takes part: what reading a document takes."""

    id: str
    people: tuple[Participant, ...]


class Subject(Roster):
    """What everyone needs to know of it who plans for people or tells them about it."""

    type: Kind = Kind.REQUEST
    kind: str
    """Of which kind of the catalogue it is."""
    title: str
    requester: str
    urgent: bool = False
    lock_screen: LockScreen = LockScreen.FULL
    depth: int = 0
    """How many onboardings came before it, each started by a target of the one before or of a part of that."""

    @property
    def workflow_id(self) -> str:
        """Its workflow id, which tells it from everything else, and beside which people are kept who stand in full."""
        return self.type.workflow_id(self.id)

    @property
    def reference(self) -> str:
        """What outside systems know it by."""
        return WorkflowName(self.type, self.id).reference

    @property
    def roster(self) -> Roster:
        """Who takes part, without the rest."""
        return Roster(id=self.id, people=self.people)


class ToDecide(Model):
    """The part of an onboarding that a task asks to decide about: it is done by a decision, which is taken there."""

    onboarding: str
    part: str

    @property
    def reference(self) -> str:
        """What outside systems know the onboarding by."""
        return WorkflowName(Kind.ONBOARDING, self.onboarding).reference

    @property
    def command(self) -> str:
        """How it is decided at a terminal."""
        decide = f"countersign onboard decide {self.onboarding} --part {self.part}"
        return f"{decide}, and one of --resend, --replace FILE, --waive --reason R, --stop --reason R"


class AnswerField(Model):
    """What whoever does a task is asked to write: the `label` of the field, and how many lines it has."""

    label: str
    required: bool = True
    lines: int = 1


class Task(Subject):
    """A task as it was asked for; its requester is its owner, its people are all asked."""

    type: Kind = Kind.TASK
    text: str = ""
    """What is to be done in the owner's words, by its reference: the text is in the store."""
    colleagues: tuple[str, ...] = ()
    """The only ones to whom whoever is asked may hand over themselves, if any are named."""
    decides: ToDecide | None = None
    answer: AnswerField | None = None
    """What is to be answered by doing it, if anything is."""

    @property
    def subject(self) -> Subject:
        """What everyone needs to know who plans for people or tells them about it."""
        return Subject(**{name: getattr(self, name) for name in Subject.model_fields})
