"""Delivers notifications: one stage at a time to all its recipients, retries of devices left open, escalations."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final, Generic

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    import workflows.follow_up.options as options
    from workflows.follow_up.calls import Condition, Watch, chain_run_id
    from workflows.follow_up.lifecycle import LifecycleWorkflow
    from workflows.follow_up.notification_log import PendingDevice, key_of, left_open
    from workflows.follow_up.state import State
    from workflows.model.notifications import Delivery, DeliveryReport, NotificationOrder
    from workflows.model.schedule import ScheduledAction
    from workflows.model.signature import ReportedDocument
    from workflows.names import LATENESS
    from workflows.ports import PushService

AT_MOST: Final = 100
"""Recipients of one call: with 20 devices each the report stays below 256 KB.

All signers of an ordinary request are in one call, because Core Signature's mail goes to all of them at once.
"""
Merge = Callable[[ReportedDocument, datetime | None], bool]
"""Merges the document that a delivery read, asked for at an instant; whether it has news."""


def left_of(notices: tuple[NotificationOrder, ...], report: DeliveryReport) -> tuple[NotificationOrder, ...]:
    """Notifications beyond the first `AT_MOST`; they are sent in the next call at once."""
    return tuple(n for n in notices[:AT_MOST] if n.key in report.open_notices) + notices[AT_MOST:]


def narrow_to_retries(delivery: Delivery, pending: tuple[PendingDevice, ...]) -> Delivery:
    """The delivery of these retries: their devices alone."""
    devices = dict.fromkeys(device for retry in pending for device in retry.devices)
    return delivery.replace(notices=tuple(retry.notice for retry in pending), devices=tuple(devices))


def in_words(delivery: Delivery) -> str:
    """Who gets what, for the Web UI; at most 200 characters."""
    stages = dict.fromkeys(notice.stage for notice in delivery.notices)
    people_by_stage = {
        stage: [notice.person for notice in delivery.notices if notice.stage == stage] for stage in stages
    }
    return "; ".join(f"{stage} → {', '.join(people)}" for stage, people in people_by_stage.items())[:200]


def _no_document(document: ReportedDocument, asked_at: datetime | None) -> bool:
    return False


class Notifier(Generic[State]):
    """Sends the notifications of one workflow; `interrupted_by` breaks a delivery off (default: any news)."""

    def __init__(
        self,
        owner: LifecycleWorkflow[State],
        interrupted_by: Watch | None = None,
        merge: Merge = _no_document,
    ) -> None:
        self._owner = owner
        self._interrupted_by = interrupted_by or owner.calls.news
        self._merge = merge

    async def notify(self, notices: tuple[NotificationOrder, ...], planned: tuple[ScheduledAction, ...] = ()) -> bool:
        """Deliver one stage; False when interrupted: recipients without a line are planned again.

        Devices left open are recorded for a retry.
        """
        moments = {key_of(self._owner.state.notice_id, action): action for action in planned}
        remaining, others_told = notices, False
        while remaining:
            comes_first = self._interrupted_by()
            part = remaining[:AT_MOST]
            delivery = self._delivery(part, planned).replace(others_told=others_told)
            report = await self._deliver(delivery, planned)
            interrupted = report is None or comes_first() or bool(_closed(planned))
            if report is not None:
                _measure(report, moments)
                others_told = others_told or any(line.key not in report.open_notices for line in report.delivered)
                remaining = left_of(remaining, report)
                now = workflow.now()
                attempts = tuple(
                    PendingDevice(notice=notice, moment=moments.get(notice.key), at=now) for notice in part
                )
                self._owner.state = self._owner.state.delivered(delivery, report, attempts, now)
                if report.seen is not None and self._merge(report.seen, delivery.now):
                    return False
            if interrupted and remaining:
                self._owner.state = self._owner.state.missed_hours(_closed(planned), workflow.now())
                return False
        return True

    async def retry(self, pending: tuple[PendingDevice, ...]) -> None:
        """Retry devices left open; a failure is no problem, for the next retry has its time."""
        expired = tuple(device for device in pending if device.is_over(workflow.now()))
        if expired:
            forgotten = self._owner.state.forget_sent(frozenset(device.key for device in expired))
            moments = tuple(device.moment for device in expired if device.moment)
            self._owner.state = forgotten.missed_hours(moments, workflow.now())
            return
        planned = tuple(device.moment for device in pending if device.moment)
        delivery = narrow_to_retries(self._delivery((), planned), pending)
        takes_priority = self._priority(planned)
        activity_options = options.at_once(options.NUDGE if delivery.document else options.NOTIFY)
        summary = f"again: {in_words(delivery)}"[:200]
        report = await self._owner.calls.attempt_once(
            PushService.deliver, delivery, activity_options, summary, unless=lambda: takes_priority
        )
        if report is not None:
            now = workflow.now()
            self._owner.state = self._owner.state.delivered(delivery, report, pending, now)
            if report.seen is not None:
                self._merge(report.seen, delivery.now)
        elif not takes_priority():
            still_open = tuple(left_open(pending, None, workflow.now()))
            self._owner.state = self._owner.state.record_attempts(pending, (), still_open)

    def _delivery(self, notices: tuple[NotificationOrder, ...], planned: tuple[ScheduledAction, ...]) -> Delivery:
        state = self._owner.state
        return Delivery(
            subject=self._owner.subject,
            notices=tuple(map(state.notifications.to_team, notices)),
            due_at=state.due_at,
            document=state.document_id if planned else None,
            now=workflow.now(),
            page=state.page,
            quiet=self._owner.request.quiet,
            mailed_at=state.notifications.mailed_at,
            first_run_id=chain_run_id(),
        )

    async def _deliver(self, delivery: Delivery, planned: tuple[ScheduledAction, ...]) -> DeliveryReport | None:
        # Absence, hours and budget of a recipient may have changed since the first try.
        return await self._owner.calls.call(
            PushService.deliver,
            delivery,
            options.NUDGE if delivery.document else options.NOTIFY,
            in_words(delivery),
            unless=lambda: self._priority(planned),
            anew=lambda first: first.replace(now=workflow.now()),
            resumes=tuple(notice.key for notice in delivery.notices),
        )

    def _priority(self, planned: tuple[ScheduledAction, ...]) -> Condition:
        """A condition: something interrupts, or the recipients' hours end."""
        comes_first = self._interrupted_by()
        return lambda: comes_first() or bool(_closed(planned))


def _measure(report: DeliveryReport, moments: Mapping[str, ScheduledAction]) -> None:
    """Record how late the planned notifications were sent that have reached somebody; nothing while replaying."""
    lateness = workflow.metric_meter().create_histogram_float(LATENESS, unit="seconds")
    for line in report.final_lines:
        if line.reached and line.key in moments:
            lateness.record(max(0.0, (workflow.now() - moments[line.key].at).total_seconds()))


def _closed(planned: tuple[ScheduledAction, ...]) -> tuple[ScheduledAction, ...]:
    return tuple(action for action in planned if action.open_until and action.open_until <= workflow.now())
