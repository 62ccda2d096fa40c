"""The notification log: each planned notification has one line, sent or not, with the reason; devices to retry. At most
`LINES_AT_MOST` lines stay in the state; older ones are stored, and leave a mark per person and type.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Self, TypeAlias

from pydantic import AwareDatetime

import workflows.follow_up.notification_types as notification_types
from workflows.follow_up.notification_types import MAILED_ALONG, REMINDED_ALONG, NotificationType, is_other_channel
from workflows.follow_up.options import DEVICE_RETRY_PAUSES, wait_asked_for
from workflows.model.base import Model
from workflows.model.notifications import (
    Channel,
    DeliveryReport,
    DeliveryResult,
    HeldBack,
    NoticeAction,
    Notification,
    NotificationOrder,
    NotificationOutcome,
)
from workflows.model.schedule import ActionType, Reason, ScheduledAction
from workflows.model.subject import group_of
from workflows.names import alert_key, notice_key

LINES_AT_MOST: Final = 200
"""Lines, and timeline entries, in the state."""
_KEPT: Final = LINES_AT_MOST // 2
"""Lines kept when others leave, so that they leave by the hundred."""
_Series: TypeAlias = tuple[str, str, str]
PENDING_DEVICES_AT_MOST: Final = 100
"""Notifications with devices to retry; older ones are given up."""


@dataclass(frozen=True)
class LogEntry:
    """Keys of logged notifications: lines, and numbers up to the marks. Built once for many lookups."""

    keys: frozenset[str]
    last: Mapping[_Series, int]

    def __contains__(self, key: str) -> bool:
        if key in self.keys:
            return True
        series, number = _place_of(key)
        return number <= self.last.get(series, -1)


class PendingDevice(Model):
    """A notification and the `devices` (short hashes) to retry at `at`, after `tries`."""

    notice: NotificationOrder
    moment: ScheduledAction | None = None
    """Its planned action, if any."""
    devices: tuple[str, ...] = ()
    tries: int = 0
    at: AwareDatetime

    @property
    def key(self) -> str:
        return self.notice.key

    def concerns(self, people: Collection[str]) -> bool:
        return self.notice.person in people or self.notice.about in people

    def is_over(self, now: datetime) -> bool:
        """Whether the hours in which it may be sent have ended."""
        closes = self.moment.open_until if self.moment else None
        return closes is not None and closes <= now


class PendingDevices(Model):
    """Devices to retry; per person only the latest stage, which their screen shows."""

    entries: tuple[PendingDevice, ...] = ()

    def has(self, key: str) -> bool:
        return any(device.key == key for device in self.entries)

    def due(self, now: datetime) -> tuple[PendingDevice, ...]:
        """Those due in one call, one per person; planned ones apart, because they read the document first."""
        due = [device for device in self.entries if device.at <= now]
        alike = [device for device in due if (device.moment is None) is (due[0].moment is None)]
        return tuple({device.notice.person: device for device in reversed(alike)}.values())

    def next_at(self, now: datetime) -> datetime | None:
        """When the next later one is due."""
        return min((device.at for device in self.entries if now < device.at), default=None)

    def record_attempts(
        self,
        attempted_devices: Iterable[PendingDevice],
        lines: Iterable[DeliveryResult],
        still_open: Iterable[PendingDevice],
    ) -> Self:
        """After the attempts, of which some have `lines` and some are `still_open`."""
        keys = {device.key for device in attempted_devices}
        stage_by_person = {line.person: line.stage for line in lines if line.key in keys}
        return self.drop(
            lambda device: device.key in keys or _is_replaced(device.notice, stage_by_person)
        )._add_devices(still_open)

    def drop(self, is_dropped: Callable[[PendingDevice], bool]) -> Self:
        entries = tuple(device for device in self.entries if not is_dropped(device))
        return self if len(entries) == len(self.entries) else self.replace(entries=entries)

    def _add_devices(self, devices: Iterable[PendingDevice]) -> Self:
        added = tuple(devices)
        return self.replace(entries=(*self.entries, *added)[-PENDING_DEVICES_AT_MOST:]) if added else self


class NotificationLog(Model):
    """Lines in the state, marks of older lines, and lines on their way to the store."""

    lines: tuple[Notification, ...] = ()
    marks: tuple[Notification, ...] = ()
    """The last stored line of each person and type."""
    leaving: tuple[Notification, ...] = ()
    paged: int = 0
    """Number of stored lines."""
    pages: int = 0
    """In how many pages."""
    held: tuple[HeldBack, ...] = ()
    """Each person's last notification held back by their budget, or by a recent mail."""
    mailed_at: AwareDatetime | None = None
    """When Core Signature was last asked to mail the document again."""
    devices: PendingDevices = PendingDevices()
    """Devices that were left open."""

    @property
    def remembered(self) -> tuple[Notification, ...]:
        """Lines and marks that decisions depend on, oldest first."""
        return self.marks + self.lines

    @property
    def stages(self) -> frozenset[tuple[str, str]]:
        """Stage and person of each line, whatever the outcome."""
        return frozenset((line.stage, line.person) for line in self.remembered)

    @property
    def last_shown(self) -> tuple[Notification, ...]:
        """The last notification that each person's phone shows, unless withdrawn."""
        shown_outcomes = (NotificationOutcome.ACCEPTED, NotificationOutcome.WITHDRAWN)
        last = {line.person: line for line in self.remembered if line.outcome in shown_outcomes}
        return tuple(line for line in last.values() if line.outcome is NotificationOutcome.ACCEPTED)

    @property
    def failed_alerts(self) -> tuple[str, ...]:
        """Keys of alerts that reached nobody and are not retried."""
        lost = (
            line.key
            for line in self.remembered
            if notification_types.kind_of(line.stage) is NotificationType.ESCALATION
            and (line.outcome is NotificationOutcome.FAILED or line.why == Reason.NO_DEVICE)
        )
        return tuple(key for key in lost if not self.devices.has(key))

    def to_team(self, notice: NotificationOrder) -> NotificationOrder:
        """The notice; if it is for a group, with those of it who have it already."""
        if group_of(notice.person) is None:
            return notice
        reached_lines = (line for line in self.lines if line.stage == notice.stage and line.reached)
        return notice.replace(
            reached=tuple(line.person for line in reached_lines if notice.for_member(line.person).key == line.key)
        )

    def next_held(self, now: datetime) -> datetime | None:
        """When the next budget frees, None if none is used up."""
        return min((notification.until for notification in self.held if now < notification.until), default=None)

    @property
    def logged_keys(self) -> LogEntry:
        last = {_series_of(mark): _place_of(mark.key)[1] for mark in self.marks}
        return LogEntry(frozenset(line.key for line in self.leaving + self.lines), last)

    def with_lines(self, lines: Iterable[DeliveryResult], now: datetime) -> Self:
        """After these results; a later result of one key completes the earlier line."""
        by_key = {line.key: line for line in self.lines}
        for line in lines:
            earlier = by_key.pop(line.key, None)
            by_key[line.key] = Notification(**dict(_completed(earlier, line)), at=earlier.at if earlier else now)
        still_held = tuple(notification for notification in self.held if notification.key not in by_key)
        return self.replace(lines=tuple(by_key.values()), held=still_held)._bounded()

    def with_held(self, notifications: Iterable[HeldBack]) -> Self:
        by_person = {notification.person: notification for notification in (*self.held, *notifications)}
        return self.replace(held=tuple(by_person.values()))

    def without_held(self, people: Collection[str]) -> Self:
        return self.replace(held=tuple(notification for notification in self.held if notification.person not in people))

    def held_until(self, person: str, stage: str) -> datetime | None:
        """When the person may hear of this stage, None if it is not held back."""
        waits = notification_types.is_rationed(stage)
        lines = (line for line in self.held if line.person == person and (waits or line.holds_all))
        return next((line.until for line in lines), None)

    def waits_for_mail(self, person: str, now: datetime) -> bool:
        """Whether a recent mail holds back the notifications of a person."""
        return any(line.person == person and line.holds_all and now < line.until for line in self.held)

    def drop_keys(self, keys: frozenset[str]) -> Self:
        """Without failed lines of these keys: they are sent again."""
        return self.replace(
            lines=tuple(
                line for line in self.lines if line.key not in keys or line.outcome is not NotificationOutcome.FAILED
            )
        )

    def paged_out(self, page: int, count: int) -> Self:
        return self.replace(leaving=self.leaving[count:], paged=self.paged + count, pages=page)

    def put_away(self) -> Self:
        """Without lines, which leave for the store; what was to be withdrawn still is."""
        withdrawals = self.devices.drop(lambda device: device.notice.action is not NoticeAction.WITHDRAW)
        return self.replace(lines=(), marks=(), held=(), devices=withdrawals, leaving=self.leaving + self.lines)

    def leaving_with(self, lines: Iterable[DeliveryResult], now: datetime) -> Self:
        """With results of before that go to the store at once."""
        late = tuple(Notification(**dict(line), at=now) for line in lines)
        return self.replace(leaving=self.leaving + late) if late else self

    def _bounded(self) -> Self:
        if len(self.lines) <= LINES_AT_MOST:
            return self
        leaving, lines = self.lines[:-_KEPT], self.lines[-_KEPT:]
        rested_on = (line.replace(devices=()) for line in leaving if not notification_types.is_handed_off(line.stage))
        marks = {_series_of(line): line for line in (*self.marks, *rested_on)}
        return self.replace(lines=lines, marks=tuple(marks.values()), leaving=self.leaving + leaving)


