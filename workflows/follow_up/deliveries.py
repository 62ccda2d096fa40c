"""One stage for many recipients, call by call: how much a call takes, and what the calls come to together."""

from typing import Final

from workflows.model.notices import Delivered, Delivery, DeliveryReport, Notice, Outcome

AT_MOST: Final = 100
"""Recipients of one call: with 20 devices each the report stays below 256 KB.

All signers of an ordinary request are in one call, because Core Signature's mail goes to all of them at once.
"""


def part(whole: Delivery, notices: tuple[Notice, ...], before: DeliveryReport, *, others_told: bool) -> Delivery:
    """The call for these notices of a stage, and of the phones left open `before` for theirs alone."""
    keys = {notice.key for notice in notices}
    theirs = {one.device for line in before.delivered if line.key in keys for one in line.devices}
    devices = None if whole.devices is None else tuple(device for device in whole.devices if device in theirs)
    return whole.replace(notices=notices, devices=devices, others_told=others_told)


def told_by(report: DeliveryReport) -> DeliveryReport:
    """What a call has done for good: whoever it leaves open has no line yet."""
    return report.replace(delivered=tuple(line for line in report.delivered if line.key not in report.open_notices))


def joined(whole: DeliveryReport, report: DeliveryReport) -> DeliveryReport:
    """What was reported so far, with what another call of the same stage has done."""
    return DeliveryReport(
        delivered=(*whole.delivered, *report.delivered),
        open_devices=(*whole.open_devices, *report.open_devices),
        retry_after=max(whole.retry_after, report.retry_after),
        seen=report.seen,
    )


def left_of(notices: tuple[Notice, ...], report: DeliveryReport) -> tuple[Notice, ...]:
    """The notices that a call for the first `AT_MOST` of them has not told; they are sent at once."""
    return tuple(n for n in notices[:AT_MOST] if n.key in report.open_notices) + notices[AT_MOST:]


def stragglers(delivery: Delivery, report: DeliveryReport) -> Delivery:
    """What is still owed to the phones left open: not the notices that such a phone has taken already."""
    taken = {line.key for line in report.delivered if _taken(line, report.open_devices)}
    notices = tuple(notice for notice in delivery.notices if notice.key not in taken)
    return delivery.replace(notices=notices, devices=report.open_devices)


def _taken(line: Delivered, open_devices: tuple[str, ...]) -> bool:
    return any(one.device in open_devices and one.outcome is not Outcome.FAILED for one in line.devices)


def in_words(delivery: Delivery) -> str:
    """Who is told what, for the Web UI; at most 200 characters."""
    stages = dict.fromkeys(notice.stage for notice in delivery.notices)
    told = {stage: [notice.person for notice in delivery.notices if notice.stage == stage] for stage in stages}
    return "; ".join(f"{stage} → {', '.join(people)}" for stage, people in told.items())[:200]
