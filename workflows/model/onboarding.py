"""Models of an onboarding: stages in sequence, the parts of each in parallel, orders to start, read and end parts."""

from enum import StrEnum

from pydantic import AwareDatetime

from workflows.kinds import Kind
from workflows.model.base import Model
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
        """None for news, which are sent at once."""
        match self:
            case PartKind.AGREEMENT:
                return Kind.REQUEST
            case PartKind.NOTICE:
                return None
            case _:
                return Kind.TASK


class PartPlan(Model):
    """A part as in the file; `number` ends its workflow id. `asked` are those asked first, or recipients of news.
    `team` is the file's word, `members` their directory ids; `text` a reference.
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
    """Parts that run in parallel."""

    name: str
    parts: tuple[PartPlan, ...]


class Onboarding(Subject):
    """Its requester is its owner, its people are the customer's. `told` hear when the customer has signed; `content`
    references what its parts start from.
    """

    type: Kind = Kind.ONBOARDING
    teams: tuple[str, ...] = ()
    """People, and groups as `group:<name>`: they may look at it."""
    told: tuple[str, ...] = ()
    content: str = ""
    quiet: NotificationBudget | None = None
    """The notification budget of the customer's people."""

    @property
    def customer(self) -> str:
        """The customer's person id."""
        return self.people[0].person

    @property
    def subject(self) -> Subject:
        return Subject(**{name: getattr(self, name) for name in Subject.model_fields})


class PartToStart(Model):
    """`after` is the workflow that a decision task is about; `status` its ending unless terminated, `says` why it could
    not be started. `content` is a reference, None for the onboarding's own. `again` resumes a terminated one.
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
    """Parts to start for one onboarding, at its own clock, which may be ahead.

    `content` is the reference of the common content; `told` hear of each signed agreement.
    """

    onboarding: str
    content: str
    told: tuple[str, ...] = ()
    quiet: NotificationBudget | None = None
    depth: int = 0
    parts: tuple[PartToStart, ...]
    now: AwareDatetime | None = None

    @property
    def workflow_id(self) -> str:
        return Kind.ONBOARDING.workflow_id(self.onboarding)


class PartSnapshot(Model):
    """A part's workflow: `status` once ended, `says` why it could not be started. `broken` if terminated or failed;
    `resumable`: its document may be open.
    """

    id: str
    status: Status | None = None
    at: AwareDatetime | None = None
    broken: bool = False
    resumable: bool = False
    says: str = ""
    by: str | None = None
    """Who declined it."""


class PartsToLookAt(Model):
    """Parts without news for a while."""

    parts: tuple[str, ...]


class PartsToEnd(Model):
    """By whom and why; a decision that was made is `done`. `begun_by` limits them to those started by this workflow.
    `told` hear of it from the onboarding. `begun` has the contents of agreements that Temporal may have forgotten.
    """

    parts: tuple[str, ...]
    actor: str
    reason: str
    done: bool = False
    begun_by: str | None = None
    told: tuple[str, ...] = ()
    begun: PartsToStart | None = None


class StartedPart(Model):
    """A started part; `asked` are those asked first, capped."""

    id: str
    asked: tuple[str, ...] = ()


class PartSnapshots(Model):
    """`away` are ids that a retry may start, `begun` those started now or before."""

    parts: tuple[PartSnapshot, ...]
    away: tuple[str, ...] = ()
    begun: tuple[StartedPart, ...] = ()
