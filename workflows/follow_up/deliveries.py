"""One stage for many recipients, call by call: how much a call takes, and what is left of it."""

from typing import Final

from workflows.follow_up.stragglers import PendingDevice
from workflows.model.notices import Delivery, DeliveryReport, NotificationOrder

AT_MOST: Final = 100
"""Recipients of one call: with 20 devices each the report stays below 256 KB.

All signers of an ordinary request are in one call, because Core Signature's mail goes to all of them at once.
"""


def told_by(report: DeliveryReport) -> DeliveryReport:
    """What a call has done for good: whoever it leaves open has no line yet."""
    return report.replace(delivered=tuple(line for line in report.delivered if line.key not in report.open_notices))


def left_of(notices: tuple[NotificationOrder, ...], report: DeliveryReport) -> tuple[NotificationOrder, ...]:
    """The notices that a call for the first `AT_MOST` of them has not told; they are sent at once."""
    return tuple(n for n in notices[:AT_MOST] if n.key in report.open_notices) + notices[AT_MOST:]


def again(delivery: Delivery, stragglers: tuple[PendingDevice, ...]) -> Delivery:
    """The same for phones that were left open, and for theirs alone."""
    devices = dict.fromkeys(device for one in stragglers for device in one.devices)
    return delivery.replace(notices=tuple(one.notice for one in stragglers), devices=tuple(devices))


def in_words(delivery: Delivery) -> str:
    """Who is told what, for the Web UI; at most 200 characters."""
    stages = dict.fromkeys(notice.stage for notice in delivery.notices)
    told = {stage: [notice.person for notice in delivery.notices if notice.stage == stage] for stage in stages}
    return "; ".join(f"{stage} → {', '.join(people)}" for stage, people in told.items())[:200]
