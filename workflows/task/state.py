"""The state of a task: its assignees, and the commands done, waive, block. Pure; no outside system knows more."""

from datetime import datetime
from enum import StrEnum
from typing import Self

from pydantic import AwareDatetime

from workflows.follow_up.commands import living_refusal, open_question, refuse_another
from workflows.follow_up.input import FollowUpInput
from workflows.follow_up.slots import Slot, Slots
from workflows.follow_up.state import FollowUpState, FollowUpWords
from workflows.model.base import Packed
from workflows.model.commands import Block, Delegation, Done, Ending, Problem, Stop, StopKind, Waiver
from workflows.model.notifications import NoticeAction
from workflows.model.rejections import Rejection, name_fault, reason_fault, text_fault
from workflows.model.subject import Participant, Role, Status, Subject, Task
from workflows.model.timeline import AskedQuestion, EventType, Reassignment, TimelineEntry


class AssigneeState(StrEnum):
    ASKED = "asked"
    DONE = "done"
    SPARED = "spared"
    """Another person has done it, or it has ended otherwise."""
    REASSIGNED = "reassigned"


class AssigneeSlot(Slot):
    state: AssigneeState = AssigneeState.ASKED
    at: AwareDatetime | None = None

    @property
    def acted(self) -> bool:
        return self.state is not AssigneeState.ASKED

    @property
    def replaced(self) -> bool:
        return self.state is AssigneeState.REASSIGNED

    @property
    def participant(self) -> Participant:
        return Participant(person=self.person, role=Role.DO)


class AssigneeSlots(Slots[AssigneeSlot]):
    """In the order in which they were named."""

    people: tuple[AssigneeSlot, ...]

    @classmethod
    def ask(cls, people: tuple[str, ...], now: datetime) -> Self:
        """Everybody's turn begins at once."""
        return cls(people=tuple(_asked(person, now) for person in people))

    @property
    def everyone(self) -> tuple[AssigneeSlot, ...]:
        return self.people

    def reassign(self, person: str, to: str, now: datetime) -> Self:
        """Ask `to` instead of `person`; idempotent."""
        old = self.of(person)
        if old is None or self.of(to) is not None:
            return self
        gone = old.replace(state=AssigneeState.REASSIGNED, at=now)
        pairs = ((gone, _asked(to, now)) if one is old else (one,) for one in self.people)
        return self.replace(people=tuple(one for pair in pairs for one in pair))

    def shift(self, since: datetime, now: datetime) -> Self:
        return self.replace(people=tuple(one.shifted(since, now) for one in self.people))

    def end(self, by: str | None, now: datetime) -> Self:
        """Expect nothing more of anybody; `by` is who did it."""

        def ended(one: AssigneeSlot) -> AssigneeSlot:
            if one.acted:
                return one
            return one.replace(state=AssigneeState.DONE if one.person == by else AssigneeState.SPARED, at=now)

        return self.replace(people=tuple(ended(one) for one in self.people))


def _asked(person: str, now: datetime) -> AssigneeSlot:
    return AssigneeSlot(person=person, turn_at=now, clock_from=now)


