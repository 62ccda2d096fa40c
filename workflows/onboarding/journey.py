"""How far an onboarding has come: where each part stands, and what its owner wishes. Pure.

The parts follow people up themselves; here is only what they are joined by.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Self

from pydantic import AwareDatetime

from workflows.follow_up.awaited import Awaited, Place
from workflows.follow_up.memory import FollowUp, Words
from workflows.follow_up.operations import living_refusal
from workflows.kinds import Kind
from workflows.model.attention import Attention, AttentionCode
from workflows.model.base import Model
from workflows.model.entries import TimelineEntry
from workflows.model.notices import NoticeAction
from workflows.model.onboarding import Onboarding, PartKind, PartPlan, PartSeen, PartToStart, StagePlan
from workflows.model.subject import Status
from workflows.model.texts import name_fault, reason_fault, text_fault
from workflows.model.wishes import Choice, Decision, Ending, NewLink, Problem

TRIES_AT_MOST: Final = 20
"""How often a part is started."""
ASKED_AT_MOST: Final = 20
"""How often the owner is asked about one part, should the tasks to decide end without a decision."""
_LOOKS: Final = (1, 2, 4, 7)
"""Days after which parts of which nothing was heard are looked at; the last one from then on."""


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


class News(StrEnum):
    """What the onboarding tells of a part; what it asks people for, and how it ended, the part says itself."""

    NOTICE = "notice"
    BEGUN = "begun"
    FINISHED = "finished"


class Part(Model):
    """One part: `status` is how its workflow ended last, `says` why it could not be started.

    `asked` counts the tasks to decide about it, `deciding` says that one of them is open, `unasked` that it could not
    be started: whatever is wrong will not be mended within seconds, so the next look tries again. `content` replaces
    what the file says. `since` is when it was started last, `at` when it ended.
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
    content: str | None = None
    told: tuple[News, ...] = ()

    @property
    def run(self) -> str:
        """The id of its latest workflow."""
        return self.place if self.tries == 1 else f"{self.place}.r{self.tries}"

    @property
    def open_workflows(self) -> tuple[str, ...]:
        """The ids of its workflows that may be open."""
        own = (self.runs_as.workflow_id(self.run),) if self.runs_as and self.state is PartState.OPEN else ()
        return (*own, Kind.TASK.workflow_id(self.decision)) if self.deciding else own

    @property
    def decision(self) -> str:
        """The id of the latest task to decide about it, or of the first."""
        return f"{self.run}.decide" if self.asked < 2 else f"{self.run}.decide.r{self.asked}"

    @property
    def open_decisions(self) -> tuple[str, ...]:
        """The task to decide about it that may be open."""
        return (self.decision,) if self.deciding else ()

    def hears(self, seen: PartSeen) -> bool:
        """Whether this changes anything: of one that ended otherwise, or was broken off, a good end still does."""
        if self.state is PartState.UNDECIDED:
            return seen.status is not None and (seen.status.fulfilled or seen.status is Status.WAIVED)
        return not self.state.over

    def after(self, wish: Decision) -> Self:
        """The part once its owner has decided: it is waived, or to be started once more under an id of its own."""
        if not wish.choice.again:
            return self.replace(state=PartState.WAIVED, deciding=False)
        again = self.replace(state=PartState.COMING, tries=self.tries + 1, content=wish.content or self.content)
        again = again.replace(asked=0, deciding=False, unasked=False, told=())
        return again.replace(status=None, says="", since=None, at=None)

    @property
    def ended_words(self) -> str:
        """How it ended, in words."""
        if self.says:
            return f"could not be started: {self.says}" if self.since is None else f"could not go on: {self.says}"
        return f"it was {self.status}."

    @property
    def to_ask(self) -> bool:
        """Whether its owner is to be asked about it."""
        waits = self.deciding or self.unasked
        return self.state is PartState.UNDECIDED and not waits and self.asked < ASKED_AT_MOST


class Nobody(Awaited[Place]):
    """An onboarding asks nobody itself."""

    @property
    def everyone(self) -> tuple[Place, ...]:
        """Nobody."""
        return ()


