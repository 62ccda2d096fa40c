"""The state of a task, its commands done, waive and block, its view and its end. Pure; no outside system knows more."""

from datetime import datetime
from enum import StrEnum
from typing import Final, Self

from pydantic import AwareDatetime

from workflows.follow_up.commands import ask_of, living_refusal, refuse_another
from workflows.follow_up.input import FollowUpInput
from workflows.follow_up.plan import Plan
from workflows.follow_up.slots import Slot, Slots
from workflows.follow_up.state import FollowUpState, FollowUpWords, Lifecycle
from workflows.follow_up.view import follow_up_facts
from workflows.model.commands import Block, Delegation, Ending, Problem, TaskCompletion, Waiver
from workflows.model.hand_off import SettledPerson, SettledTask
from workflows.model.messages import Message
from workflows.model.notifications import NoticeAction
from workflows.model.rejections import Rejection, name_fault, reason_fault, text_fault
from workflows.model.subject import Participant, Role, Status, Subject, Task, group_word
from workflows.model.timeline import EventType
from workflows.model.views import AssigneeLine, GivenAnswer, TaskShow

_WORDS: Final = FollowUpWords(
    subject="task",
    awaited="assignee",
    awaited_action="somebody to do it",
    not_the_owner="it and cannot be asked to do it",
    cancelling="end it",
)


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
        return cls(people=tuple(_ask_assignee(person, now) for person in people))

    @property
    def everyone(self) -> tuple[AssigneeSlot, ...]:
        return self.people

    def reassign(self, person: str, successor: str, now: datetime) -> Self:
        """Ask `successor` instead of `person`; idempotent."""
        former_slot = self.find(person)
        if former_slot is None or self.find(successor) is not None:
            return self
        replaced_slot = former_slot.replace(state=AssigneeState.REASSIGNED, at=now)
        pairs = (
            (replaced_slot, _ask_assignee(successor, now)) if slot is former_slot else (slot,) for slot in self.people
        )
        return self.replace(people=tuple(slot for pair in pairs for slot in pair))

    def shift(self, stopped_at: datetime, now: datetime) -> Self:
        return self.replace(people=tuple(slot.shifted(stopped_at, now) for slot in self.people))

    def end(self, doer: str | None, now: datetime) -> Self:
        """Expect nothing more of anybody; `by` is who did it."""

        def end_slot(slot: AssigneeSlot) -> AssigneeSlot:
            if slot.acted:
                return slot
            return slot.replace(state=AssigneeState.DONE if slot.person == doer else AssigneeState.SPARED, at=now)

        return self.replace(people=tuple(end_slot(slot) for slot in self.people))


def _ask_assignee(person: str, now: datetime) -> AssigneeSlot:
    return AssigneeSlot(person=person, turn_at=now, clock_from=now)


class TaskState(FollowUpState):
    @property
    def vocabulary(self) -> FollowUpWords:
        return _WORDS

    slots: AssigneeSlots

    @classmethod
    def begin(cls, task: Task, now: datetime) -> Self:
        """Everybody is asked at once."""
        people = tuple(assignee.person for assignee in task.people)
        return cls(
            lifecycle=Lifecycle(id=task.id, started_at=now, status=Status.OPEN),
            slots=AssigneeSlots.ask(people, now),
            plan=Plan(window_from=now),
        ).note(now, EventType.STARTED, task.requester, None)

    @property
    def phase(self) -> str:
        """`blocked` while an assignee cannot go on, else `open`."""
        question = self.questions.open(self.slots)
        return "blocked" if question and question.blocks else "open"

    def action_of(self, person: str) -> NoticeAction:
        return NoticeAction.DO

    def acted_late(self, slot: Slot) -> bool:
        """Whether it was done after the due date."""
        lifecycle = self.lifecycle
        late = self.due_at is not None and lifecycle.settled_at is not None and lifecycle.settled_at > self.due_at
        return late and lifecycle.status is Status.DONE and slot.person == lifecycle.ended_by

    def close(self, ending: Ending, now: datetime) -> Self:
        """End at once: no provider decides."""
        if self.status.has_ended:
            return self
        return self.update_part("lifecycle", ending=ending).end(ending.outcome, now, decided_by=ending.who)

    def end(self, status: Status, now: datetime, decided_by: str, problem: Problem | None = None) -> Self:
        doer = decided_by if status is Status.DONE else None
        updated = super().end(status, now, decided_by, problem)
        return updated.replace(slots=updated.slots.end(doer, now))


