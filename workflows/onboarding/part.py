"""One part of an onboarding as it is remembered: where it stands, under which ids it runs, what it was told. Pure."""

from enum import StrEnum
from typing import Final, Self

from pydantic import AwareDatetime

from workflows.kinds import Kind
from workflows.model.base import Model
from workflows.model.onboarding import PartKind, PartSeen, PartToStart
from workflows.model.subject import Status
from workflows.model.views import PartTurn
from workflows.model.wishes import Decision

TURNS_AT_MOST: Final = 20
"""Turns of one part that are remembered: of a longer way through it only the last."""
ASKED_AT_MOST: Final = 20
"""How often the owner is asked about one part, should the tasks to decide end without a decision."""

DECISION: Final = "onboarding-decision"
"""The kind of the catalogue that tasks to decide are."""


class PartState(StrEnum):
    """Where a part stands."""

    COMING = "coming"
    OPEN = "open"
    DONE = "done"
    UNDECIDED = "undecided"
    """It has ended otherwise than it should, and its owner is asked what to do."""
    WAIVED = "waived"
    STOPPED = "stopped"

    @property
    def over(self) -> bool:
        """Whether the stage no longer waits for it."""
        return self in (PartState.DONE, PartState.WAIVED, PartState.STOPPED)


class PartNews(StrEnum):
    """What the onboarding tells of a part; what it asks people for, and how it ended, the part says itself."""

    NOTICE = "notice"
    BEGUN = "begun"
    FINISHED = "finished"


class PartProgress(Model):
    """One part: `status` is how its workflow ended last, `says` why it could not be started.

    `asked` counts the tasks to decide about it, `deciding` says that one of them is open, `unasked` that it could not
    be started: whatever is wrong will not be mended within seconds, so the next look tries again. `content` replaces
    what the file says. `since` is when it was started last, `at` when it ended; `left` says that it was terminated
    instead. `turns` say for whom it waits by its own word, the latest last; `decision_turn` the same of the
    task to decide.
    """

    id: str
    place: str
    """`<onboarding>.<stage number>.<n>`, the id of its first workflow."""
    runs_as: Kind | None = None
    state: PartState = PartState.COMING
    tries: int = 1
    status: Status | None = None
    says: str = ""
    since: AwareDatetime | None = None
    at: AwareDatetime | None = None
    asked: int = 0
    deciding: bool = False
    unasked: bool = False
    left: bool = False
    content: str | None = None
    content_before: str | None = None
    """The same of the workflow before the latest one."""
    told: tuple[PartNews, ...] = ()
    turns: tuple[PartTurn, ...] = ()
    decision_turn: PartTurn | None = None

    @property
    def run(self) -> str:
        """The id of its latest workflow."""
        return self.place if self.tries == 1 else f"{self.place}.r{self.tries}"

    def begun_as(self, workflow_id: str) -> PartToStart | None:
        """What its latest workflow, or the one before, was started from; None for another's, and for a task."""
        before = self.replace(tries=self.tries - 1, content=self.content_before) if self.tries > 1 else self
        for one in (self, before):
            if one.runs_as is Kind.REQUEST and one.runs_as.workflow_id(one.run) == workflow_id:
                return PartToStart(part=one.id, id=one.run, what=PartKind.AGREEMENT, content=one.content)
        return None

    @property
    def open_workflows(self) -> tuple[str, ...]:
        """The ids of its workflows that may be open."""
        own = self._own_workflow if self.state is PartState.OPEN else ()
        return (*own, Kind.TASK.workflow_id(self.decision)) if self.deciding else own

    @property
    def abandoned(self) -> tuple[str, ...]:
        """The id of its workflow that was terminated, should nobody take it up: its document still asks people."""
        return self._own_workflow if self.left and self.state is not PartState.OPEN else ()

    @property
    def _own_workflow(self) -> tuple[str, ...]:
        return (self.runs_as.workflow_id(self.run),) if self.runs_as else ()

    @property
    def decision(self) -> str:
        """The id of the latest task to decide about it, or of the first."""
        return f"{self.run}.decide" if self.asked < 2 else f"{self.run}.decide.r{self.asked}"

    @property
    def next_decision(self) -> str:
        """The id of the task to decide about it that is next."""
        return self.replace(asked=self.asked + 1).decision

    @property
    def open_decisions(self) -> tuple[str, ...]:
        """The task to decide about it that may be open: nobody knows how far a start came that was not answered."""
        return (self.decision,) if self.deciding else (self.next_decision,) if self.to_ask else ()

    @property
    def turn(self) -> PartTurn | None:
        """For whom it waits, as far as it has said so itself."""
        return self.turns[-1] if self.turns else None

    @property
    def turn_to_decide(self) -> PartTurn | None:
        """For whom the open task to decide waits, as far as it has said so itself."""
        turn = self.decision_turn
        return turn if turn and turn.id == self.decision else None

    def heard(self, turn: PartTurn) -> Self:
        """The part with what it, or the task to decide about it, says of its turn; an older word changes nothing."""
        if self.state is PartState.UNDECIDED:
            decides = turn.id in (self.decision, self.next_decision)
            return self.replace(decision_turn=turn) if decides else self
        goes_on = self.state in (PartState.COMING, PartState.OPEN) and turn.id == self.run
        if not goes_on or (self.turns and turn.at < self.turns[-1].at):
            return self
        return self.replace(turns=(*self.turns, turn)[-TURNS_AT_MOST:])

    def hears(self, seen: PartSeen) -> bool:
        """Whether this changes anything: of one that ended otherwise, or was broken off, a good end still does."""
        if self.state is PartState.UNDECIDED:
            return seen.status is not None and (seen.status.fulfilled or seen.status is Status.WAIVED)
        return not self.state.over

    def after(self, wish: Decision) -> Self:
        """The part once its owner has decided: it is waived, or to be started once more under an id of its own.

        One that was left as it was is taken up instead: of another one people would have a second document to sign.
        """
        if not wish.choice.again:
            return self.replace(state=PartState.WAIVED, deciding=False, left=False)
        again = self.replace(state=PartState.COMING, deciding=False, unasked=False)
        again = again.replace(status=None, says="", since=None, at=None)
        if self.left and wish.content is None:
            return again
        content = wish.content or self.content
        again = again.replace(tries=self.tries + 1, content=content, content_before=self.content)
        return again.replace(asked=0, left=False, told=(), turns=())

    @property
    def to_ask(self) -> bool:
        """Whether its owner is to be asked about it."""
        waits = self.deciding or self.unasked
        return self.state is PartState.UNDECIDED and not waits and self.asked < ASKED_AT_MOST


def decided_onboarding(task: str) -> str | None:
    """The id of the onboarding about whose part this task asks to decide, None for the id of any other task."""
    part, found, again = task.rpartition(".decide")
    if not found or not (again == "" or _is_round(again.removeprefix("."))):
        return None
    places = part.split(".")
    if _is_round(places[-1]):
        places.pop()
    onboarding = ".".join(places[:-2])
    return onboarding if onboarding and all(place.isdecimal() for place in places[-2:]) else None


def _is_round(word: str) -> bool:
    return word.startswith("r") and word[1:].isdecimal()
