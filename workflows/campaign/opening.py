"""The opening of a yearly campaign: it waits for the year's content, and opens with that or not at all."""

from datetime import datetime
from typing import Final

from temporalio import workflow
from temporalio.common import SearchAttributeKey

with workflow.unsafe.imports_passed_through():
    import workflows.follow_up.options as options
    from workflows.campaign.year import LOOK_EVERY, OpeningInput, OpeningResult, OpeningState, notice_of, subject_of
    from workflows.follow_up.patience import Condition, RetryingWorkflow, Watch, despite_cancellation
    from workflows.follow_up.stages import NotificationType
    from workflows.follow_up.trouble import CallFailure
    from workflows.model.notices import Delivery
    from workflows.model.yearly import ContentGiven, YearGivenUp, YearToOpen
    from workflows.names import CAMPAIGN_OPENING, CONTENT_GIVEN, STAGE
    from workflows.ports import CampaignYears, PushService

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
