"""The memory of what asks nobody itself: an onboarding or a campaign, whose parts and requests await people."""

from datetime import datetime
from typing import Self

from workflows.follow_up.awaited import Awaited, Place
from workflows.follow_up.memory import FollowUp
from workflows.model.notices import NoticeAction


class Nobody(Awaited[Place]):
    """Whom it asks."""

    @property
    def everyone(self) -> tuple[Place, ...]:
        """Nobody."""
        return ()


class Joining(FollowUp):
    """What it remembers is how those stand that follow people up for it."""

    @property
    def awaited(self) -> Nobody:
        """Nobody: others await people for it."""
        return Nobody()

    def action_of(self, person: str) -> NoticeAction:
        """To look at it."""
        return NoticeAction.OPEN

    def give_place(self, person: str, to: str, now: datetime) -> Self:
        """Nobody has a place in it."""
        return self