def refuse_done(state: TaskState, command: TaskCompletion) -> Message | None:
    """The actor need not be an assignee."""
    return living_refusal(state) or name_fault(command.actor) or reason_fault(command.note, "the note")


def finish(state: TaskState, command: TaskCompletion, now: datetime) -> TaskState:
    """The first to do it ends it for all."""
    return state.close(Ending(outcome=Status.DONE, who=command.actor, why=command.note), now)


def refuse_waive(state: TaskState, command: Waiver) -> Message | None:
    return living_refusal(state) or name_fault(command.actor) or text_fault(command.reason, "the reason")


def waive(state: TaskState, command: Waiver, now: datetime) -> TaskState:
    return state.close(Ending(outcome=Status.WAIVED, who=command.actor, why=command.reason), now)


def refuse_undecided(task: Task, command: TaskCompletion | Waiver) -> Message | None:
    """Why a decision task does not end by `done` without a decision: it would only be started again."""
    decision = task.decides
    if decision is None or (isinstance(command, TaskCompletion) and command.decided):
        return None
    return Rejection.TO_DECIDE.to_message(command=decision.command)


def refuse_unanswered(task: Task, command: TaskCompletion) -> Message | None:
    """Why a task with an answer field is not done without an answer."""
    answer_field = task.answer
    if answer_field is None or not answer_field.required or command.note.strip():
        return None
    return Rejection.ANSWER_NEEDED.to_message(label=answer_field.label)


def refuse_stranger(task: Task, command: Delegation) -> Message | None:
    """Why an assignee cannot delegate to this person: a page that asks anybody would be a mail relay."""
    if not task.colleagues or command.actor != command.signer or command.to in task.colleagues:
        return None
    return Rejection.NO_COLLEAGUE.to_message(person=command.to)


def refuse_block(state: TaskState, command: Block) -> Message | None:
    if refusal := living_refusal(state):
        return refusal
    if all(slot.person != command.person for slot in state.slots.pending):
        return Rejection.NOT_THEIR_TURN.to_message(person=command.person)
    if question := state.questions.open(state.slots):
        return (Rejection.BLOCKED if question.blocks else Rejection.QUESTION_OPEN).to_message()
    return refuse_another(state) or text_fault(command.because, "the reason")


def block(state: TaskState, command: Block, now: datetime) -> TaskState:
    """Ask the owner to remove the obstacle; followed up and bounded in time like a question."""
    updated = ask_of(state, command.person, command.because, now, blocks=True)
    return updated.note(now, EventType.BLOCKED, command.person, command.because.strip(), is_quote=True)


class TaskInput(FollowUpInput):
    """Input; `carried` is set by continue-as-new only."""

    task: Task
    carried: TaskState | None = None

    @property
    def subject(self) -> Subject:
        return self.task.subject

    @property
    def first_turn(self) -> tuple[str, ...]:
        return tuple(assignee.person for assignee in self.task.people)

    @property
    def teams(self) -> tuple[str, ...]:
        return (group_word(self.task.group),) if self.task.group else ()


def show(request: TaskInput, state: TaskState, now: datetime) -> TaskShow:
    """The view at `now`."""
    people = (AssigneeLine(person=slot.person, state=slot.state, at=slot.at) for slot in state.slots.people)
    facts = follow_up_facts(request.subject, request.policy, state, now)
    if request.task.colleagues:
        facts = facts.replace(choices=tuple(choice.replace(hand_over=True) for choice in facts.choices))
    return TaskShow(
        **dict(facts),
        colleagues=request.task.colleagues,
        group=request.task.group,
        title=request.task.title,
        text=request.task.text,
        people=tuple(people),
        done_by=state.lifecycle.ended_by if state.status is Status.DONE else None,
        decides=request.task.decides,
        answer=_answer(request.task, state),
    )


def settled(task: Task, state: TaskState) -> SettledTask:
    """The facts to hand off."""
    if state.lifecycle.settled_at is None or state.lifecycle.ended_by is None:
        raise ValueError("the task has not ended")
    people = state.slots.people
    return SettledTask(
        task=task.id,
        kind=task.kind,
        outcome=state.status,
        at=state.lifecycle.settled_at,
        by=state.lifecycle.ended_by,
        people=tuple(SettledPerson(person=slot.person, state=slot.state, at=slot.at) for slot in people),
        late=any(map(state.acted_late, people)),
    )


def _answer(task: Task, state: TaskState) -> GivenAnswer | None:
    if task.answer is None:
        return None
    ending = state.lifecycle.ending if state.status is Status.DONE else None
    return GivenAnswer(**dict(task.answer), text=(ending.why or None) if ending else None)
