"""Notices to a group that asks for something: one for each member, and one line for the group in the log."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from activities.people.directory import TEAM_AT_MOST, Directory, UnknownGroup
from workflows.model.notifications import (
    Delivery,
    DeliveryReport,
    DeliveryResult,
    HeldBack,
    NotificationOrder,
    NotificationOutcome,
    PostponedNotification,
)
from workflows.model.schedule import Reason
from workflows.model.subject import Subject, group_of


@dataclass(frozen=True)
class TeamNotice:
    """A notice to a group, and what becomes of it: the same to each member who does not have it yet."""

    order: NotificationOrder
    members: tuple[NotificationOrder, ...]

    @property
    def keys(self) -> frozenset[str]:
        return frozenset(notice.key for notice in self.members)


@dataclass(frozen=True)
class TeamDelivery:
    """A delivery with the members in place of their groups."""

    delivery: Delivery
    teams: tuple[TeamNotice, ...] = ()

    @classmethod
    async def from_delivery(cls, delivery: Delivery, directory: Directory) -> "TeamDelivery":
        """Raises `DirectoryFailure`."""
        notices, teams = list[NotificationOrder](), list[TeamNotice]()
        for order in delivery.notices:
            if (group := group_of(order.person)) is None:
                notices.append(order)
                continue
            people = _choose_members(order, await _members(directory, group), delivery)
            teams.append(TeamNotice(order, tuple(order.for_member(person) for person in people)))
            notices += teams[-1].members
        return cls(delivery.replace(notices=tuple(notices)) if teams else delivery, tuple(teams))

    def gathered(self, report: DeliveryReport) -> DeliveryReport:
        """The report with a line for each group, which is open while one of its members is."""
        for team in self.teams:
            report = _with_line(team, report, is_repeated=self.delivery.devices is not None)
        return report


async def _members(directory: Directory, group: str) -> tuple[str, ...]:
    """Nobody of a group that is gone: it exists while it has members."""
    try:
        return await directory.group(group)
    except UnknownGroup:
        return ()


def _choose_members(order: NotificationOrder, members: Sequence[str], delivery: Delivery) -> tuple[str, ...]:
    """Who hears it: the one who has taken it on, as long as they are in the group, else all."""
    taker = _taker(delivery.subject, members)
    people = (taker,) if taker else tuple(members)
    have = () if delivery.devices is not None else order.reached
    return tuple(person for person in people[:TEAM_AT_MOST] if person not in have)


def _taker(subject: Subject, members: Sequence[str]) -> str | None:
    return subject.taken_by if subject.taken_by in members and not subject.notify_all else None


def _with_line(team: TeamNotice, report: DeliveryReport, *, is_repeated: bool) -> DeliveryReport:
    keys = team.keys
    open_keys = [key for key in report.open_notices if key in keys]
    other_lines = tuple(line for line in report.delivered if line.key not in open_keys)
    lines = [line for line in other_lines if line.key in keys]
    held_notices = [notice for notice in report.held if notice.key in keys]
    put_off = [notice for notice in report.put_off if notice.key in keys]
    trimmed_report = report.replace(
        delivered=other_lines,
        open_notices=(
            *(key for key in report.open_notices if key not in keys),
            *([team.order.key] if open_keys else []),
        ),
        held=tuple(notice for notice in report.held if notice.key not in keys),
        put_off=tuple(notice for notice in report.put_off if notice.key not in keys),
    )
    if open_keys or (is_repeated and not lines):
        return trimmed_report
    if not lines and not team.order.reached and (held_notices or put_off):
        return _waiting(team.order, trimmed_report, held_notices, put_off)
    missed = (*_suppressed(held_notices), *_suppressed(put_off))
    return trimmed_report.replace(
        delivered=(*trimmed_report.delivered, *missed, _line(team.order, lines, report.open_devices))
    )


def _waiting(
    order: NotificationOrder, report: DeliveryReport, held_notices: list[HeldBack], put_off: list[PostponedNotification]
) -> DeliveryReport:
    """Nobody of the group could be told now."""
    if held_notices:
        first = min(held_notices, key=lambda notice: notice.until).replace(key=order.key, person=order.person)
        return report.replace(held=(*report.held, first))
    absent = PostponedNotification(key=order.key, stage=order.stage, person=order.person, why=put_off[0].why)
    return report.replace(put_off=(*report.put_off, absent))


def _suppressed(missed: Sequence[HeldBack | PostponedNotification]) -> Iterator[DeliveryResult]:
    """Others of the group were told."""
    for notice in missed:
        reason = notice.why or Reason.QUIET
        yield DeliveryResult(
            key=notice.key, stage=notice.stage, person=notice.person, outcome=NotificationOutcome.SUPPRESSED, why=reason
        )


def _line(order: NotificationOrder, lines: Sequence[DeliveryResult], open_devices: Sequence[str]) -> DeliveryResult:
    """Of the group: it was told if one of it was; `devices` are those worth another try."""
    told_outcomes = (NotificationOutcome.ACCEPTED, NotificationOutcome.WITHDRAWN)
    best = next((line for line in lines if line.outcome in told_outcomes), None)
    worst = next(iter(lines), None)
    outcome, reason = NotificationOutcome.FAILED, Reason.UNKNOWN_PERSON if worst is None else worst.why
    if best or order.reached:
        outcome, reason = best.outcome if best else NotificationOutcome.ACCEPTED, None
    elif worst:
        outcome = worst.outcome
    devices = tuple(device for line in lines for device in line.devices if device.device in open_devices)
    return DeliveryResult(
        key=order.key, stage=order.stage, person=order.person, outcome=outcome, why=reason, devices=devices
    )
