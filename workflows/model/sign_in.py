"""Models of a sign-in to the desk. Link and code are in no history: the activity makes them."""

from datetime import datetime, timedelta
from typing import Final

from pydantic import AwareDatetime

from workflows.model.base import Model

VALID_FOR: Final = timedelta(minutes=10)
ONE_MESSAGE_EVERY: Final = timedelta(minutes=1)
"""To one browser."""


class SignInOrder(Model):
    """Send `person` a link and a code; `ask` is a digest of the browser's secret, `at` the time of the request."""

    person: str
    ask: str
    at: AwareDatetime
    used: bool = False
    """Whether it was used: then its notice is withdrawn."""

    @property
    def until(self) -> datetime:
        """When link and code expire."""
        return self.at + VALID_FOR


class SignInReport(Model):
    """Number of devices and addresses reached."""

    told: int = 0
