"""The state of an onboarding: stages, status of each part, turns reported by parts.

Pure; parts follow people up themselves.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Self

from pydantic import AwareDatetime

from workflows.follow_up.input import FollowUpInput
from workflows.follow_up.state import FollowUpWords, Lifecycle, LifecycleState
from workflows.kinds import Kind
from workflows.model.base import Model
from workflows.model.commands import Decision, Problem
from workflows.model.onboarding import Onboarding, PartKind, PartPlan, PartSnapshot, PartToStart, StagePlan
from workflows.model.subject import Status, Subject
from workflows.model.timeline import EventType
from workflows.model.views import Attention, AttentionCode, PartTurn, WaitingFor

TURNS_AT_MOST: Final = 20
"""Turns of one part that are remembered: of a longer way through it only the last."""
ASKED_AT_MOST: Final = 20
"""How often the owner is asked about one part, should the tasks to decide end without a decision."""
TOLD_TOGETHER_AT_MOST: Final = 50
"""Persons who hear of a cancellation once; each of its parts gets their names."""
DECISION: Final = "onboarding-decision"
"""The kind of the catalogue that tasks to decide are."""
_LOOKS: Final = (1, 2, 4, 7)
"""Days after which parts of which nothing was heard are looked at; the last one from then on."""
_ENDED: Final = {
    Status.SIGNED: EventType.PART_SIGNED,
    Status.DONE: EventType.PART_DONE,
    Status.WAIVED: EventType.PART_WAIVED,
    Status.DECLINED: EventType.PART_DECLINED,
    Status.EXPIRED: EventType.PART_EXPIRED,
    Status.CANCELLED: EventType.PART_CANCELLED,
}
_WORDS: Final = FollowUpWords(
    subject="onboarding",
    awaited="part",
    awaited_action="its parts",
    not_the_owner="it and cannot be asked",
    cancelling="end its open parts",
)


class PartState(StrEnum):
    COMING = "coming"
    OPEN = "open"
    DONE = "done"
    UNDECIDED = "undecided"
    """It has ended otherwise than it should, and its owner is asked what to do."""
    WAIVED = "waived"
    STOPPED = "stopped"

    @property
    def is_over(self) -> bool:
        """Whether the stage no longer waits for it."""
        return self in (PartState.DONE, PartState.WAIVED, PartState.STOPPED)


class PartNews(StrEnum):
    """Events of a part that the onboarding notifies of; the part itself notifies of the rest."""

    NOTICE = "notice"
    BEGUN = "begun"
    FINISHED = "finished"


class PartProgress(Model):
    """One part: `status` is its workflow's last ending, `says` why it could not be started.

    `asked` counts decision tasks, `deciding`: one is open, `unasked`: it could not be started, the next check tries
    again. `content` replaces the file's. `since` is the last start, `at` the end, or the decision to go on without it;
    `resumable`: it was terminated, and its document may be open. `turns` are those that all its tries reported, with
    that of whoever decided after each, latest last; `decision_turn` is the one that the open decision task reported.
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
    resumable: bool = False
    content: str | None = None
    content_before: str | None = None
    """The same of the workflow before the latest one."""
    told: tuple[PartNews, ...] = ()
    turns: tuple[PartTurn, ...] = ()
    decision_turn: PartTurn | None = None

    @property
    def run(self) -> str:
        return self.place if self.tries == 1 else f"{self.place}.r{self.tries}"

    def begun_as(self, workflow_id: str) -> PartToStart | None:
        """What its latest or previous workflow was started from; None for a foreign one and for a task."""
        previous = self.replace(tries=self.tries - 1, content=self.content_before) if self.tries > 1 else self
        for progress in (self, previous):
            if (
                progress.runs_as
                and progress.runs_as.spec.document
                and progress.runs_as.workflow_id(progress.run) == workflow_id
            ):
                return PartToStart(part=progress.id, id=progress.run, what=PartKind.AGREEMENT, content=progress.content)
        return None

    @property
    def people(self) -> tuple[str, ...]:
        """Who has its turn, by its own report; empty before that."""
        return tuple(waiting.person for waiting in self.turn.waiting_for) if self.turn else ()

    @property
    def open_workflows(self) -> tuple[str, ...]:
        """Ids of its workflows that may be open."""
        own_ids = self._own_workflow if self.state is PartState.OPEN else ()
        return (*own_ids, Kind.TASK.workflow_id(self.decision)) if self.deciding else own_ids

    @property
    def abandoned(self) -> tuple[str, ...]:
        """The id of its terminated workflow, unless resumed: its document is still open."""
        return self._own_workflow if self.resumable and self.state is not PartState.OPEN else ()

    @property
    def _own_workflow(self) -> tuple[str, ...]:
        return (self.runs_as.workflow_id(self.run),) if self.runs_as else ()

    @property
    def decision(self) -> str:
        """The id of its latest decision task, or of the first."""
        return f"{self.run}.decide" if self.asked < 2 else f"{self.run}.decide.r{self.asked}"

    @property
    def next_decision(self) -> str:
        return self.replace(asked=self.asked + 1).decision

    @property
    def open_decisions(self) -> tuple[str, ...]:
        """Ids of decision tasks that may be open: an unanswered start may have succeeded."""
        return (self.decision,) if self.deciding else (self.next_decision,) if self.to_ask else ()

    @property
    def turn(self) -> PartTurn | None:
        """The last turn that its present workflow reported."""
        return self.turns[-1] if self.turns and self.turns[-1].id == self.run else None

    @property
    def turn_to_decide(self) -> PartTurn | None:
        """The turn that its open decision task reported, None before."""
        turn = self.decision_turn
        return turn if turn and turn.id == self.decision else None

    def heard(self, turn: PartTurn) -> Self:
        """The part after a reported turn; an older report changes nothing."""
        if self.state is PartState.UNDECIDED:
            decides = turn.id in (self.decision, self.next_decision)
            return self.replace(decision_turn=turn) if decides else self
        goes_on = self.state in (PartState.COMING, PartState.OPEN) and turn.id == self.run
        if not goes_on or (self.turns and turn.at < self.turns[-1].at):
            return self
        return self.replace(turns=(*self.turns, turn)[-TURNS_AT_MOST:])

    def hears(self, report: PartSnapshot) -> bool:
        """Whether this changes anything: a later success still counts after a failure or termination."""
        if self.state is PartState.UNDECIDED:
            return report.status is not None and (report.status.fulfilled or report.status is Status.WAIVED)
        return not self.state.is_over

    def apply_decision(self, command: Decision, now: datetime) -> Self:
        """The part after its owner's decision: waived, or to be started again under a new id.

        A terminated one is resumed instead, because a new one would be a second document to sign.
        """
        turns = self._turns_until_decided(command.actor)
        if not command.choice.is_restart:
            return self.replace(state=PartState.WAIVED, at=now, turns=turns, deciding=False, resumable=False)
        restarted = self.replace(state=PartState.COMING, turns=turns, deciding=False, unasked=False)
        restarted = restarted.replace(status=None, says="", since=None, at=None)
        if self.resumable and command.content is None:
            return restarted
        content = command.content or self.content
        restarted = restarted.replace(tries=self.tries + 1, content=content, content_before=self.content)
        return restarted.replace(asked=0, resumable=False, told=())

    def _turns_until_decided(self, decider: str) -> tuple[PartTurn, ...]:
        """Since it ended it waited for the decision."""
        if self.at is None:
            return self.turns
        turn = PartTurn(id=self.decision, at=self.at, waiting_for=(WaitingFor(person=decider, since=self.at),))
        return (*self.turns, turn)[-TURNS_AT_MOST:]

    @property
    def to_ask(self) -> bool:
        waits = self.deciding or self.unasked
        return self.state is PartState.UNDECIDED and not waits and self.asked < ASKED_AT_MOST