class Journey(FollowUp):
    """The memory of one onboarding; `stage` is the number of the one it is in, from 0."""

    words = Words(
        subject="onboarding",
        awaited="part",
        wanted="its parts",
        not_the_owner="asked for it and cannot be asked",
        cancelling="end its open parts",
    )

    status: Status = Status.OPEN
    stage: int = 0
    stages: tuple[str, ...]
    entered: tuple[AwareDatetime, ...] = ()
    """When each stage that was begun was begun."""
    parts: tuple[Part, ...]
    decided: tuple[str, ...] = ()
    """Tasks to decide that are to be ended, for the decision was made."""
    links: tuple[str, ...] = ()
    """Who is to be sent the link to their page once more."""
    links_sent: int = 0
    """How often that was done."""
    looks: int = 0
    looked_at: AwareDatetime

    @classmethod
    def begin(cls, onboarding: Onboarding, stages: tuple[StagePlan, ...], now: datetime) -> Self:
        """Nothing was begun."""
        return cls(
            request=onboarding.id,
            started_at=now,
            looked_at=now,
            stages=tuple(stage.name for stage in stages),
            parts=tuple(
                Part(id=plan.id, place=f"{onboarding.id}.{number}.{plan.number}", runs_as=plan.what.runs_as)
                for number, stage in enumerate(stages, start=1)
                for plan in stage.parts
            ),
            timeline=(TimelineEntry(at=now, what="started", who=onboarding.requester),),
        )

    @property
    def awaited(self) -> Nobody:
        """Nobody: its parts await people."""
        return Nobody()

    @property
    def phase(self) -> str:
        """The stage it is in."""
        return self.stages[min(self.stage, len(self.stages) - 1)]

    def action_of(self, person: str) -> NoticeAction:
        """To look at it."""
        return NoticeAction.OPEN

    def give_place(self, person: str, to: str, now: datetime) -> Self:
        """Nobody has a place in it."""
        return self

    def shift_turns(self, since: datetime, now: datetime) -> Self:
        """Nobody's clock runs here."""
        return self

    def attention(self) -> Iterator[Attention]:
        """A part that waits for its owner's decision."""
        waiting = [part for part in self.parts if part.state is PartState.UNDECIDED and part.at]
        if waiting:
            says = f"to decide: {', '.join(part.id for part in waiting)}"
            since = min(part.at for part in waiting if part.at)
            yield Attention(code=AttentionCode.DECISION, since=since, says=says)

    def of(self, stage: StagePlan) -> tuple[tuple[PartPlan, Part], ...]:
        """The parts of a stage, each with its plan."""
        known = {part.id: part for part in self.parts}
        return tuple((plan, known[plan.id]) for plan in stage.parts)

    def part(self, id: str) -> Part | None:
        """The part with this id."""
        return next((part for part in self.parts if part.id == id), None)

    @property
    def running(self) -> tuple[Part, ...]:
        """Those whose workflow, or a task to decide about them, may be open."""
        return tuple(part for part in self.parts if part.state is PartState.OPEN or part.deciding)

    @property
    def next_look(self) -> datetime:
        """When open parts are looked at, should nothing be heard of them."""
        return self.looked_at + timedelta(days=_LOOKS[min(self.looks, len(_LOOKS) - 1)])

    def looked(self, now: datetime) -> Self:
        """They were looked at: the next look comes later, as long as no stage begins."""
        parts = tuple(part.replace(unasked=False) if part.unasked else part for part in self.parts)
        return self.replace(parts=parts, looks=self.looks + 1, looked_at=now)

    def enter(self, now: datetime) -> Self:
        """Begin the present stage, once."""
        if len(self.entered) > self.stage:
            return self
        entered = self.replace(entered=(*self.entered, now), looks=0, looked_at=now)
        return entered.note(now, f"stage begun: {self.phase}", None, None)

    def leave(self, now: datetime) -> Self:
        """The present stage is over."""
        return self.replace(stage=self.stage + 1).note(now, f"stage done: {self.phase}", None, None)

    def with_part(self, id: str, change: Callable[[Part], Part]) -> Self:
        """The memory with one part changed."""
        return self.replace(parts=tuple(change(part) if part.id == id else part for part in self.parts))

    def begun(self, part: Part, now: datetime) -> Self:
        """A part is under way."""
        known = self.with_part(part.id, lambda one: one.replace(state=PartState.OPEN, since=now, at=None, says=""))
        return known.note(now, f"begun: {part.id}", None, None)

    def asked_about(self, part: Part) -> Self:
        """Its owner is asked what is to become of a part."""
        return self.with_part(part.id, lambda one: one.replace(asked=one.asked + 1, deciding=True))

    def seen(self, seen: PartSeen, now: datetime) -> Self:
        """What was heard of a workflow of ours, or found out: it has ended, is broken, or could not be started."""
        for part in self.parts:
            if part.decision == seen.id and part.deciding:
                return self._decision_ended(part, seen, now)
            if part.run == seen.id and part.hears(seen):
                return self._ended(part, seen, now)
        return self

    def _decision_ended(self, part: Part, seen: PartSeen, now: datetime) -> Self:
        ended = self.with_part(part.id, lambda one: one.replace(deciding=False, unasked=bool(seen.says)))
        return ended.note(now, f"nobody could be asked: {part.id}", None, seen.says) if seen.says else ended

    def _ended(self, part: Part, seen: PartSeen, now: datetime) -> Self:
        state = _state_after(seen)
        says = seen.says or ("its workflow was broken off" if seen.broken else "")
        changed = {
            "state": state,
            "status": seen.status,
            "says": says,
            "at": seen.at or now,
            "since": part.since if seen.says else part.since or now,
            "deciding": False,
        }
        known = self.replace(decided=(*self.decided, *part.open_decisions))
        known = known.with_part(part.id, lambda one: one.replace(**changed))
        what = str(seen.status) if seen.status else "could not be started" if seen.says else "broken off"
        return known.note(now, f"{what}: {part.id}", None, seen.says or None)

    def told_of(self, part: Part, news: News, now: datetime) -> Self:
        """Everyone concerned was told this of a part; a part that is nothing but news is done by that."""
        over = {"state": PartState.DONE, "since": now, "at": now} if news is News.NOTICE else {}
        told: dict[str, object] = {"told": (*part.told, news), **over}
        # One that was begun anew meanwhile has news of its own.
        return self.with_part(part.id, lambda one: one.replace(**told) if one.run == part.run else one)

    def sent_links(self, people: tuple[str, ...]) -> Self:
        """These were sent theirs."""
        left = tuple(one for one in self.links if one not in people)
        return self.replace(links=left, links_sent=self.links_sent + 1)

    def decide(self, wish: Decision) -> Self:
        """Do with a part what its owner has decided; the task to decide is to be ended."""
        part = self.part(wish.part)
        if part is None:
            return self
        known = self.replace(decided=(*self.decided, *part.open_decisions))
        return known.with_part(part.id, lambda one: one.after(wish))

    def end(self, status: Status, now: datetime, by: str, problem: Problem | None = None) -> Self:
        """Nothing of it goes on."""
        parts = tuple(part if part.state.over else part.replace(state=PartState.STOPPED, at=now) for part in self.parts)
        ended = super().end(status, now, by, problem)
        return ended.replace(parts=tuple(part.replace(deciding=False) for part in parts), decided=())


