"""What is shown of a request: the shape of every answer to "what is it waiting for?" (the outside contract)."""

from enum import StrEnum

from pydantic import AwareDatetime

from workflows.model.attention import Attention
from workflows.model.base import Model
from workflows.model.entries import AskedQuestion, EscalationEntry, TimelineEntry
from workflows.model.notices import Notification
from workflows.model.request import SignerState
from workflows.model.settlement import HandoffLine
from workflows.model.subject import Role, Status
from workflows.model.wishes import Problem


class WaitingFor(Model):
    """Somebody the request waits for, and since when it is their turn."""

    person: str
    since: AwareDatetime


class NextStep(StrEnum):
    """What a request does next."""

    REMIND = "remind"
    WARN = "warn"
    ESCALATE = "escalate"
    EXPIRE = "expire"
    HAND_OFF = "hand-off"
    WAIT = "wait"


class Next(Model):
    """What happens next, and why; `at` is None for an open wait."""

    what: NextStep
    at: AwareDatetime | None
    why: str


class SignerLine(Model):
    """A signer as shown."""

    person: str
    order: int
    role: Role
    state: SignerState
    at: AwareDatetime | None = None
    late: bool = False
    """They signed after the due date."""


class Choices(Model):
    """What a signer whose turn it is may do on the page beside signing."""

    person: str
    snoozes_left: int
    snooze_until: AwareDatetime | None
    """The latest instant they may ask to be reminded at."""
    hand_over: bool
    ask: bool
    reminded_at: AwareDatetime | None = None
    """When they asked to be reminded, if that is still to come."""


class RequestShow(Model):
    """The answer of `request show`."""

    id: str
    kind: str
    document: str = ""
    requester: str = ""
    status: Status
    problem: Problem | None = None
    attention: tuple[Attention, ...] = ()
    """What needs somebody although nothing is broken, the most pressing first."""
    waiting_for: tuple[WaitingFor, ...] = ()
    next: Next | None = None
    due_at: AwareDatetime | None = None
    closes_at: AwareDatetime | None = None
    late: bool = False
    """Somebody signed after the due date, or it has passed and somebody still has to."""
    signers: tuple[SignerLine, ...] = ()
    notifications: tuple[Notification, ...] = ()
    earlier: int = 0
    """How many older notifications there are beside these: `show --all` has them from the store."""
    escalations: tuple[EscalationEntry, ...] = ()
    handoffs: tuple[HandoffLine, ...] = ()
    timeline: tuple[TimelineEntry, ...] = ()
    question: AskedQuestion | None = None
    """The one that waits for an answer."""
    answered: tuple[AskedQuestion, ...] = ()
    choices: tuple[Choices, ...] = ()
    says: str = ""
    trouble: str | None = None
    """What the workflow cannot say of itself: `terminated`, `failed`, `timed out` or `paused` in Temporal."""
    partial: bool = False

    @property
    def overdue(self) -> bool:
        """Whether it still waits after its due date."""
        return self.late and not self.status.ended

    @property
    def questions(self) -> tuple[AskedQuestion, ...]:
        """Everything that signers asked, oldest first."""
        return self.answered + ((self.question,) if self.question else ())