def decided_onboarding(task: str) -> str | None:
    """The onboarding's id from a decision task's id, None for any other task."""
    part, separator, round_number = task.rpartition(".decide")
    if not separator or not (round_number == "" or _is_round(round_number.removeprefix("."))):
        return None
    places = part.split(".")
    if _is_round(places[-1]):
        places.pop()
    onboarding = ".".join(places[:-2])
    return onboarding if onboarding and all(index.isdecimal() for index in places[-2:]) else None


class Stages(Model):
    """The stages: their names, the present one (from 0), when each was begun, and when open parts were checked."""

    names: tuple[str, ...]
    current: int = 0
    entered: tuple[AwareDatetime, ...] = ()
    looks: int = 0
    looked_at: AwareDatetime

    @property
    def name(self) -> str:
        """The present stage."""
        return self.names[min(self.current, len(self.names) - 1)]

    @property
    def next_look(self) -> datetime:
        """When open parts are checked without news."""
        return self.looked_at + timedelta(days=_LOOKS[min(self.looks, len(_LOOKS) - 1)])

    def looked(self, now: datetime) -> Self:
        """The next interval is longer, until a stage begins."""
        return self.replace(looks=self.looks + 1, looked_at=now)

    def look_soon(self, now: datetime) -> Self:
        """The next check is within a day."""
        return self.replace(looks=0, looked_at=now)

    def enter(self, now: datetime) -> Self:
        return self.look_soon(now).replace(entered=(*self.entered, now))


