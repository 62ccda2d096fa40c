"""Models of an absence that somebody entered: the order to tell open follow-ups of it, and what each hears."""

from datetime import timedelta
from typing import Final

from workflows.model.base import Model

SEEN_WITHIN: Final = timedelta(seconds=2)
"""Each process knows of a change after this time, at its next look-up; only then follow-ups hear of it."""


class AbsenceOrder(Model):
    """`id` is that of the absence; `back` that it was ended."""

    id: str
    back: bool = False


class AbsenceReport(Model):
    """How many open follow-ups were told."""

    told: int = 0


class AbsenceNews(Model):
    """Signal `absence`: somebody is away, for follow-ups of these `kinds`, empty for all; or `back`. By whom, and how
    that is known, such as `sign-in:ada`. With `left` the directory says that they left the company, or are back in it.
    """

    person: str
    by: str
    actor: str | None = None
    kinds: tuple[str, ...] = ()
    back: bool = False
    left: bool = False

    def is_of(self, kind: str) -> bool:
        return not self.kinds or kind in self.kinds