def _state_after(seen: PartSeen) -> PartState:
    if seen.status is Status.WAIVED:
        return PartState.WAIVED
    return PartState.DONE if seen.status and seen.status.fulfilled else PartState.UNDECIDED


def to_start(journey: Journey, stage: StagePlan) -> tuple[PartToStart, ...]:
    """The parts of a stage whose workflow is to be started, and the tasks to decide about what went wrong."""
    parts = [(plan, part) for plan, part in journey.of(stage) if plan.what is not PartKind.NOTICE]
    begin = [
        PartToStart(part=part.id, id=part.run, what=plan.what, content=part.content)
        for plan, part in parts
        if part.state is PartState.COMING
    ]
    ask = [
        PartToStart(
            part=part.id,
            id=part.replace(asked=part.asked + 1).decision,
            what=plan.what,
            after=part.run,
            says=part.ended_words,
        )
        for plan, part in parts
        if part.to_ask
    ]
    return (*begin, *ask)


def begun(journey: Journey, started: PartToStart, *, refused: bool, now: datetime) -> Journey:
    """What was to be started has been, or was refused; meanwhile it may have ended, or have been decided about."""
    part = journey.part(started.part)
    if part is None:
        return journey
    if started.after is None:
        # A part that was heard of before its start was answered has ended already.
        lives = part.state is PartState.COMING and part.run == started.id and not refused
        return journey.begun(part, now) if lives else journey
    if part.state is PartState.UNDECIDED and part.run == started.after:
        return journey.asked_about(part)
    return journey if refused else journey.replace(decided=(*journey.decided, started.id))