class WorkflowsToEnd(Model):
    """Workflows that are to be ended: tasks to decide, `lingering` ones that could not be ended, abandoned parts.

    Ids of `decided` and `lingering` are of tasks, those of `abandoned` are workflow ids. `told_together` are persons
    who hear of a cancellation once, instead of each of their parts.
    """

    decided: tuple[str, ...] = ()
    lingering: tuple[str, ...] = ()
    abandoned: tuple[str, ...] = ()
    told_together: tuple[str, ...] = ()

    @property
    def tasks(self) -> tuple[str, ...]:
        """Workflow ids of decided tasks that may be open."""
        return tasks((*self.decided, *self.lingering))

    def with_decided(self, *ids: str) -> Self:
        return self.replace(decided=(*self.decided, *ids))

    def record_attempt(self, ids: tuple[str, ...], *, is_ended: bool) -> Self:
        """These tasks have ended, or linger."""
        updated = self.replace(decided=tuple(task_id for task_id in self.decided if task_id not in ids))
        return updated if is_ended else updated.replace(lingering=(*updated.lingering, *ids))

    def to_retry(self) -> Self:
        """Lingering tasks are tried again."""
        return self.replace(decided=(*self.decided, *self.lingering), lingering=())


class Links(Model):
    """Who is to be sent the link to their page once more, and how often that was done."""

    wanted: tuple[str, ...] = ()
    sent: int = 0

    def sent_to(self, people: tuple[str, ...]) -> Self:
        return self.replace(wanted=tuple(person for person in self.wanted if person not in people), sent=self.sent + 1)


