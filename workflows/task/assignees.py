"""Who is asked to do a task: all of them at once, and the first to do it ends it for all."""

from datetime import datetime
from enum import StrEnum
from typing import Self

from pydantic import AwareDatetime

from workflows.follow_up.awaited import Slot, Slots
from workflows.model.subject import Participant, Role


class AssigneeState(StrEnum):
    """Where somebody stands who was asked."""

    ASKED = "asked"
    DONE = "done"
    SPARED = "spared"
    """Somebody else has done it, or it has ended otherwise."""
    REASSIGNED = "reassigned"


class AssigneeSlot(Slot):
    """Somebody who was asked."""

    state: AssigneeState = AssigneeState.ASKED
    at: AwareDatetime | None = None

    @property
    def acted(self) -> bool:
        """Whether nothing more is expected of them."""
        return self.state is not AssigneeState.ASKED

    @property
    def replaced(self) -> bool:
        """Whether somebody else is asked instead of them."""
        return self.state is AssigneeState.REASSIGNED

    @property
    def participant(self) -> Participant:
        """As everybody knows them."""
        return Participant(person=self.person, role=Role.DO)


class AssigneeSlots(Slots[AssigneeSlot]):
    """Everyone who was asked, in the order in which they were named."""

    people: tuple[AssigneeSlot, ...]

    @classmethod
    def ask(cls, people: tuple[str, ...], now: datetime) -> Self:
        """It is everybody's turn at once."""
        return cls(people=tuple(_asked(person, now) for person in people))

    @property
    def everyone(self) -> tuple[AssigneeSlot, ...]:
        """All of them."""
        return self.people

    def reassign(self, person: str, to: str, now: datetime) -> Self:
        """Ask `to` instead of `person`; repeated, it changes nothing."""
        old = self.of(person)
        if old is None or self.of(to) is not None:
            return self
        gone = old.replace(state=AssigneeState.REASSIGNED, at=now)
        pairs = ((gone, _asked(to, now)) if one is old else (one,) for one in self.people)
        return self.replace(people=tuple(one for pair in pairs for one in pair))

    def shift(self, since: datetime, now: datetime) -> Self:
        """Move the clocks of all of them by the time from `since` until now."""
        return self.replace(people=tuple(one.shifted(since, now) for one in self.people))

    def end(self, by: str | None, now: datetime) -> Self:
        """Expect nothing more of anybody; `by` is who has done it."""

        def ended(one: AssigneeSlot) -> AssigneeSlot:
            if one.acted:
                return one
            return one.replace(state=AssigneeState.DONE if one.person == by else AssigneeState.SPARED, at=now)

        return self.replace(people=tuple(ended(one) for one in self.people))


def _asked(person: str, now: datetime) -> AssigneeSlot:
    return AssigneeSlot(person=person, turn_at=now, clock_from=now)