def may_have_begun(journey: Journey, stages: tuple[StagePlan, ...]) -> tuple[str, ...]:
    """The workflow ids of what was being started when it ended: nobody knows how far that came."""
    if len(journey.entered) <= journey.stage:
        return ()
    starting = to_start(journey, stages[journey.stage])
    kinds = ((Kind.TASK if one.after else one.what.runs_as, one.id) for one in starting)
    return tuple(kind.workflow_id(id) for kind, id in kinds if kind)


def news_of(journey: Journey, stage: StagePlan) -> Iterator[tuple[PartPlan, Part, News]]:
    """What people are still to be told of the parts of a stage, in the order in which it happened."""
    for plan, part in journey.of(stage):
        for news in _news(plan, part):
            if news not in part.told:
                yield plan, part, news


def _news(plan: PartPlan, part: Part) -> Iterator[News]:
    if plan.what is PartKind.NOTICE:
        yield News.NOTICE
    if plan.tell_customer and part.since is not None:
        yield News.BEGUN
        if part.state is PartState.DONE:
            yield News.FINISHED


def is_over(journey: Journey, stage: StagePlan) -> bool:
    """Whether a stage waits for nothing any more."""
    return all(part.state.over for _, part in journey.of(stage))


def refuse_decide(journey: Journey, wish: Decision) -> str | None:
    """Why this cannot be decided."""
    part = journey.part(wish.part)
    if why := living_refusal(journey) or name_fault(wish.actor):
        return why
    if part is None:
        return f"no part is called {wish.part[:100]}: it has {', '.join(one.id for one in journey.parts[:20])}"
    if part.state is not PartState.UNDECIDED:
        return f"{part.id} is {_stands(part)}: there is nothing to decide about it"
    if not wish.choice.again:
        return text_fault(wish.reason, "the reason")
    return _refuse_again(part, wish) or reason_fault(wish.reason, "the reason")


def _stands(part: Part) -> str:
    if part.state is PartState.COMING and part.tries > 1:
        return "to be started again by a decision that was made already"
    return str(part.state if part.state is PartState.WAIVED else part.status or part.state)


def _refuse_again(part: Part, wish: Decision) -> str | None:
    if wish.choice is Choice.REPLACE and wish.content is None:
        return "a replacement needs a file"
    return f"{part.id} was started {part.tries} times already" if part.tries >= TRIES_AT_MOST else None


def refuse_send_link(journey: Journey, wish: NewLink, customers: tuple[str, ...]) -> str | None:
    """Why somebody cannot be sent a link."""
    if why := living_refusal(journey) or name_fault(wish.actor):
        return why
    return None if wish.actor in customers else f"{wish.actor} is none of the customer's people"


def send_link(journey: Journey, wish: NewLink, now: datetime) -> Journey:
    """Have whoever wishes it sent their link; one that is still to be sent serves them as well."""
    if wish.actor in journey.links:
        return journey
    return journey.replace(links=(*journey.links, wish.actor)).note(now, "link asked for", wish.actor, None)


def decide(journey: Journey, wish: Decision, now: datetime) -> Journey:
    """Do what the owner has decided."""
    known = journey.note(now, f"decided: {wish.choice} {wish.part}", wish.actor, wish.reason or None, said=True)
    if wish.choice is Choice.STOP:
        return known.close(Ending(outcome=Status.CANCELLED, who=wish.actor, why=wish.reason), now)
    return known.decide(wish)