class OnboardingState(LifecycleState):
    @property
    def vocabulary(self) -> FollowUpWords:
        return _WORDS

    stages: Stages
    parts: tuple[PartProgress, ...]
    to_end: WorkflowsToEnd = WorkflowsToEnd()
    links: Links = Links()

    @classmethod
    def begin(cls, onboarding: Onboarding, stages: tuple[StagePlan, ...], now: datetime) -> Self:
        return cls(
            lifecycle=Lifecycle(id=onboarding.id, started_at=now, status=Status.OPEN),
            stages=Stages(names=tuple(stage.name for stage in stages), looked_at=now),
            parts=tuple(
                PartProgress(id=plan.id, place=f"{onboarding.id}.{number}.{plan.number}", runs_as=plan.what.runs_as)
                for number, stage in enumerate(stages, start=1)
                for plan in stage.parts
            ),
        ).note(now, EventType.STARTED, onboarding.requester, None)

    @property
    def phase(self) -> str:
        return self.stages.name

    def attention(self) -> Iterator[Attention]:
        waiting = [part for part in self.parts if part.state is PartState.UNDECIDED and part.at]
        if waiting:
            sentence = f"to decide: {', '.join(part.id for part in waiting)}"
            waiting_since = min(part.at for part in waiting if part.at)
            yield Attention(code=AttentionCode.DECISION, since=waiting_since, says=sentence)

    def parts_of_stage(self, stage: StagePlan) -> tuple[tuple[PartPlan, PartProgress], ...]:
        """The parts of a stage, each with its plan."""
        part_by_id = {part.id: part for part in self.parts}
        return tuple((plan, part_by_id[plan.id]) for plan in stage.parts)

    def part(self, id: str) -> PartProgress | None:
        return next((part for part in self.parts if part.id == id), None)

    def concerned(self) -> tuple[str, ...]:
        return self.to_end.told_together

    def waiting_for_several(self, stages: Sequence[StagePlan]) -> tuple[str, ...]:
        """Persons for whom several open parts wait."""
        open_ = [
            (plan, part)
            for stage in stages
            for plan, part in self.parts_of_stage(stage)
            if part.state is PartState.OPEN
        ]
        counts = Counter(person for plan, part in open_ for person in (part.people or plan.asked))
        return tuple(person for person, parts in counts.items() if parts > 1)[:TOLD_TOGETHER_AT_MOST]

    @property
    def running(self) -> tuple[PartProgress, ...]:
        """Parts whose workflow or decision task may be open."""
        return tuple(part for part in self.parts if part.state is PartState.OPEN or part.deciding)

    @property
    def open_workflows(self) -> tuple[str, ...]:
        """Workflow ids that may be open."""
        return tuple(id for part in self.running for id in part.open_workflows)

    @property
    def left_behind(self) -> tuple[str, ...]:
        """Workflow ids of terminated parts, unless resumed: their documents are still open."""
        return (*self.to_end.abandoned, *(id for part in self.parts for id in part.abandoned))

    def begun_as(self, workflow_ids: tuple[str, ...]) -> tuple[PartToStart, ...]:
        """What the agreements among these were started from."""
        begun_parts = (part.begun_as(id) for id in workflow_ids for part in self.parts)
        return tuple(part for part in begun_parts if part is not None)

    def looked(self, now: datetime) -> Self:
        """They were checked: the next interval is longer, until a stage begins."""
        parts = tuple(part.replace(unasked=False) if part.unasked else part for part in self.parts)
        return self.replace(parts=parts, to_end=self.to_end.to_retry(), stages=self.stages.looked(now))

    def enter(self, now: datetime) -> Self:
        """Begin the present stage, once."""
        if len(self.stages.entered) > self.stages.current:
            return self
        entered = self.replace(stages=self.stages.enter(now))
        return entered.note(now, EventType.STAGE_BEGUN, None, None, about_id=self.phase)

    def leave(self, now: datetime) -> Self:
        updated = self.update_part("stages", current=self.stages.current + 1)
        return updated.note(now, EventType.STAGE_DONE, None, None, about_id=self.phase)

    def with_part(self, id: str, change: Callable[[PartProgress], PartProgress]) -> Self:
        return self.replace(parts=tuple(change(part) if part.id == id else part for part in self.parts))

    def begin_part(self, part: PartProgress, now: datetime, first_people: tuple[str, ...] = ()) -> Self:
        """A part was started; `asked` are people asked first where they differ from the plan."""
        people = tuple(WaitingFor(person=person, since=now) for person in first_people)
        first = (PartTurn(id=part.run, at=now, waiting_for=people),) if people else ()

        def changed(progress: PartProgress) -> PartProgress:
            # Its own report before the start was answered is newer.
            turns = progress.turns if progress.turn else (*progress.turns, *first)[-TURNS_AT_MOST:]
            return progress.replace(state=PartState.OPEN, since=now, at=None, says="", turns=turns)

        return self.with_part(part.id, changed).note(now, EventType.PART_BEGUN, None, None, about_id=part.id)

    def heard(self, turn: PartTurn) -> Self:
        """Record a turn that a part or decision task reported."""
        parts = tuple(part.heard(turn) for part in self.parts)
        return self if parts == self.parts else self.replace(parts=parts)

    def asked_about(self, part: PartProgress) -> Self:
        return self.with_part(part.id, lambda progress: progress.replace(asked=progress.asked + 1, deciding=True))

    def merge_report(self, snapshot: PartSnapshot, now: datetime) -> Self:
        """Record a workflow's status, signalled or read: ended, terminated, or not started."""
        for part in self.parts:
            if part.decision == snapshot.id and part.deciding:
                return self._decision_ended(part, snapshot, now)
            if part.run == snapshot.id and part.hears(snapshot):
                return self._end_part(part, snapshot, now)
        return self

    def _decision_ended(self, part: PartProgress, report: PartSnapshot, now: datetime) -> Self:
        updated = self.with_part(part.id, lambda progress: progress.replace(deciding=False, unasked=bool(report.says)))
        return (
            updated.note(now, EventType.NOBODY_ASKED, None, report.says, about_id=part.id) if report.says else updated
        )

    def _end_part(self, part: PartProgress, report: PartSnapshot, now: datetime) -> Self:
        state = _state_after(report)
        explanation = report.says or ("its workflow was broken off" if report.broken else "")
        changed = {
            "state": state,
            "status": report.status,
            "says": explanation,
            "resumable": report.resumable,
            "at": report.at or now,
            "since": part.since if report.says else part.since or now,
            "deciding": False,
        }
        updated = self.replace(to_end=self.to_end.with_decided(*part.open_decisions))
        updated = updated.with_part(part.id, lambda progress: progress.replace(**changed))
        return updated.note(now, happened(report), None, report.says or None, about_id=part.id, sender=report.by)

    def told_of(self, part: PartProgress, news: PartNews, now: datetime) -> Self:
        """People were notified of this event; a part that is only news is done by that."""
        completion = {"state": PartState.DONE, "since": now, "at": now} if news is PartNews.NOTICE else {}
        changes: dict[str, object] = {"told": (*part.told, news), **completion}
        # A part restarted meanwhile has its own news.
        return self.with_part(
            part.id, lambda progress: progress.replace(**changes) if progress.run == part.run else progress
        )

    def sent_links(self, people: tuple[str, ...]) -> Self:
        return self.replace(links=self.links.sent_to(people))

    def decide(self, command: Decision, now: datetime) -> Self:
        """Record the owner's decision; the decision task is to be ended."""
        part = self.part(command.part)
        if part is None:
            return self
        decided = part.apply_decision(command, now)
        to_end = self.to_end.with_decided(*part.open_decisions)
        abandoned = () if decided.resumable else part.abandoned
        to_end = to_end.replace(abandoned=(*to_end.abandoned, *abandoned))
        return self.replace(to_end=to_end).with_part(part.id, lambda _: decided)

    def tried_to_end(self, tasks: tuple[str, ...], *, is_ended: bool, now: datetime) -> Self:
        """These decision tasks have ended; the rest is tried again at a check within a day."""
        updated = self.replace(to_end=self.to_end.record_attempt(tasks, is_ended=is_ended))
        return updated if is_ended else updated.replace(stages=self.stages.look_soon(now))

    def end(self, status: Status, now: datetime, decided_by: str, problem: Problem | None = None) -> Self:
        parts = tuple(
            part if part.state.is_over else part.replace(state=PartState.STOPPED, at=now) for part in self.parts
        )
        updated = super().end(status, now, decided_by, problem)
        parts = tuple(part.replace(deciding=False) for part in parts)
        return updated.replace(parts=parts, to_end=WorkflowsToEnd(told_together=self.to_end.told_together))