def suppressed(request: str, moments: Iterable[ScheduledAction], reason: Reason) -> tuple[DeliveryResult, ...]:
    """Lines for planned notifications that are not sent; the planner's reason takes precedence over `reason`."""
    return tuple(
        DeliveryResult(
            key=key_of(request, action),
            stage=action.stage,
            person=action.to,
            channel=Channel.PUSH,
            outcome=NotificationOutcome.SUPPRESSED,
            why=action.suppressed or reason,
        )
        for action in moments
        if action.kind.tells
    )


def key_of(request: str, action: ScheduledAction) -> str:
    if action.kind is ActionType.ESCALATE:
        return alert_key(request, action.stage, action.to, action.person)
    return notice_key(request, action.stage, action.to)


def explained(lines: tuple[DeliveryResult, ...], moments: tuple[ScheduledAction, ...]) -> tuple[DeliveryResult, ...]:
    """The delivered lines, with the plan's reason where the delivery gave none."""
    return tuple(line.replace(why=line.why or _planned_because(line, moments)) for line in lines)


def left_open(
    attempts: Iterable[PendingDevice], report: DeliveryReport | None, now: datetime
) -> Iterator[PendingDevice]:
    """What is retried, and when; the report is None if the call failed."""
    lines = {line.key: line for line in report.delivered} if report else {}
    for attempt in attempts:
        if report is None or attempt.key in report.open_notices:
            devices = attempt.devices
        else:
            devices = _devices_to_retry(lines.get(attempt.key), report.open_devices)
        if devices and attempt.tries < len(DEVICE_RETRY_PAUSES):
            retry_at = now + max(DEVICE_RETRY_PAUSES[attempt.tries], _requested_wait(report, devices))
            yield attempt.replace(devices=devices, tries=attempt.tries + 1, at=retry_at)


