"""What an onboarding is: stages one after the other, and the parts that run side by side in each."""

from enum import StrEnum

from pydantic import AwareDatetime

from workflows.kinds import Kind
from workflows.model.base import Model, Packed
from workflows.model.notifications import NotificationBudget
from workflows.model.subject import Status, Subject


class PartKind(StrEnum):
    """What a part of a stage is: a signature request, a task of ours, one of the customer's, or news."""

    AGREEMENT = "agreement"
    TASK = "task"
    STEP = "step"
    NOTICE = "notice"

    @property
    def runs_as(self) -> Kind | None:
        """The kind of workflow that it is; None for news, which are told at once."""
        match self:
            case PartKind.AGREEMENT:
                return Kind.REQUEST
            case PartKind.NOTICE:
                return None
            case _:
                return Kind.TASK


class PartPlan(Model):
    """A part as the file has it; `number` is the last word of its workflow's id.

    `asked` are those who are asked first, or all who get the news. `team` is the word of the file for a team or for the
    customer, `members` are the ids of the people that it means. `text` is the reference of its text.
    """

    id: str
    what: PartKind
    number: int
    title: str
    kind: str = ""
    team: str | None = None
    asked: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    text: str | None = None
    tell_customer: bool = False


class StagePlan(Model):
    """What runs side by side; the next stage begins when all of it is done."""

    name: str
    parts: tuple[PartPlan, ...]


class Onboarding(Subject):
    """An onboarding as it was asked for; its requester is its owner, its people are the customer's.

    `told` are those who hear when the customer has signed; `content` is the reference of what its parts are started
    from, which is in the store.
    """

    type: Kind = Kind.ONBOARDING
    told: tuple[str, ...] = ()
    content: str = ""
    quiet: NotificationBudget | None = None
    """The budget of notices that its parts share for the customer's people; each part knows them by ids of its own."""

    @property
    def customer(self) -> str:
        """The customer: an id of the directory, or of somebody who stands in full in the file."""
        return self.people[0].person

    @property
    def subject(self) -> Subject:
        """What everyone needs to know who tells people about it."""
        return Subject(**{name: getattr(self, name) for name in Subject.model_fields})


class PartToStart(Model):
    """A part that is to be started under this id, which names the onboarding, the stage and the part.

    `after` is the workflow whose ending somebody is to decide about: then it is that task. `status` is how it ended, if
    it was not broken off, and `says` why it could not be started.
    `content` is the reference of what it is started from, None for what the onboarding's file says. `again` takes up
    one that somebody has terminated.
    """

    part: str
    id: str
    what: PartKind
    again: bool = False
    content: str | None = None
    after: str | None = None
    status: Status | None = None
    says: str = ""


class PartsToStart(Model):
    """Parts of the onboarding with this id, as of its own time: where its clock was moved ahead theirs begin there.

    `content` is the reference of what all its parts are started from; `told` hear of each signed agreement.
    """

    onboarding: str
    content: str
    told: tuple[str, ...] = ()
    quiet: NotificationBudget | None = None
    depth: int = 0
    parts: Packed[tuple[PartToStart, ...]]
    now: AwareDatetime | None = None

    @property
    def workflow_id(self) -> str:
        """The onboarding's."""
        return Kind.ONBOARDING.workflow_id(self.onboarding)


class PartSeen(Model):
    """How the workflow with this id stands: `status` once it has ended, `says` why it could not be started.

    `broken` when it was terminated, or failed: nobody goes on with it. `left` when nobody has ended it either, so that
    it may be taken up again: its document may still ask people to sign.
    """

    id: str
    status: Status | None = None
    at: AwareDatetime | None = None
    broken: bool = False
    left: bool = False
    says: str = ""
    by: str | None = None
    """Who declined it."""


class PartsToLookAt(Model):
    """Workflow ids of parts that were not heard of for a while."""

    parts: Packed[tuple[str, ...]]


class PartsToEnd(Model):
    """Workflow ids of parts that nobody needs any more, by whom and why; a decision that was made is `done`.

    With `begun_by` only those of them that were started for this workflow: others may have the ids as well.
    `told` hear of it from the onboarding. `begun` is what agreements among them were started from, for those that
    Temporal has forgotten.
    """

    parts: Packed[tuple[str, ...]]
    actor: str
    reason: str
    done: bool = False
    begun_by: str | None = None
    told: tuple[str, ...] = ()
    begun: PartsToStart | None = None


class PartBegun(Model):
    """The workflow with this id was started; `asked` are those whom it asks first, of a crowd only some."""

    id: str
    asked: tuple[str, ...] = ()


class PartsSeen(Model):
    """How each of them stands; `away` are the ids of those that a repetition may start, for the others were.

    `begun` are those that were started, or had been.
    """

    parts: Packed[tuple[PartSeen, ...]]
    away: tuple[str, ...] = ()
    begun: Packed[tuple[PartBegun, ...]] = ()
