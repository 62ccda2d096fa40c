"""Notices to browsers behind a link: beside what the person is told by, after it, and without any influence on it."""

import asyncio
from dataclasses import dataclass

from temporalio import activity

from activities.errors import StoreFailure
from activities.notifications.phones import DeviceSender
from activities.notifications.preparation import NotificationPreparation
from activities.notifications.results import NEXT_TRY, OPEN_FATES, Messages, device_outcomes
from activities.people.directory import DirectoryFailure
from activities.people.subscriptions import LinkDevice, WebSubscriptions
from activities.records.devices import device_hash
from workflows.follow_up.notification_types import NotificationType, is_other_channel
from workflows.model.notifications import (
    Delivery,
    DeliveryReport,
    DeliveryResult,
    NotificationOrder,
    NotificationOutcome,
)
from workflows.model.schedule import Reason


@dataclass(frozen=True)
class LinkDeviceSender:
    subscriptions: WebSubscriptions
    preparation: NotificationPreparation
    phones: DeviceSender

    async def send(self, delivery: Delivery, report: DeliveryReport) -> DeliveryReport:
        """The report with the devices that got a notice in addition; its outcomes stay. Devices left open are retried
        with the others. Failures of the store or directory cost only the addition.
        """
        try:
            return await self._send(delivery, report) if self.phones.reaches_browsers else report
        except (StoreFailure, DirectoryFailure) as failure:
            activity.logger.warning("no browser behind a link was notified: %s", failure)
            return report

    async def _send(self, delivery: Delivery, report: DeliveryReport) -> DeliveryReport:
        subject = delivery.subject
        workflow_ids = [id for id in (subject.workflow_id, subject.onboarding_workflow_id) if id]
        devices_by_person = await self.subscriptions.list_behind_links(workflow_ids)
        notices = [notice for notice in delivery.notices if notice.person in devices_by_person]
        lines = {line.key: line for line in report.final_lines}
        sent = await asyncio.gather(
            *(
                self._send_notice(delivery, notice, lines.get(notice.key), devices_by_person[notice.person])
                for notice in notices
            )
        )
        messages_by_key = {notice.key: messages for notice, messages in zip(notices, sent, strict=True) if messages}
        return _with_additions(delivery, report, messages_by_key)

    async def _send_notice(
        self,
        delivery: Delivery,
        notice: NotificationOrder,
        line: DeliveryResult | None,
        link_devices: tuple[LinkDevice, ...],
    ) -> Messages:
        if not _is_due(delivery, notice, line):
            return ()
        own_hashes = {result.device for result in line.devices} if line else set()
        devices = [
            device
            for device in link_devices
            if (delivery.devices is None or device_hash(device.value) in delivery.devices)
            and device_hash(device.value) not in own_hashes
        ]
        if not devices:
            return ()
        person = await self.preparation.directory.person(notice.person, delivery.subject.workflow_id)
        message = await self.preparation.compose_for(delivery, notice, person)
        messages = await self.phones.send(person, devices, message)
        for device, (name, result) in zip(devices, messages, strict=True):
            if result.failure:
                activity.logger.warning("push to device %s: %s, %s", name, result.fate, result.failure)
            if result.fate.dead:
                await self.subscriptions.forget_behind_links(device.value)
        return messages


def _is_due(delivery: Delivery, notice: NotificationOrder, line: DeliveryResult | None) -> bool:
    """Whether the notice goes out now, also where a call for open devices has no line of it."""
    if is_other_channel(notice.stage) or notice.stage == NotificationType.PUSH_REFUSED:
        return False
    if line is None:
        return delivery.devices is not None
    return line.outcome is not NotificationOutcome.SUPPRESSED or line.why == Reason.NO_DEVICE


def _with_additions(delivery: Delivery, report: DeliveryReport, messages_by_key: dict[str, Messages]) -> DeliveryReport:
    lines = {line.key: line for line in report.delivered}
    for notice in delivery.notices:
        if messages := messages_by_key.get(notice.key):
            line = lines.get(notice.key) or _no_device(notice)
            lines[notice.key] = line.replace(devices=(*line.devices, *device_outcomes(messages, notice)))
    pending = [
        (device, sent) for messages in messages_by_key.values() for device, sent in messages if sent.fate in OPEN_FATES
    ]
    waits = tuple(sent.wait or NEXT_TRY for _, sent in pending)
    return report.replace(
        delivered=tuple(lines.values()),
        open_devices=(*report.open_devices, *(device for device, _ in pending)),
        waits=(*report.waits, *waits),
        retry_after=max((report.retry_after, *waits)),
    )


def _no_device(notice: NotificationOrder) -> DeliveryResult:
    return DeliveryResult(
        key=notice.key,
        stage=notice.stage,
        person=notice.person,
        outcome=NotificationOutcome.SUPPRESSED,
        why=Reason.NO_DEVICE,
    )
