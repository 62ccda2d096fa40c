"""The subject of a follow-up: participants, roles, status, error codes; models of a task."""

from enum import StrEnum
from typing import Final, Self

from workflows.kinds import Kind, WorkflowName
from workflows.model.base import Model
from workflows.names import noticed_as

_GROUP: Final = "group:"


class Status(StrEnum):
    """Status of a follow-up; `rank` never goes back (docs/core-signature.md, Statuses).

    A request with reviewers begins in `review`. A task is `open`, then `done`, `waived`, cancelled or expired; a
    campaign is `done_with_errors` when members expired, declined, failed or could not be asked.
    """

    OPEN = "open"
    REVIEW = "review"
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
    def has_ended(self) -> bool:
        return self.rank == len(_LIVING)

    @property
    def fulfilled(self) -> bool:
        return self in (Status.SIGNED, Status.DONE, Status.DONE_WITH_ERRORS)

    @property
    def rank(self) -> int:
        """Order of progress; all endings rank alike."""
        return _LIVING.index(self) if self in _LIVING else len(_LIVING)


class Role(StrEnum):
    """What a participant is asked to do; `copy` only receives the result. `review` is before it is sent, and `revise`
    is for a new version after changes were asked for.
    """

    SIGN = "sign"
    APPROVE = "approve"
    DO = "do"
    COPY = "copy"
    REVIEW = "review"
    REVISE = "revise"


class Code(StrEnum):
    """Code of a problem or failure; also the `type` of our `ApplicationError`s."""

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
    EVIDENCE = "evidence"
    """What is to be kept of an ended request is not there yet."""

    @property
    def terminal(self) -> bool:
        """Whether it cannot be fixed: the request ends `failed`."""
        return self in _TERMINAL


class LockScreen(StrEnum):
    """What a notification shows on a locked phone: the document's name, or only the action."""

    FULL = "full"
    GENERIC = "generic"


class Verify(StrEnum):
    """How Core Signature itself verifies a signer before they see the document."""

    PHONE = "phone"
    """By a code that it sends to their number."""
    PASSWORD = "password"  # noqa: S105
    """By a word that the requester tells them."""


class Identity(StrEnum):
    """What our page asks of a signer beside their link, from the weakest."""

    LINK = "link"
    """Nothing."""
    CODE = "code"
    """A code that comes on another channel than the notice."""
    SIGN_IN = "sign-in"
    """That they are signed in at the desk."""

    def is_weaker_than(self, other: "Identity") -> bool:
        strengths = list(Identity)
        return strengths.index(self) < strengths.index(other)


def group_word(group: str) -> str:
    """How a group stands where a person's id could: `group:sales`, which is no id."""
    return f"{_GROUP}{group}"


def group_of(person: str) -> str | None:
    """The group of `group:sales`; None for a person's id."""
    return person.removeprefix(_GROUP) if person.startswith(_GROUP) else None


class Participant(Model):
    """A directory id, or `p-<12 hex>` of a person described in full beside its workflow."""

    person: str
    order: int = 1
    role: Role = Role.SIGN
    verify: Verify | None = None
    team: str = ""
    """The group of which one suffices: its members share an order."""
    beside: bool = False
    """Whether Core Signature asks another member of the group; whoever signs takes that one's place."""

    @property
    def shares_place(self) -> bool:
        """Whether any one of the group signs, in one place at Core Signature."""
        return self.team != "" and self.role is not Role.REVIEW


class Roster(Model):
    """The participants."""

    id: str
    people: tuple[Participant, ...]

    @property
    def at_core(self) -> Self:
        """With those only whom Core Signature asks."""
        return self.replace(people=tuple(participant for participant in self.people if not participant.beside))


class Subject(Roster):
    """What planning and notifications need to know of a follow-up."""

    type: Kind = Kind.REQUEST
    kind: str
    """Kind of the catalogue."""
    title: str
    requester: str
    """A person, or a group as `group:<name>`."""
    notify_all: bool = False
    """Of a group that asks: all of it hears everything, also after somebody has taken it on."""
    taken_by: str | None = None
    """Who of the group has taken it on, and hears of it instead of all."""
    urgent: bool = False
    lock_screen: LockScreen = LockScreen.FULL
    identity: Identity = Identity.LINK
    """What the page asks of signers."""
    depth: int = 0
    """Number of onboardings before it in a chain of targets."""
    round: int = 0
    """Of the review that a request is in; 0 once its signers are asked."""

    @property
    def workflow_id(self) -> str:
        """The workflow id; inline people are stored under it."""
        return self.type.workflow_id(self.id)

    @property
    def reference(self) -> str:
        return WorkflowName(self.type, self.id).reference

    @property
    def notice_id(self) -> str:
        """The first part of the keys of its notices."""
        return noticed_as(self.id, self.round)

    @property
    def onboarding_workflow_id(self) -> str | None:
        """Workflow id of the onboarding `ID` if its own id is `ID.PART`."""
        owner, dot, _ = self.id.partition(".")
        return Kind.ONBOARDING.workflow_id(owner) if dot else None

    @property
    def roster(self) -> Roster:
        return Roster(id=self.id, people=self.people)


class ToDecide(Model):
    """The onboarding part of a decision task; the decision itself ends the task."""

    onboarding: str
    part: str

    @property
    def reference(self) -> str:
        """The onboarding's id for outside systems."""
        return WorkflowName(Kind.ONBOARDING, self.onboarding).reference

    @property
    def command(self) -> str:
        """The command line that decides it."""
        decide = f"countersign onboard decide {self.onboarding} --part {self.part}"
        return f"{decide}, and one of --resend, --replace FILE, --waive --reason R, --stop --reason R"


class AnswerField(Model):
    """A text field: its `label` and number of lines."""

    label: str
    required: bool = True
    lines: int = 1


class Task(Subject):
    """Its requester is its owner, its people are the assignees."""

    type: Kind = Kind.TASK
    text: str = ""
    """Reference of the owner's text."""
    colleagues: tuple[str, ...] = ()
    """The only possible replacements, if any are named."""
    group: str = ""
    """The group whose people are asked, if one is."""
    decides: ToDecide | None = None
    answer: AnswerField | None = None
    """The answer asked for, if any."""

    @property
    def subject(self) -> Subject:
        return Subject(**{name: getattr(self, name) for name in Subject.model_fields})


_LIVING = (Status.OPEN, Status.REVIEW, Status.CONVERTING, Status.SENT, Status.VIEWED)
_TERMINAL: Final = (
    *(Code.ID_USED_BEFORE, Code.DOCUMENT_DELETED, Code.CONVERT_ERROR, Code.SENDING_ERROR),
    Code.NOT_OPENED,
)
