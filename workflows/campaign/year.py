"""What the opening of one year remembers: whether its content is there, what its owner was told, its end. Pure."""

from datetime import datetime, timedelta
from typing import Final, Self

from pydantic import AwareDatetime

from workflows.follow_up.clocks import PauseClock
from workflows.follow_up.show import stamp
from workflows.follow_up.stages import NotificationType
from workflows.kinds import Kind
from workflows.model.base import Model, Packed
from workflows.model.notices import NoticeAction, NotificationOrder
from workflows.model.subject import Subject
from workflows.model.yearly import YEAR, Series, YearSeen
from workflows.names import notice_key

CONTENT_MISSING: Final = "content-missing"
"""What lists call one that cannot open yet."""
LOOK_EVERY: Final = timedelta(days=1)
"""So long as well what does not answer on the day is tried again before its owner hears of it."""
_GIVEN_UP_AFTER: Final = timedelta(days=30 + 182)
"""After its beginning, a month before its day, when nothing was ever known of it."""


class OpeningState(PauseClock):
    """The memory of one opening, which is due since `since`."""

    since: AwareDatetime
    year: YearSeen | None = None
    hints: int = 0
    """How often somebody said that content was given."""
    told: tuple[str, ...] = ()
    """The stages of which the owner was told."""
    refused: str = ""
    """Why the campaign could not be started with what was given, or was cancelled."""
    over: bool = False

    def looked(self, year: YearSeen) -> Self:
        """How the year stands; once its campaign was started this is over."""
        return self.replace(year=year, refused=year.refused, over=year.campaign is not None)

    def unseen(self, now: datetime) -> Self:
        """Nobody has said for a day how it stands, the owner is not in the people file perhaps.

        Its owner hears of it on the day; of one of which nothing was ever known it is the end when any year would end.
        """
        if self.year is None:
            return self.replace(over=now >= self.since + _GIVEN_UP_AFTER)
        due = self.year.given and now >= self.year.opens_at
        return self.replace(refused="what it is started with did not answer for a day" if due else self.refused)

    def given(self) -> Self:
        """There is something to look at."""
        return self.replace(hints=self.hints + 1)

    def to_tell(self, now: datetime) -> str | None:
        """What the owner is to hear now: once that something is missing, once that it was given up."""
        year = self.year
        if year is None or self.over or (year.given and not self.refused) or now < year.tell_at:
            return None
        stage = f"{NotificationType.CONTENT}-refused" if self.refused else NotificationType.CONTENT.value
        if now >= year.ends_at:
            stage = NotificationType.UNOPENED
        return None if stage in self.told else stage

    def heard(self, stage: str) -> Self:
        """The owner was told; of one that is given up it is the end."""
        return self.replace(told=(*self.told, stage), over=self.over or stage == NotificationType.UNOPENED)

    def next_at(self, now: datetime) -> datetime:
        """When there is something to do without any news: the opening, or the next look for what is missing."""
        year = self.year
        if year is None:
            return now + LOOK_EVERY
        if year.given and not self.refused:
            return year.opens_at
        return max(year.tell_at, min(now + LOOK_EVERY, year.ends_at))

    @property
    def stage(self) -> str:
        """The word for lists."""
        if self.over:
            return "settled"
        return "scheduled" if self.year and self.year.given and not (self.refused or self.problem) else CONTENT_MISSING

    @property
    def says(self) -> str:
        """The Web UI's details."""
        year = self.year
        if year is None:
            return "Looks whether the content of its year is there"
        if year.campaign:
            return f"{year.year} was opened: `{year.campaign}`"
        if self.over:
            return f"{year.year} was not opened: {self.refused or 'its content was not given'}"
        if self.problem:
            return f"Should open {stamp(year.opens_at)}, and is tried again: {self.problem.says}"
        if year.given and not self.refused:
            return f"Opens {stamp(year.opens_at)} with the content of {year.year}"
        why = f"cannot with what was given: {self.refused}" if self.refused else f"waits for the content of {year.year}"
        helps = f"`countersign campaign schedule FILE --year {year.year}` gives it"
        return f"Should open {stamp(year.opens_at)}, {why}\n\n{helps}; given up {stamp(year.ends_at)}"


class OpeningInput(Model):
    """Input of the workflow; `carried` is set by continue-as-new only."""

    series: Series
    carried: Packed[OpeningState | None] = None


class OpeningResult(Model):
    """How it ended: the workflow id of the year's campaign, None where it was given up."""

    year: int | None = None
    campaign: str | None = None


def subject_of(series: Series, year: int) -> Subject:
    """The campaign of the year as notices speak of it."""
    title = series.title.replace(YEAR, str(year))
    id = series.campaign_id(year)
    return Subject(type=Kind.CAMPAIGN, id=id, kind=series.kind, title=title, requester=series.owner, people=())


def notice_of(series: Series, year: int, stage: str) -> NotificationOrder:
    """What the owner hears."""
    key = notice_key(series.campaign_id(year), stage, series.owner)
    return NotificationOrder(key=key, stage=stage, person=series.owner, action=NoticeAction.OPEN)
