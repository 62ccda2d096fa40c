"""What a campaign of each year is: the series, how one of its years stands, and what is asked about that."""

from typing import Final

from pydantic import AwareDatetime

from workflows.model.base import Model
from workflows.names import OPENING_PREFIX

YEAR: Final = "{year}"
"""What the file of a yearly campaign says where each year's has the year."""


class Series(Model):
    """A campaign that opens each year on a day; its `id` and `title` say `{year}` where each year's say the year."""

    id: str
    kind: str
    title: str
    owner: str
    yearly: str
    """Month and day."""

    @property
    def schedule_id(self) -> str:
        """What Temporal knows it by: the id without the year."""
        return f"{OPENING_PREFIX}:{self.id.replace(YEAR, '').strip('-_')}"

    def campaign_id(self, year: int) -> str:
        """The campaign of a year."""
        return self.id.replace(YEAR, str(year))


class YearToOpen(Model):
    """Open the first year from the day of `since` on, if its day has come by `now` and its content is there."""

    series: Series
    since: AwareDatetime
    now: AwareDatetime


class YearSeen(Model):
    """When a year's campaign opens, from when on its owner is told what is missing, and when it is given up.

    `campaign` is the workflow id of what was opened with the content that was `given`, `refused` why nothing was.
    """

    year: int
    opens_at: AwareDatetime
    tell_at: AwareDatetime
    ends_at: AwareDatetime
    given: bool = False
    campaign: str | None = None
    refused: str = ""


class YearGivenUp(Model):
    """A year of a series that is not opened any more."""

    series: Series
    year: int


class ContentGiven(Model):
    """Signal `content_given`: the store has what a year is to open with, or has something else."""

    year: int
