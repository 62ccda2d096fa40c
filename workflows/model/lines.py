"""The lines of what is shown: somebody who is asked and what they may do, a part of an onboarding."""

from pydantic import AwareDatetime

from workflows.model.base import Model
from workflows.model.request import SignerState
from workflows.model.subject import Role, Status


class SignerLine(Model):
    """A signer as shown."""

    person: str
    order: int
    role: Role
    state: SignerState
    at: AwareDatetime | None = None
    late: bool = False
    """They signed after the due date."""
    reason: str | None = None
    """Why they declined, in their own words."""


class Choices(Model):
    """What somebody whose turn it is may do on the page beside what they are asked for."""

    person: str
    snoozes_left: int
    snooze_until: AwareDatetime | None
    """The latest instant they may ask to be reminded at."""
    hand_over: bool
    ask: bool
    reminded_at: AwareDatetime | None = None
    """When they asked to be reminded, if that is still to come."""


class GivenAnswer(Model):
    """The answer that a task asks for, and once it is done what was answered, in somebody's own words."""

    label: str
    required: bool = True
    lines: int = 1
    text: str | None = None


class AssigneeLine(Model):
    """Somebody who was asked to do a task, as shown."""

    person: str
    state: str
    at: AwareDatetime | None = None


class TurnLine(Model):
    """For whom a part waited from `since` on: directory ids, of a crowd only the first."""

    people: tuple[str, ...]
    since: AwareDatetime


class PartLine(Model):
    """A part of a stage, as shown: `workflow` runs it, `decision` is the task to decide about it.

    `told` says that the customer hears of it: it is theirs, or the file says so. `content` is the reference of what it
    was started from: of its own, else of what all parts are started from.
    `members` are the ids of the people that `team` means. `turns` are for whom it waited, the latest last.
    """

    id: str
    title: str
    state: str
    kind: str = ""
    status: Status | None = None
    team: str | None = None
    members: tuple[str, ...] = ()
    told: bool = False
    workflow: str | None = None
    decision: str | None = None
    since: AwareDatetime | None = None
    at: AwareDatetime | None = None
    due_at: AwareDatetime | None = None
    says: str = ""
    content: str | None = None
    turns: tuple[TurnLine, ...] = ()

    def called(self, person: str) -> str:
        """Somebody as the file calls them: the word for a team, or for the customer, where it means them."""
        return self.team if self.team and person in self.members else person


class NoticeLine(Model):
    """News of a stage: to whom (the word of the file), and when they were told."""

    id: str
    to: str
    title: str
    state: str
    at: AwareDatetime | None = None


class StageLine(Model):
    """A stage of an onboarding as shown: `coming`, `open` or `done`; `stopped` when the onboarding has ended before."""

    name: str
    state: str
    since: AwareDatetime | None = None
    at: AwareDatetime | None = None
    agreements: tuple[PartLine, ...] = ()
    tasks: tuple[PartLine, ...] = ()
    steps: tuple[PartLine, ...] = ()
    notices: tuple[NoticeLine, ...] = ()

    @property
    def parts(self) -> tuple[PartLine, ...]:
        """All of it that somebody must do."""
        return self.agreements + self.tasks + self.steps
