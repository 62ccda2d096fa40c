"""The notification activity: prepares, sends, mails and reports the notices of one delivery."""

import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Final

from activities.metrics import ESCALATIONS, NOTIFICATIONS, REMINDERS, WARNINGS
from activities.notifications.alerts import HEARD_WITHIN, CredentialsAlarm, OnCallAlerts
from activities.notifications.budget import NotificationBudgets
from activities.notifications.cloud_messaging import CloudMessaging
from activities.notifications.link_devices import LinkDeviceSender
from activities.notifications.links import SigningLinks
from activities.notifications.message import leads_to_the_desk
from activities.notifications.outbound_mail import OutboundMailSender, SendOnce
from activities.notifications.phones import DeviceLimiter, DeviceSender
from activities.notifications.preparation import NotificationPreparation, PreparedNotification
from activities.notifications.push_services import PushDialect
from activities.notifications.results import MailDue, NoticeResult, build_report
from activities.notifications.sending import NotificationSender
from activities.notifications.signer_mail import SignerMail
from activities.notifications.teams import TeamDelivery
from activities.notifications.web_push import WebPush
from activities.people.directory import Directory, DirectoryFailure
from activities.people.subscriptions import WebSubscriptions
from activities.records.store import Store
from activities.records.user_texts import keep_page
from activities.temporal.failures import directory_failure, failing_as_application_errors, passing_failure
from activities.temporal.leases import PACE, TurnLimits, Turns, unbroken
from workflows.follow_up.notification_types import NotificationType, is_quiet, kind_of
from workflows.model.notifications import Delivery, DeliveryReport, DeliveryResult, NoticeAction, NotificationOrder
from workflows.model.schedule import Reason
from workflows.model.signature import ReportedDocument
from workflows.model.subject import Code, Roster
from workflows.ports import PushService

ReadDocument = Callable[[Roster, str], Awaitable[ReportedDocument]]
"""Reads the document from Core Signature; raises `ApplicationError`."""
_REMINDERS: Final = (NotificationType.REMINDER, NotificationType.SNOOZE, NotificationType.OVERDUE)