class TaskState(FollowUpState):
    words = FollowUpWords(
        subject="task",
        awaited="assignee",
        wanted="somebody to do it",
        not_the_owner="it and cannot be asked to do it",
        cancelling="end it",
    )

    assignees: AssigneeSlots
    status: Status = Status.OPEN
    ended_by: str | None = None

    @classmethod
    def begin(cls, task: Task, now: datetime) -> Self:
        """Everybody is asked at once."""
        people = tuple(one.person for one in task.people)
        return cls(
            request=task.id,
            started_at=now,
            window_from=now,
            assignees=AssigneeSlots.ask(people, now),
            timeline=(TimelineEntry(at=now, happened=EventType.STARTED, who=task.requester),),
        )

    @property
    def awaited(self) -> AssigneeSlots:
        return self.assignees

    @property
    def phase(self) -> str:
        """`blocked` while an assignee cannot go on, else `open`."""
        question = open_question(self)
        return "blocked" if question and question.blocks else "open"

    def action_of(self, person: str) -> NoticeAction:
        return NoticeAction.DO

    def give_place(self, person: str, to: str, now: datetime) -> Self:
        return self.replace(assignees=self.assignees.reassign(person, to, now))

    def handed_over(self, wanted: Reassignment, refused: str | None, now: datetime) -> Self:
        """Of simultaneous reassignments the first counts: nobody gives a slot twice, or takes a second one."""
        return super().handed_over(wanted, refused or self._obstacle(wanted), now)

    def _obstacle(self, wanted: Reassignment) -> str | None:
        old = self.assignees.of(wanted.from_)
        if old is None or old.acted:
            return Rejection.HAS_HANDED_OVER.says(person=wanted.from_)
        taken = self.assignees.of(wanted.to) is not None
        return Rejection.ASKED_ALREADY.says(person=wanted.to, awaited=self.words.awaited) if taken else None

    def shift_turns(self, since: datetime, now: datetime) -> Self:
        return self.replace(assignees=self.assignees.shift(since, now))

    def acted_late(self, place: Slot) -> bool:
        late = self.due_at is not None and self.settled_at is not None and self.settled_at > self.due_at
        return late and self.status is Status.DONE and place.person == self.ended_by

    def close(self, ending: Ending, now: datetime) -> Self:
        """End at once: no provider decides."""
        return self if self.status.ended else self.replace(ending=ending).end(ending.outcome, now, by=ending.who)

    def end(self, status: Status, now: datetime, by: str, problem: Problem | None = None) -> Self:
        doer = by if status is Status.DONE else None
        ended = super().end(status, now, by, problem)
        return ended.replace(assignees=ended.assignees.end(doer, now), ended_by=by)


def refuse_done(state: TaskState, command: Done) -> str | None:
    """The actor need not be an assignee."""
    return living_refusal(state) or name_fault(command.actor) or reason_fault(command.note, "the note")


def done(state: TaskState, command: Done, now: datetime) -> TaskState:
    """The first to do it ends it for all."""
    return state.close(Ending(outcome=Status.DONE, who=command.actor, why=command.note), now)


def refuse_waive(state: TaskState, command: Waiver) -> str | None:
    return living_refusal(state) or name_fault(command.actor) or text_fault(command.reason, "the reason")


def waive(state: TaskState, command: Waiver, now: datetime) -> TaskState:
    return state.close(Ending(outcome=Status.WAIVED, who=command.actor, why=command.reason), now)


def refuse_undecided(task: Task, command: Done | Waiver) -> str | None:
    """Why a decision task does not end by `done` without a decision: it would only be started again."""
    about = task.decides
    if about is None or (isinstance(command, Done) and command.decided):
        return None
    return Rejection.TO_DECIDE.says(command=about.command)


def refuse_unanswered(task: Task, command: Done) -> str | None:
    """Why a task with an answer field is not done without an answer."""
    asked = task.answer
    if asked is None or not asked.required or command.note.strip():
        return None
    return Rejection.ANSWER_NEEDED.says(label=asked.label)


def refuse_stranger(task: Task, command: Delegation) -> str | None:
    """Why an assignee cannot delegate to this person: a page that asks anybody would be a mail relay."""
    if not task.colleagues or command.actor != command.signer or command.to in task.colleagues:
        return None
    return Rejection.NO_COLLEAGUE.says(person=command.to)


def refuse_block(state: TaskState, command: Block) -> str | None:
    if why := living_refusal(state):
        return why
    if all(one.person != command.person for one in state.assignees.pending):
        return Rejection.NOT_THEIR_TURN.says(person=command.person)
    if question := open_question(state):
        return (Rejection.BLOCKED if question.blocks else Rejection.QUESTION_OPEN).says()
    return refuse_another(state) or text_fault(command.because, "the reason")


def block(state: TaskState, command: Block, now: datetime) -> TaskState:
    """Ask the owner to remove the obstacle; followed up and bounded in time like a question."""
    number = len(state.questions) + 1
    asked = AskedQuestion(number=number, person=command.person, text=command.because.strip(), at=now, blocks=True)
    stop = Stop(kind=StopKind.QUESTION, since=now, who=command.person)
    updated = state.replace(questions=(*state.questions, asked)).replan().stand(stop)
    return updated.note(now, EventType.BLOCKED, command.person, command.because.strip(), said=True)


class TaskInput(FollowUpInput):
    """Input; `carried` is set by continue-as-new only."""

    task: Task
    carried: Packed[TaskState | None] = None

    @property
    def subject(self) -> Subject:
        return self.task.subject

    @property
    def first_turn(self) -> tuple[str, ...]:
        return tuple(one.person for one in self.task.people)
