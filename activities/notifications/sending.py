"""Sends a prepared notice: to the person's devices, and where none has it for sure, by another channel."""

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from activities.errors import StoreFailure
from activities.notifications.budget import NotificationBudgets
from activities.notifications.outbound_mail import Fallback, OutboundMailSender, address_of
from activities.notifications.phones import DeviceSender
from activities.notifications.preparation import PreparedNotification
from activities.notifications.push_services import MessageFate
from activities.notifications.results import (
    FailedNotice,
    MailDue,
    Messages,
    NoticeResult,
    SentNotice,
    fail_by_directory,
)
from activities.people.directory import DirectoryFailure
from activities.people.ids import stands_in_full
from activities.people.person import WebDevice
from activities.records.app_pushes import AppPush, AppPushes
from activities.records.devices import device_hash
from activities.temporal.failures import passing_failure
from workflows.follow_up.notification_types import is_other_channel
from workflows.model.notifications import NotificationOutcome
from workflows.model.schedule import Reason
from workflows.model.subject import Code


@dataclass(frozen=True)
class NotificationSender:
    phones: DeviceSender
    outbound: OutboundMailSender
    budgets: NotificationBudgets
    app_pushes: AppPushes

    async def send(self, prepared: PreparedNotification) -> NoticeResult:
        result = await self._send(prepared)
        if result.line and result.line.outcome is NotificationOutcome.ACCEPTED:
            # It was delivered, whatever happens to the store: at worst the others are sent as well.
            with suppress(StoreFailure):
                await self.budgets.accepted(prepared.slot)
        return result

    async def _send(self, prepared: PreparedNotification) -> NoticeResult:
        if not prepared.devices:
            return await self._send_mail(prepared, SentNotice(notice=prepared.notice))
        messages = await self.phones.send(prepared.person, prepared.devices, prepared.message)
        await self._note_accepted(prepared, messages)
        sent = SentNotice(notice=prepared.notice, messages=messages)
        if prepared.fallback is Fallback.NOBODY or not self._needs_mail(prepared, messages):
            return sent
        try:
            devices = await self.phones.living(prepared.person)
        except DirectoryFailure as failure:
            return fail_by_directory(prepared.notice, failure, messages=messages)
        tried_devices = {device for device, _ in messages}
        if any(device_hash(device.value) not in tried_devices and not device.unseen(_now()) for device in devices):
            return sent
        if prepared.fallback is Fallback.CORE:
            return MailDue(notice=prepared.notice, messages=messages)
        return await self._send_mail(prepared, sent)

    async def _note_accepted(self, prepared: PreparedNotification, messages: Messages) -> None:
        """At once, since the app may report it in a moment. No browser reports anything."""
        person, message = prepared.person, prepared.message
        browsers = {device_hash(device.value) for device in prepared.devices if isinstance(device, WebDevice)}
        devices = [device for device, sent in messages if sent.fate is MessageFate.ACCEPTED and device not in browsers]
        if not devices or message.withdrawal or stands_in_full(person.id):
            return
        push = AppPush(person.id, message.key, message.stage, prepared.workflow_id, person.department or "")
        # It was delivered, whatever happens to the store: at worst what the app reports of it is ignored.
        with suppress(StoreFailure):
            await self.app_pushes.note(push, devices, _now())

    def _needs_mail(self, prepared: PreparedNotification, messages: Messages) -> bool:
        """Whether no reliable device accepted it, or may accept it: a device long unseen accepts everything."""
        in_use = {device_hash(device.value) for device in prepared.devices if not device.unseen(_now())}
        if prepared.retried_devices and not in_use:
            # They were mailed at the first sending, so only an open mail is sent again.
            return self.outbound.may_reach(prepared.person, prepared.retried_devices)
        return all(sent.fate.hopeless for device, sent in messages if device in in_use)

    async def _send_mail(self, prepared: PreparedNotification, sent: SentNotice) -> NoticeResult:
        """Also send by cloud messaging, if available: the address counts like one more phone."""
        if not self.outbound.may_reach(prepared.person):
            return sent
        confirmed = is_other_channel(prepared.notice.stage)
        try:
            channel, mail = await self.outbound.send(
                prepared.person, prepared.message, prepared.reference, urgent=prepared.urgent, confirmed=confirmed
            )
        except StoreFailure as failure:
            error = passing_failure(Code.UNREACHABLE, str(failure))
            return FailedNotice(notice=sent.notice, messages=sent.messages, why=Reason.UNREACHABLE, error=error)
        return replace(sent, messages=(*sent.messages, (address_of(prepared.person), mail)), channel=channel)


def _now() -> datetime:
    """The worker's clock, which device registrations use; a request's clock may be moved."""
    return datetime.now(UTC)
