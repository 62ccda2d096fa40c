"""The reminder ledger: every planned notice ends in exactly one line, sent or not, with the reason."""

from collections.abc import Iterable
from datetime import datetime

from workflows.model.notices import Channel, Delivered, Notification, Outcome
from workflows.model.planning import Moment, MomentKind, Reason
from workflows.names import alert_key, notice_key

Ledger = tuple[Notification, ...]


def with_lines(ledger: Ledger, lines: Iterable[Delivered], now: datetime) -> Ledger:
    """The ledger after these results; a later result for the same key completes the earlier one."""
    by_key = {line.key: line for line in ledger}
    for line in lines:
        earlier = by_key.pop(line.key, None)
        by_key[line.key] = Notification(**dict(_completed(earlier, line)), at=earlier.at if earlier else now)
    return tuple(by_key.values())


def suppressed(request: str, moments: Iterable[Moment], why: Reason) -> tuple[Delivered, ...]:
    """Lines for planned notices that are not sent; a reason set by the planner takes precedence over `why`."""
    return tuple(
        Delivered(
            key=key_of(request, moment),
            stage=moment.stage,
            person=moment.to,
            channel=Channel.PUSH,
            outcome=Outcome.SUPPRESSED,
            why=moment.suppressed or why,
        )
        for moment in moments
        if moment.kind.tells
    )


def key_of(request: str, moment: Moment) -> str:
    """The key of the notice that a moment plans."""
    if moment.kind is MomentKind.ESCALATE:
        return alert_key(request, moment.stage, moment.to, moment.person)
    return notice_key(request, moment.stage, moment.to)


def _completed(earlier: Delivered | None, later: Delivered) -> Delivered:
    if earlier is None:
        return later
    devices = {one.device: one for one in (*earlier.devices, *later.devices)}
    better = earlier if earlier.outcome is Outcome.ACCEPTED else later
    return later.replace(
        outcome=better.outcome, why=better.why, channel=better.channel, devices=tuple(devices.values())
    )
