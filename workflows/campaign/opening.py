"""The opening of a yearly campaign: it waits for the year's content, and opens with that or not at all."""

from datetime import datetime, timedelta
from typing import Final, Self

from pydantic import AwareDatetime
from temporalio import workflow
from temporalio.common import SearchAttributeKey

with workflow.unsafe.imports_passed_through():
    import workflows.follow_up.options as options
    from workflows.follow_up.calls import CallFailure, Condition, RetryingWorkflow, Watch, despite_cancellation
    from workflows.follow_up.notification_types import NotificationType
    from workflows.follow_up.pause_clock import PauseClock
    from workflows.follow_up.view import stamp
    from workflows.kinds import Kind
    from workflows.model.base import Model, Packed
    from workflows.model.campaign import YEAR, ContentGiven, Series, YearGivenUp, YearSeen, YearToOpen
    from workflows.model.notifications import Delivery, NoticeAction, NotificationOrder
    from workflows.model.subject import Subject
    from workflows.names import CAMPAIGN_OPENING, CONTENT_GIVEN, STAGE, notice_key
    from workflows.ports import CampaignYears, PushService

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


_DUE: Final = SearchAttributeKey.for_datetime("TemporalScheduledStartTime")
"""When a schedule was to start it: after an outage that is long before it did."""


@workflow.defn(name=CAMPAIGN_OPENING)
class CampaignOpeningWorkflow(RetryingWorkflow[OpeningState]):
    """Opens one year's campaign with content that was given for that year; without any it gives up, and says so."""

    @workflow.init
    def __init__(self, given: OpeningInput) -> None:
        due = workflow.info().typed_search_attributes.get(_DUE)
        super().__init__(given.carried or OpeningState(since=due or workflow.now()))
        self._given = given

    @workflow.run
    @despite_cancellation
    async def run(self, given: OpeningInput) -> OpeningResult:
        """Look for the year's content, on the day open with it, tell the owner what is missing; rest, look again."""
        while not self._progress.over:
            unless = self._news()
            await self.look()
            await self.tell()
            await self.rest(unless)
        self.publish()
        return self.opened()

    @workflow.signal(name=CONTENT_GIVEN, description="The content of a year was given: it is looked for at once")
    def content_given(self, given: ContentGiven) -> None:
        """Remember that there is something to look at."""
        self._progress = self._progress.given()

    async def look(self) -> None:
        """Find out which year is next, and open it once its day has come and its content is there."""
        now = workflow.now()
        order = YearToOpen(series=self._given.series, since=self._progress.since, now=now)
        # What passes by itself is tried again within the day; what does not, its owner hears of, as of other content.
        unless = self._over_by(now + LOOK_EVERY)
        seen = await self.call(CampaignYears.open, order, options.WALK, "open, or look for what is missing", unless)
        if not self._progress.over:
            self._progress = self._progress.looked(seen) if seen else self._progress.unseen(workflow.now())

    async def tell(self) -> None:
        """Tell the owner what is missing a month before, and at the end that nothing was opened."""
        year, now = self._progress.year, workflow.now()
        if year is None or (stage := self._progress.to_tell(now)) is None:
            return
        series = self._given.series
        notices = (notice_of(series, year.year, stage),)
        order = Delivery(subject=subject_of(series, year.year), notices=notices, others_told=True, now=now)
        told = await self.once(PushService.deliver, order, options.NOTIFY, f"tell the owner: {stage}")
        if stage == NotificationType.UNOPENED:
            given_up = YearGivenUp(series=series, year=year.year)
            await self.call(CampaignYears.forget, given_up, options.WALK, "forget what was given for the year")
        # Who cannot be told today is told tomorrow; the opening does not wait for that, and an end is one all the same.
        if told is not None or stage == NotificationType.UNOPENED:
            self._progress = self._progress.heard(stage)

    async def rest(self, unless: Condition) -> None:
        """Until its day, or the next look, or somebody has given content since this one began."""
        if not (self._progress.over or unless()):
            at = self._progress.next_at(workflow.now())
            await self.until(at, "the opening, or the next look for its content", lambda: unless)

    def _news(self) -> Condition:
        before = self._progress.hints
        return lambda: self._progress.hints > before or self._progress.over

    def opened(self) -> OpeningResult:
        """How it ended."""
        year = self._progress.year
        return OpeningResult(year=year and year.year, campaign=year and year.campaign)

    def publish(self) -> None:
        """What it waits for; the stage is written when it changes."""
        workflow.set_current_details(self._progress.says)
        if workflow.info().typed_search_attributes.get(STAGE) != self._progress.stage:
            workflow.upsert_search_attributes([STAGE.value_set(self._progress.stage)])

    def carried_over(self) -> OpeningInput:
        """What it was started with, and all that is remembered; what was given is looked for anew."""
        return self._given.replace(carried=self._progress)

    def failed(self, trouble: CallFailure) -> None:
        """End it: nobody can fix this."""
        self._progress = self._progress.replace(over=True, refused=trouble.says)

    def cancelled(self, reason: str) -> None:
        """End it: no year is opened by it."""
        self._progress = self._progress.replace(over=True, refused=reason or "cancelled")

    def _over_by(self, at: datetime) -> Watch:
        return lambda: lambda: self._progress.over or workflow.now() >= at
