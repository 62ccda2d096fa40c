"""The daily check of a yearly campaign: starts the year's campaign, or tells its owner what is missing."""

from datetime import timedelta
from typing import Final

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from temporalio.exceptions import ActivityError, is_cancelled_exception

    import workflows.follow_up.options as options
    from workflows.follow_up.notification_types import NotificationType
    from workflows.follow_up.view import stamp
    from workflows.kinds import Kind
    from workflows.model.campaign import YEAR, Series, YearCheck, YearToOpen
    from workflows.model.notifications import Delivery, NoticeAction, NotificationOrder
    from workflows.model.subject import Subject
    from workflows.names import CAMPAIGN_OPENING, STAGE, notice_key
    from workflows.ports import CampaignYears, PushService

CONTENT_MISSING: Final = "content-missing"
"""`CsStage` of a year without content."""
_LOOK_WITHIN: Final = timedelta(hours=20)
"""Then the next look is near."""


@workflow.defn(name=CAMPAIGN_OPENING)
class CampaignOpeningWorkflow:
    """One check; the schedule hands its result to the next day's."""

    @workflow.run
    async def run(self, series: Series) -> YearCheck:
        """Open the year's campaign once it is due; notify the owner once a month before, and of giving up."""
        last = workflow.get_last_completion_result(YearCheck) if workflow.has_last_completion_result() else None
        if last and last.is_given_up(workflow.now()):
            last = await self._tell(series, last, NotificationType.UNOPENED)
        year = await self._look(series, last)
        if year.is_missing(workflow.now()):
            stage = NotificationType.CONTENT.value
            year = await self._tell(series, year, f"{stage}-refused" if year.refused else stage)
        self._publish(year)
        return year

    async def _look(self, series: Series, last: YearCheck | None) -> YearCheck:
        order = YearToOpen(series=series, now=workflow.now(), last=last)
        try:
            return await workflow.execute_activity_method(
                CampaignYears.open,
                order,
                summary="open the year, or look for what is missing",
                priority=workflow.info().priority,
                **options.limit_time(_LOOK_WITHIN, options.LOOK),
            )
        except ActivityError as error:
            if is_cancelled_exception(error) or last is None:
                raise
            return last.replace(refused=f"{error.cause}")

    async def _tell(self, series: Series, year: YearCheck, stage: str) -> YearCheck:
        """Notify the owner, once; a failed notification is repeated the next day."""
        if stage in year.told:
            return year
        id, title = series.campaign_id(year.year), series.title.replace(YEAR, str(year.year))
        key = notice_key(id, stage, series.owner)
        notice = NotificationOrder(key=key, stage=stage, person=series.owner, action=NoticeAction.OPEN)
        subject = Subject(type=Kind.CAMPAIGN, id=id, kind=series.kind, title=title, requester=series.owner, people=())
        order = Delivery(subject=subject, notices=(notice,), others_told=True, now=workflow.now())
        try:
            await workflow.execute_activity_method(
                PushService.deliver,
                order,
                summary=f"tell the owner: {stage}",
                priority=workflow.info().priority,
                **options.NOTIFY,
            )
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            workflow.logger.warning("the owner was not told: %s", error.cause)
            return year
        return year.replace(told=(*year.told, stage))

    def _publish(self, year: YearCheck) -> None:
        missing = year.is_missing(workflow.now())
        stage = "settled" if year.campaign else CONTENT_MISSING if missing else "scheduled"
        workflow.upsert_search_attributes([STAGE.value_set(stage)])
        workflow.set_current_details(_details(year))


def _details(year: YearCheck) -> str:
    if year.campaign:
        return f"{year.year} was opened: `{year.campaign}`"
    if year.given and not year.refused:
        return f"Opens {stamp(year.opens_at)} with the content of {year.year}"
    reason = f"cannot with what was given: {year.refused}" if year.refused else f"waits for the content of {year.year}"
    helps = f"`countersign campaign schedule FILE --year {year.year}` gives it"
    return f"Should open {stamp(year.opens_at)}, {reason}\n\n{helps}; given up {stamp(year.given_up_at)}"
