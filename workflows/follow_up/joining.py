"""The memory of what asks nobody itself: an onboarding or a campaign, whose parts and requests await people."""

from datetime import datetime
from typing import Self

from workflows.follow_up.awaited import Slot, Slots
from workflows.follow_up.memory import FollowUpState
from workflows.model.notices import NoticeAction


class NoSlots(Slots[Slot]):
    """Whom it asks."""

    @property
    def everyone(self) -> tuple[Slot, ...]:
        """Nobody."""
        return ()


class JoinState(FollowUpState):
    """What it remembers is how those stand that follow people up for it."""

    @property
    def awaited(self) -> NoSlots:
        """Nobody: others await people for it."""
        return NoSlots()

    def action_of(self, person: str) -> NoticeAction:
        """To look at it."""
        return NoticeAction.OPEN

    def give_place(self, person: str, to: str, now: datetime) -> Self:
        """Nobody has a place in it."""
        return self
