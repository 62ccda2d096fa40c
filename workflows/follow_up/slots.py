"""Slots: who is asked and since when; reassignments of slots, escalations; questions of their holders. Pure."""

from abc import abstractmethod
from datetime import datetime
from typing import Generic, Self, TypeVar

from pydantic import AwareDatetime

from workflows.model.base import Model
from workflows.model.schedule import Turn
from workflows.model.timeline import AskedQuestion, EscalationEntry, Reassignment


class Slot(Model):
    """A person who is asked. `turn_at` is the begin of their turn; `clock_from`, from which offsets count, is moved by
    every pause since.
    """

    person: str
    state: str
    turn_at: AwareDatetime | None = None
    clock_from: AwareDatetime | None = None

    @property
    @abstractmethod
    def acted(self) -> bool:
        """Whether nothing more is expected of them."""

    @property
    @abstractmethod
    def replaced(self) -> bool: ...

    @property
    def spared(self) -> bool:
        """Whether nothing is asked of them any more, because another of their group acts."""
        return False

    @property
    def pending(self) -> bool:
        """Whether it is their turn and they have not acted."""
        return self.turn_at is not None and not self.acted

    @property
    def is_verified(self) -> bool:
        """Whether its holder has to prove who they are, so that nobody else can be asked instead."""
        return False

    def shifted(self, stopped_at: datetime, now: datetime) -> Self:
        """With the clock moved by the time from `stopped_at`, or from its own start if later, until now."""
        if self.clock_from is None:
            return self
        return self.replace(clock_from=self.clock_from + (now - max(stopped_at, self.clock_from)))


AnySlot_co = TypeVar("AnySlot_co", bound=Slot, covariant=True)


class Slots(Model, Generic[AnySlot_co]):
    @property
    @abstractmethod
    def everyone(self) -> tuple[AnySlot_co, ...]:
        """In the order in which they were named."""

    @abstractmethod
    def reassign(self, person: str, successor: str, now: datetime) -> Self:
        """Reassign a slot; idempotent."""

    @abstractmethod
    def shift(self, stopped_at: datetime, now: datetime) -> Self:
        """Move the clocks of pending people by the time from `stopped_at` to `now`."""

    @property
    def pending(self) -> tuple[AnySlot_co, ...]:
        return tuple(slot for slot in self.everyone if slot.pending)

    @property
    def turns(self) -> tuple[Turn, ...]:
        """The pending slots as the planner's `Turn`s."""
        return tuple(Turn(person=p.person, since=p.clock_from, came_at=p.turn_at) for p in self.pending if p.clock_from)

    def find(self, person: str) -> AnySlot_co | None:
        return next((slot for slot in self.everyone if slot.person == person), None)


class Escalations(Model):
    """Who was asked or alerted instead of whom, and the slots that are to be reassigned (`wanted`).

    `refused` are silent people whose slot could not be reassigned: about them somebody is alerted instead.
    """

    entries: tuple[EscalationEntry, ...] = ()
    wanted: tuple[Reassignment, ...] = ()
    refused: tuple[str, ...] = ()
    past: int = 0
    """How many entries are about slots of before."""

    @property
    def present(self) -> tuple[EscalationEntry, ...]:
        return self.entries[self.past :]

    def put_away(self) -> Self:
        """The slots are of before."""
        return self.replace(wanted=(), refused=(), past=len(self.entries))

    def reassigned(self, reassignment: Reassignment, now: datetime) -> Self:
        """Others that want this slot, or escalate to the same person, are obsolete."""
        entry = EscalationEntry(from_=reassignment.from_, to=reassignment.to, reason=reassignment.reason, at=now)
        remaining = (
            candidate
            for candidate in self.wanted
            if candidate.subject_key != reassignment.subject_key
            and (candidate.by_hand or candidate.to != reassignment.to)
        )
        return self.replace(entries=(*self.entries, entry), wanted=tuple(remaining))

    def drop(self, reassignment: Reassignment) -> Self:
        return self.replace(wanted=tuple(candidate for candidate in self.wanted if candidate != reassignment))


class Questions(Model):
    """The questions and obstacles of people, with their answers; the first `past` are of slots of before."""

    entries: tuple[AskedQuestion, ...] = ()
    past: int = 0

    @property
    def present(self) -> tuple[AskedQuestion, ...]:
        return self.entries[self.past :]

    def open(self, slots: Slots[Slot]) -> AskedQuestion | None:
        """The question that waits for an answer; none of a person who has acted."""
        for question in self.present:
            holder = slots.find(question.holder)
            if question.answer is None and holder is not None and not holder.acted:
                return question
        return None

    @property
    def next_number(self) -> int:
        return len(self.entries) + 1

    def add_question(self, question: AskedQuestion) -> Self:
        return self.replace(entries=(*self.entries, question))

    def answered(self, number: int, answer: str) -> Self:
        return self.replace(
            entries=tuple(
                question.replace(answer=answer) if question.number == number else question for question in self.entries
            )
        )

    def waiting_of(self, person: str) -> tuple[AskedQuestion, ...]:
        """The unanswered questions of the present holder of a slot."""
        return tuple(question for question in self.present if question.answer is None and question.holder == person)

    def move_to(self, person: str, successor: str) -> Self:
        """Unanswered questions move with the slot; a reassignment answers an obstacle."""
        moved_by_number = {
            question.number: question.replace(answer="") if question.blocks else question.replace(to=successor)
            for question in self.waiting_of(person)
        }
        return self.replace(entries=tuple(moved_by_number.get(question.number, question) for question in self.entries))
