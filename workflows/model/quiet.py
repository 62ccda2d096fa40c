"""How often somebody is called: the budget that all parts of an onboarding share for the people of its customer."""

from typing import Annotated, Final

from pydantic import Field

from workflows.model.base import Model
from workflows.model.policy import Duration

QUIET_AT_MOST: Final = 20
"""Notices that a budget may allow in its time: so many entries are read before somebody is told."""


class BudgetExemption(Model):
    """Somebody of this part, and the key under which all parts count what they hear; it says nothing of them."""

    person: str
    key: str


class NotificationBudget(Model):
    """At most `most` notices in any `per`, of all parts of `of` together; urgent ones and news are apart."""

    of: str
    most: Annotated[int, Field(ge=1, le=QUIET_AT_MOST)] = 3
    per: Duration = "1d"
    people: tuple[BudgetExemption, ...] = ()

    def key_of(self, person: str) -> str | None:
        """Under which key somebody is counted, None for whoever hears everything."""
        return next((one.key for one in self.people if one.person == person), None)
