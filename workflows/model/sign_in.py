"""Somebody wants to sign in to the desk. What opens it is in no history: the activity that sends it makes it."""

from datetime import datetime, timedelta
from typing import Final

from pydantic import AwareDatetime

from workflows.model.base import Model

VALID_FOR: Final = timedelta(minutes=10)
ONE_MESSAGE_EVERY: Final = timedelta(minutes=1)
"""To one browser, however often it asks for one."""


class SignInOrder(Model):
    """Send `person` a way in; `ask` is a digest of what only the browser that asked has, `at` when it did."""

    person: str
    ask: str
    at: AwareDatetime
    used: bool = False
    """Whether it has let somebody in: then its notice is taken off the person's screens."""

    @property
    def until(self) -> datetime:
        """When the way in closes."""
        return self.at + VALID_FOR


class SignInReport(Model):
    """To how many devices and addresses it went."""

    told: int = 0