class NotificationService(PushService):
    """Sends to apps in one `dialect`, to browsers by `web`; None means there are none. `messaging` reaches people
    without a device whom Core Signature does not mail. `oncall` is alerted of refused credentials and of long unsent
    documents. Without `budgets` only onboardings ration their notices.
    """

    def __init__(
        self,
        *,
        dialect: PushDialect | None,
        web: WebPush | None = None,
        directory: Directory,
        links: SigningLinks,
        read: ReadDocument,
        mail: SignerMail,
        store: Store,
        messaging: CloudMessaging | None = None,
        company: str = "",
        oncall: str = "",
        limiter: DeviceLimiter | None = None,
        budgets: NotificationBudgets | None = None,
        pace: TurnLimits = PACE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        phones = DeviceSender(dialect, directory, limiter or DeviceLimiter(), web)
        send_once, budgets = SendOnce(store), budgets or NotificationBudgets(store)
        outbound = OutboundMailSender(messaging, send_once)
        self._preparation = NotificationPreparation(directory, links, store, phones, outbound, budgets, company)
        self._sender = NotificationSender(phones, outbound, budgets, store.app_pushes)
        self._link_devices = LinkDeviceSender(WebSubscriptions(store), self._preparation, phones)
        self._directory = directory
        self._links = links
        self._phones = phones
        self._send_once = send_once
        self._read = read
        self._mail = mail
        self._pace = pace
        self._clock = clock
        self._store = store
        self._on_call = OnCallAlerts(self, oncall, HEARD_WITHIN) if oncall else None
        self._alarm = CredentialsAlarm(store, self._on_call)

    async def deliver(self, delivery: Delivery) -> DeliveryReport:
        """A delivery for open devices reports nothing of notices without any."""
        turns = Turns(self._pace, self._clock)
        try:
            to_each = await TeamDelivery.from_delivery(delivery, self._directory)
        except DirectoryFailure as failure:
            raise directory_failure(failure) from failure
        return to_each.gathered(await unbroken(self._deliver(to_each.delivery, turns), turns.stop))

    async def _deliver(self, delivery: Delivery, turns: Turns) -> DeliveryReport:
        await self._store_page(delivery)
        document = (
            await self._read(delivery.subject.at_core, delivery.document) if delivery.document is not None else None
        )
        results, unsent_notices = await self._send(delivery, document, turns, quiet=False)
        now = datetime.now(UTC)
        await self._alarm.learn(self._phones.credentials_accepted(), now)
        await self._alert_on_call(delivery, now)
        due = [result for result in results if isinstance(result, MailDue)]
        results = [result for result in results if not isinstance(result, MailDue)]
        if turns.stopped:
            # A mail takes a while, and may have become obsolete.
            unsent_notices, due = unsent_notices + [result.notice for result in due], []
        elif unsent_notices and not (results or due):
            raise passing_failure(Code.UNREACHABLE, "nobody could be told in time")
        by_mail, mailed = await self._mail.send(delivery, due, self._send_once, self._phones)
        stragglers = delivery.devices is not None or delivery.others_told or turns.stopped
        ordered = _in_order([*results, *by_mail], delivery.notices)
        report = build_report(ordered, document, unsent_notices, stragglers=stragglers)
        report = await self._offer(delivery, report.replace(mailed=mailed), turns)
        for line in report.final_lines:
            _count(delivery.subject.kind, line)
        return report if turns.stopped else await self._link_devices.send(delivery, report)

    async def _store_page(self, delivery: Delivery) -> None:
        with failing_as_application_errors():
            await keep_page(self._store, delivery.subject.workflow_id, delivery.page)
            if newcomers := _find_newcomers(delivery):
                await self._store.starts.came_in(delivery.subject.workflow_id, newcomers)
            if linked := _find_linked(delivery):
                await self._store.log_pages.mark_linked(delivery.subject.workflow_id, linked, self._links.key)

    async def _send(
        self, delivery: Delivery, document: ReportedDocument | None, turns: Turns, *, quiet: bool
    ) -> tuple[list[NoticeResult], list[NotificationOrder]]:
        """Results in the order of the notices, and the notices that were not begun in time."""
        notices = [notice for notice in delivery.notices if is_quiet(notice.stage) is quiet]
        prepared = await turns.call_each(notices, lambda notice: self._preparation.prepare(delivery, notice, document))
        ready = [result for result in prepared.results if isinstance(result, PreparedNotification)]
        sent = await turns.call_each(ready, self._sender.send)
        results = [result for result in prepared.results if isinstance(result, NoticeResult)] + sent.results
        unsent_notices = prepared.unstarted + [ready.notice for ready in sent.unstarted]
        return _in_order(results, delivery.notices), unsent_notices

    async def _alert_on_call(self, delivery: Delivery, now: datetime) -> None:
        """Alert on-call of a document unsent for hours; the requester's notice does not wait for it."""
        on_call = self._on_call
        if on_call is None or delivery.devices is not None:
            return
        for notice in delivery.notices:
            if kind_of(notice.stage) is NotificationType.NOT_SENT and notice.person != on_call.person:
                await on_call.hears_too(delivery, notice, delivery.now or now)

    async def _offer(self, delivery: Delivery, report: DeliveryReport, turns: Turns) -> DeliveryReport:
        """The report with the offers: sent last, once, without retry. Unknown persons get no line."""
        offers, unsent_notices = await self._send(delivery, None, turns, quiet=True)
        lines = [line for offer in offers if (line := offer.line) and line.why != Reason.UNKNOWN_PERSON]
        return report.replace(
            delivered=(*report.delivered, *lines),
            open_notices=(*report.open_notices, *(notice.key for notice in unsent_notices)),
        )


def _find_newcomers(delivery: Delivery) -> list[str]:
    """Who may not have been asked from the start on: told of a silence, or a new assignee or reviewer. Those who sign
    instead of others are noted where they are sent.
    """

    def may_be_new(notice: NotificationOrder) -> bool:
        stage = kind_of(notice.stage)
        is_asked = stage is NotificationType.READY and notice.action in (NoticeAction.DO, NoticeAction.REVIEW)
        return is_asked or stage is NotificationType.ESCALATION

    return [notice.person for notice in delivery.notices if may_be_new(notice)]


def _find_linked(delivery: Delivery) -> set[str]:
    """Who gets a link to a page of their own."""
    notices = (notice for notice in delivery.notices if notice.action is not NoticeAction.WITHDRAW)
    return {notice.person for notice in notices if not leads_to_the_desk(delivery, notice)}


def _in_order(results: Sequence[NoticeResult], notices: Sequence[NotificationOrder]) -> list[NoticeResult]:
    """By the order of the notices; those of a mail that reached others as well come last."""
    places = {notice.key: number for number, notice in enumerate(notices)}
    return sorted(results, key=lambda result: places.get(result.notice.key, len(places)))


def _count(kind: str, line: DeliveryResult) -> None:
    """Count a line of the notification log."""
    NOTIFICATIONS.add(channel=line.channel, outcome=line.outcome)
    stage = kind_of(line.stage) if line.reached else None
    if stage in _REMINDERS:
        REMINDERS.add(kind=kind)
    elif stage is NotificationType.WARNING:
        WARNINGS.add(kind=kind)
    elif stage is NotificationType.ESCALATION:
        ESCALATIONS.add(kind=kind, action="notify")