def tasks(ids: Iterable[str]) -> tuple[str, ...]:
    return tuple(map(Kind.TASK.workflow_id, ids))


def happened(report: PartSnapshot) -> EventType:
    """The event type for a part's status."""
    if report.status is None:
        return EventType.PART_NOT_STARTED if report.says else EventType.PART_BROKEN_OFF
    return _ENDED.get(report.status, EventType.PART_FAILED)  # A signal may contain anything.


def _state_after(report: PartSnapshot) -> PartState:
    if report.status is Status.WAIVED:
        return PartState.WAIVED
    return PartState.DONE if report.status and report.status.fulfilled else PartState.UNDECIDED


class OnboardingInput(FollowUpInput):
    """Input; `carried` is set by continue-as-new only."""

    onboarding: Onboarding
    stages: tuple[StagePlan, ...]
    carried: OnboardingState | None = None

    @property
    def subject(self) -> Subject:
        return self.onboarding.subject

    @property
    def first_stage(self) -> str:
        return self.stages[0].name

    @property
    def first_asked(self) -> tuple[str, ...]:
        people_by_part = (part.asked for part in self.stages[0].parts if part.what is not PartKind.NOTICE)
        return tuple(dict.fromkeys(person for people in people_by_part for person in people))

    @property
    def teams(self) -> tuple[str, ...]:
        return self.onboarding.teams


def _is_round(segment: str) -> bool:
    return segment.startswith("r") and segment[1:].isdecimal()
