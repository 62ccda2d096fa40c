"""Phones that did not take a notice and may yet: what they are still to get, and when that is tried again. Pure."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final, Self

from pydantic import AwareDatetime

from workflows.follow_up.options import STRAGGLER_PAUSES, wait_asked_for
from workflows.follow_up.stages import is_other_channel
from workflows.model.base import Model
from workflows.model.notices import Delivered, DeliveryReport, NotificationOrder, NotificationOutcome
from workflows.model.planning import ScheduledAction

STRAGGLERS_AT_MOST: Final = 100
"""Notices of which phones are left open: those of older ones are not tried again, and get the next notice."""


class PendingDevice(Model):
    """A notice, and the `devices` (short hashes) that it is tried at again at `at`, after so many `tries`."""

    notice: NotificationOrder
    moment: ScheduledAction | None = None
    """What it was planned as; None for what no plan asks for."""
    devices: tuple[str, ...] = ()
    tries: int = 0
    at: AwareDatetime

    @property
    def key(self) -> str:
        """The key of the notice."""
        return self.notice.key

    def concerns(self, people: Collection[str]) -> bool:
        """Whether it is told to one of these, or about one."""
        return self.notice.person in people or self.notice.about in people

    def is_over(self, now: datetime) -> bool:
        """Whether the hours have closed in which it may be told."""
        closes = self.moment.open_until if self.moment else None
        return closes is not None and closes <= now


class PendingDevices(Model):
    """What is still to be tried; of one person no older stage than the last, which is what their screen shows."""

    entries: tuple[PendingDevice, ...] = ()

    def has(self, key: str) -> bool:
        """Whether phones of the notice with this key may yet take it."""
        return any(one.key == key for one in self.entries)

    def due(self, now: datetime) -> tuple[PendingDevice, ...]:
        """Those of one call: of each person one, and before what is planned the document is read again."""
        due = [one for one in self.entries if one.at <= now]
        alike = [one for one in due if (one.moment is None) is (due[0].moment is None)]
        return tuple({one.notice.person: one for one in reversed(alike)}.values())

    def next_at(self, now: datetime) -> datetime | None:
        """When the next is due that is not yet."""
        return min((one.at for one in self.entries if now < one.at), default=None)

    def tried(self, tried: Iterable[PendingDevice], lines: Iterable[Delivered], left: Iterable[PendingDevice]) -> Self:
        """After these were `tried`, of which some have `lines` by now and some are `left`."""
        keys = {one.key for one in tried}
        said = {line.person: line.stage for line in lines if line.key in keys}
        return self.without(lambda one: one.key in keys or _is_replaced(one.notice, said))._with(left)

    def without(self, over: Callable[[PendingDevice], bool]) -> Self:
        """Those that are not over."""
        entries = tuple(one for one in self.entries if not over(one))
        return self if len(entries) == len(self.entries) else self.replace(entries=entries)

    def _with(self, more: Iterable[PendingDevice]) -> Self:
        added = tuple(more)
        return self.replace(entries=(*self.entries, *added)[-STRAGGLERS_AT_MOST:]) if added else self


def left_open(tried: Iterable[PendingDevice], report: DeliveryReport | None, now: datetime) -> Iterator[PendingDevice]:
    """What of that is tried once more, and when; None is the report of a call that failed."""
    lines = {line.key: line for line in report.delivered} if report else {}
    for one in tried:
        if report is None or one.key in report.open_notices:
            devices = one.devices
        else:
            devices = _left(lines.get(one.key), report.open_devices)
        if devices and one.tries < len(STRAGGLER_PAUSES):
            at = now + max(STRAGGLER_PAUSES[one.tries], _asked(report, devices))
            yield one.replace(devices=devices, tries=one.tries + 1, at=at)


def _asked(report: DeliveryReport | None, devices: tuple[str, ...]) -> timedelta:
    """How long these want to be left alone; a report of older code says that of all together."""
    waits = dict(zip(report.open_devices, report.waits, strict=False)) if report else {}
    together = report.retry_after if report and not waits else 0
    return wait_asked_for(max((waits.get(device, together) for device in devices), default=0))


def _is_replaced(notice: NotificationOrder, said: Mapping[str, str]) -> bool:
    """Whether its recipient's screen shows something later by now, which is no matter of a mail."""
    later = said.get(notice.person, notice.stage) != notice.stage
    return later and not is_other_channel(notice.stage)


def _left(line: Delivered | None, open_devices: tuple[str, ...]) -> tuple[str, ...]:
    failed = (one.device for one in line.devices if one.outcome is NotificationOutcome.FAILED) if line else ()
    return tuple(device for device in failed if device in open_devices)