def _series_of(line: Notification) -> _Series:
    """The series of a numbered line: a person's reminders, or alerts about a person."""
    series, _ = _place_of(line.key)
    along = line.stage in (MAILED_ALONG, REMINDED_ALONG)
    return (line.stage, line.person, "") if along else series


def _place_of(key: str) -> tuple[_Series, int]:
    _, stage, person, *subject_ids = key.split("/")
    # A later snooze may be logged before an earlier one: each is a series of its own.
    series, number = (
        (stage, 1)
        if notification_types.kind_of(stage) is NotificationType.SNOOZE
        else notification_types.numbered(stage)
    )
    return (series, person, subject_ids[0] if subject_ids else ""), number


def _planned_because(line: DeliveryResult, moments: tuple[ScheduledAction, ...]) -> str | None:
    request = line.key.partition("/")[0]
    return next((action.reason_text for action in moments if key_of(request, action) == line.key), None)


def _completed(earlier: DeliveryResult | None, later: DeliveryResult) -> DeliveryResult:
    if earlier is None:
        return later
    devices = {result.device: result for result in (*earlier.devices, *later.devices)}
    # A later call that found no device was for a browser behind a link, which is an addition.
    stays = earlier.outcome is NotificationOutcome.ACCEPTED or later.why == Reason.NO_DEVICE
    better = earlier if stays else later
    return later.replace(
        outcome=better.outcome, why=better.why, channel=better.channel, devices=tuple(devices.values())
    )


def _requested_wait(report: DeliveryReport | None, devices: tuple[str, ...]) -> timedelta:
    """The longest wait that these devices asked for; older reports have one value for all."""
    waits = dict(zip(report.open_devices, report.waits, strict=False)) if report else {}
    together = report.retry_after if report and not waits else 0
    return wait_asked_for(max((waits.get(device, together) for device in devices), default=0))


def _is_replaced(notice: NotificationOrder, stage_by_person: Mapping[str, str]) -> bool:
    """Whether the recipient's screen shows a later notification; never for mail."""
    later = stage_by_person.get(notice.person, notice.stage) != notice.stage
    return later and not is_other_channel(notice.stage)


def _devices_to_retry(line: DeliveryResult | None, open_devices: tuple[str, ...]) -> tuple[str, ...]:
    failed = (result.device for result in line.devices if result.outcome is NotificationOutcome.FAILED) if line else ()
    return tuple(device for device in failed if device in open_devices)
