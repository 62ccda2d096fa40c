"""The opening of a yearly campaign: waits for the year's content and starts the campaign with it, or gives up."""

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
    """The state of one opening, due since `since`."""

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
        """Record a check; it is over once the campaign was started."""
        return self.replace(year=year, refused=year.refused, over=year.campaign is not None)

    def unseen(self, now: datetime) -> Self:
        """No check succeeded for a day, perhaps because the owner is unknown to the directory.

        The owner is notified; a year of which nothing was ever known ends when any year would.
        """
        if self.year is None:
            return self.replace(over=now >= self.since + _GIVEN_UP_AFTER)
        due = self.year.given and now >= self.year.opens_at
        return self.replace(refused="what it is started with did not answer for a day" if due else self.refused)

    def given(self) -> Self:
        """New content was given: check it."""
        return self.replace(hints=self.hints + 1)

    def to_tell(self, now: datetime) -> str | None:
        """What to notify the owner of now: content is missing, or the year was given up; once each."""
        year = self.year
        if year is None or self.over or (year.given and not self.refused) or now < year.tell_at:
            return None
        stage = f"{NotificationType.CONTENT}-refused" if self.refused else NotificationType.CONTENT.value
        if now >= year.ends_at:
            stage = NotificationType.UNOPENED
        return None if stage in self.told else stage

    def heard(self, stage: str) -> Self:
        """The owner was notified; after giving up that is the end."""
        return self.replace(told=(*self.told, stage), over=self.over or stage == NotificationType.UNOPENED)

    def next_at(self, now: datetime) -> datetime:
        """When to act without news: the opening, or the next check for content."""
        year = self.year
        if year is None:
            return now + LOOK_EVERY
        if year.given and not self.refused:
            return year.opens_at
        return max(year.tell_at, min(now + LOOK_EVERY, year.ends_at))

    @property
    def stage(self) -> str:
        """`CsStage`."""
        if self.over:
            return "settled"
        return "scheduled" if self.year and self.year.given and not (self.refused or self.problem) else CONTENT_MISSING

    @property
    def says(self) -> str:
        """Web UI details."""
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
    """Input; `carried` is set by continue-as-new only."""

    series: Series
    carried: Packed[OpeningState | None] = None


class OpeningResult(Model):
    """The workflow id of the year's campaign, None when given up."""

    year: int | None = None
    campaign: str | None = None


def subject_of(series: Series, year: int) -> Subject:
    """The year's campaign as a subject of notifications."""
    title = series.title.replace(YEAR, str(year))
    id = series.campaign_id(year)
    return Subject(type=Kind.CAMPAIGN, id=id, kind=series.kind, title=title, requester=series.owner, people=())


def notice_of(series: Series, year: int, stage: str) -> NotificationOrder:
    """The notification to the owner."""
    key = notice_key(series.campaign_id(year), stage, series.owner)
    return NotificationOrder(key=key, stage=stage, person=series.owner, action=NoticeAction.OPEN)


_DUE: Final = SearchAttributeKey.for_datetime("TemporalScheduledStartTime")
"""When a schedule was to start it: after an outage that is long before it did."""


@workflow.defn(name=CAMPAIGN_OPENING)
class CampaignOpeningWorkflow(RetryingWorkflow[OpeningState]):
    """Opens one year's campaign with content given for that year, or gives up and says so."""

    @workflow.init
    def __init__(self, given: OpeningInput) -> None:
        due = workflow.info().typed_search_attributes.get(_DUE)
        super().__init__(given.carried or OpeningState(since=due or workflow.now()))
        self._given = given

    @workflow.run
    @despite_cancellation
    async def run(self, given: OpeningInput) -> OpeningResult:
        """Check for content, open on the day, notify the owner of what is missing; wait, repeat."""
        while not self._progress.over:
            unless = self._news()
            await self.look()
            await self.tell()
            await self.rest(unless)
        self.publish()
        return self.opened()

    @workflow.signal(name=CONTENT_GIVEN, description="The content of a year was given: it is looked for at once")
    def content_given(self, given: ContentGiven) -> None:
        """Check the content at once."""
        self._progress = self._progress.given()

    async def look(self) -> None:
        """Find the next year, and open it once its day has come and its content is there."""
        now = workflow.now()
        order = YearToOpen(series=self._given.series, since=self._progress.since, now=now)
        # Short failures are retried within the day; the owner is notified of others.
        unless = self._over_by(now + LOOK_EVERY)
        seen = await self.call(CampaignYears.open, order, options.WALK, "open, or look for what is missing", unless)
        if not self._progress.over:
            self._progress = self._progress.looked(seen) if seen else self._progress.unseen(workflow.now())

    async def tell(self) -> None:
        """Notify the owner: a month before of missing content, at the end of giving up."""
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
        # A failed notification is repeated tomorrow; neither opening nor end waits for it.
        if told is not None or stage == NotificationType.UNOPENED:
            self._progress = self._progress.heard(stage)

    async def rest(self, unless: Condition) -> None:
        """Wait for its day, the next check, or new content."""
        if not (self._progress.over or unless()):
            at = self._progress.next_at(workflow.now())
            await self.until(at, "the opening, or the next look for its content", lambda: unless)

    def _news(self) -> Condition:
        before = self._progress.hints
        return lambda: self._progress.hints > before or self._progress.over

    def opened(self) -> OpeningResult:
        year = self._progress.year
        return OpeningResult(year=year and year.year, campaign=year and year.campaign)

    def publish(self) -> None:
        """Web UI details; `CsStage` when it changes."""
        workflow.set_current_details(self._progress.says)
        if workflow.info().typed_search_attributes.get(STAGE) != self._progress.stage:
            workflow.upsert_search_attributes([STAGE.value_set(self._progress.stage)])

    def carried_over(self) -> OpeningInput:
        """The input of the next history; given content is checked again."""
        return self._given.replace(carried=self._progress)

    def failed(self, trouble: CallFailure) -> None:
        """End it: the failure cannot be fixed."""
        self._progress = self._progress.replace(over=True, refused=trouble.says)

    def cancelled(self, reason: str) -> None:
        """End it without opening a year."""
        self._progress = self._progress.replace(over=True, refused=reason or "cancelled")

    def _over_by(self, at: datetime) -> Watch:
        return lambda: lambda: self._progress.over or workflow.now() >= at
