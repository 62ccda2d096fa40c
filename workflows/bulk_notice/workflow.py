"""The bulk notice workflow: one notification about many follow-ups, for instance that many were started."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from temporalio.exceptions import ActivityError, is_cancelled_exception

    import workflows.follow_up.options as options
    from workflows.model.notifications import Delivery, NotificationOrder
    from workflows.names import BULK_NOTICE
    from workflows.ports import PushService


@workflow.defn(name=BULK_NOTICE)
class BulkNoticeWorkflow:
    """Notifies people once; without success within minutes it gives up."""

    @workflow.run
    async def run(self, delivery: Delivery) -> None:
        """Deliver the notices, and after pauses those that were not begun."""
        open_notices = delivery.notices
        for pause in (None, *options.DEVICE_RETRY_PAUSES):
            if pause is not None:
                await workflow.sleep(pause)
            open_notices = await self._deliver(delivery.replace(notices=open_notices, now=workflow.now()))
            if not open_notices:
                return

    async def _deliver(self, delivery: Delivery) -> tuple[NotificationOrder, ...]:
        try:
            report = await workflow.execute_activity_method(
                PushService.deliver,
                delivery,
                summary=f"tell {len(delivery.notices)}",
                priority=workflow.info().priority,
                **options.NOTIFY,
            )
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            workflow.logger.warning("not told: %s", error.cause)
            return delivery.notices
        return tuple(notice for notice in delivery.notices if notice.key in report.open_notices)
