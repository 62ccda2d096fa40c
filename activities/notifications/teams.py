"""Notices to a group that asks for something: one for each member, and one line for the group in the log."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from activities.people.directory import TEAM_AT_MOST, Directory, UnknownGroup
from workflows.model.notifications import (
    Delivered,
    Delivery,
    DeliveryReport,
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
        return frozenset(one.key for one in self.members)


@dataclass(frozen=True)
class TeamDelivery:
    """A delivery with the members in place of their groups."""

    delivery: Delivery
    teams: tuple[TeamNotice, ...] = ()

    @classmethod
    async def of(cls, delivery: Delivery, directory: Directory) -> "TeamDelivery":
        """Raises `DirectoryFailure`."""
        notices, teams = list[NotificationOrder](), list[TeamNotice]()
        for order in delivery.notices:
            if (group := group_of(order.person)) is None:
                notices.append(order)
                continue
            people = _told(order, await _members(directory, group), delivery)
            teams.append(TeamNotice(order, tuple(order.for_member(one) for one in people)))
            notices += teams[-1].members
        return cls(delivery.replace(notices=tuple(notices)) if teams else delivery, tuple(teams))

    def gathered(self, report: DeliveryReport) -> DeliveryReport:
        """The report with a line for each group, which is open while one of its members is."""
        for team in self.teams:
            report = _with_line(team, report, again=self.delivery.devices is not None)
        return report


async def _members(directory: Directory, group: str) -> tuple[str, ...]:
    """Nobody of a group that is gone: it exists while it has members."""
    try:
        return await directory.group(group)
    except UnknownGroup:
        return ()


def _told(order: NotificationOrder, members: Sequence[str], delivery: Delivery) -> tuple[str, ...]:
    """Who hears it: the one who has taken it on, as long as they are in the group, else all."""
    taker = _taker(delivery.subject, members)
    people = (taker,) if taker else tuple(members)
    have = () if delivery.devices is not None else order.reached
    return tuple(one for one in people[:TEAM_AT_MOST] if one not in have)


def _taker(subject: Subject, members: Sequence[str]) -> str | None:
    return subject.taken_by if subject.taken_by in members and not subject.notify_all else None


def _with_line(team: TeamNotice, report: DeliveryReport, *, again: bool) -> DeliveryReport:
    keys = team.keys
    left = [key for key in report.open_notices if key in keys]
    others = tuple(line for line in report.delivered if line.key not in left)
    lines = [line for line in others if line.key in keys]
    held = [one for one in report.held if one.key in keys]
    put_off = [one for one in report.put_off if one.key in keys]
    known = report.replace(
        delivered=others,
        open_notices=(*(key for key in report.open_notices if key not in keys), *([team.order.key] if left else [])),
        held=tuple(one for one in report.held if one.key not in keys),
        put_off=tuple(one for one in report.put_off if one.key not in keys),
    )
    if left or (again and not lines):
        return known
    if not lines and not team.order.reached and (held or put_off):
        return _waiting(team.order, known, held, put_off)
    missed = (*_suppressed(held), *_suppressed(put_off))
    return known.replace(delivered=(*known.delivered, *missed, _line(team.order, lines, report.open_devices)))


def _waiting(
    order: NotificationOrder, report: DeliveryReport, held: list[HeldBack], put_off: list[PostponedNotification]
) -> DeliveryReport:
    """Nobody of the group could be told now."""
    if held:
        first = min(held, key=lambda one: one.until).replace(key=order.key, person=order.person)
        return report.replace(held=(*report.held, first))
    absent = PostponedNotification(key=order.key, stage=order.stage, person=order.person, why=put_off[0].why)
    return report.replace(put_off=(*report.put_off, absent))


def _suppressed(missed: Sequence[HeldBack | PostponedNotification]) -> Iterator[Delivered]:
    """Others of the group were told."""
    for one in missed:
        why = one.why or Reason.QUIET
        yield Delivered(
            key=one.key, stage=one.stage, person=one.person, outcome=NotificationOutcome.SUPPRESSED, why=why
        )


def _line(order: NotificationOrder, lines: Sequence[Delivered], open_devices: Sequence[str]) -> Delivered:
    """Of the group: it was told if one of it was; `devices` are those worth another try."""
    done = (NotificationOutcome.ACCEPTED, NotificationOutcome.WITHDRAWN)
    best = next((line for line in lines if line.outcome in done), None)
    worst = next(iter(lines), None)
    outcome, why = NotificationOutcome.FAILED, Reason.UNKNOWN_PERSON if worst is None else worst.why
    if best or order.reached:
        outcome, why = best.outcome if best else NotificationOutcome.ACCEPTED, None
    elif worst:
        outcome = worst.outcome
    devices = tuple(one for line in lines for one in line.devices if one.device in open_devices)
    return Delivered(key=order.key, stage=order.stage, person=order.person, outcome=outcome, why=why, devices=devices)
