"""Policy × people × the clock of their place → the agenda: every instant in UTC, with its reason in words.

Reminders count from the signer's turn, warnings back from the due date, both on the signer's wall clock. Offsets that
fall at or after the due date are not planned; those before `now` are, because only the workflow knows what was missed.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from temporalio.exceptions import ApplicationError

from activities.chain import alternate
from activities.people import Directory, DirectoryFailure
from activities.wall_clock import after, before, latest_end_of_day, share
from workflows.model import Agenda, Code, Moment, MomentKind, Planning, Policy, Turn
from workflows.ports import Planner

_APART: Final = timedelta(hours=1)
"""No reminder comes nearer than this to another nudge."""
_ORDER: Final = list(MomentKind)


@dataclass(frozen=True)
class _Span:
    """The time in which one signer is asked: from their turn to the due date, on their wall clock."""

    person: str
    since: datetime
    due: datetime
    zone: ZoneInfo
    policy: Policy

    def moment(self, at: datetime, kind: MomentKind, stage: str, why: str) -> Moment:
        return Moment(at=at, kind=kind, stage=stage, person=self.person, to=self.person, why=why)


class PolicyPlanner(Planner):
    """Plans from the policy and the directory; reads no clock."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    async def plan(self, planning: Planning) -> Agenda:
        """See `Planner`; fails with `directory` when people cannot be looked up, with `planning` otherwise."""
        try:
            return await self._plan(planning)
        except DirectoryFailure as failure:
            raise ApplicationError(str(failure), type=Code.DIRECTORY) from failure
        except (ArithmeticError, LookupError, ValueError) as fault:
            raise ApplicationError(f"the policy cannot be planned: {fault}", type=Code.PLANNING) from fault

    async def _plan(self, planning: Planning) -> Agenda:
        due_at = await self._due_at(planning)
        moments = [_expiry(planning.brief.requester, due_at)]
        for turn in planning.turns:
            span = await self._span(planning, turn, due_at)
            warnings = tuple(_warnings(span))
            reminders = tuple(_reminders(span, warnings))
            moments += [*warnings, *reminders, *await self._escalations(planning, span, reminders)]
        moments.sort(key=lambda moment: (moment.at, _ORDER.index(moment.kind), moment.person))
        return Agenda(due_at=due_at, moments=tuple(moments))

    async def _due_at(self, planning: Planning) -> datetime:
        """The instant after which the request expires."""
        if isinstance(planning.due, datetime):
            return planning.due.astimezone(UTC)
        zones = [
            (await self._directory.person(signer.person, planning.brief.id)).tz for signer in planning.brief.signers
        ]
        if planning.due is not None:
            return latest_end_of_day(planning.due, zones)
        return after(planning.window_from, planning.policy.window, zones[0])

    async def _span(self, planning: Planning, turn: Turn, due_at: datetime) -> _Span:
        person = await self._directory.person(turn.person, planning.brief.id)
        return _Span(turn.person, turn.since, due_at, person.tz, planning.policy)

    async def _escalations(self, planning: Planning, span: _Span, reminders: tuple[Moment, ...]) -> list[Moment]:
        escalation = span.policy.escalation
        triggers = list(_triggers(span, reminders))
        if escalation is None or not triggers:
            return []
        at, because = min(triggers)
        to = await alternate(planning.brief, escalation, span.person, at, self._directory)
        moment = span.moment(at, MomentKind.ESCALATE, "escalation", f"{because}: {to.as_}")
        return [moment.having(to=to.person)]


def _expiry(requester: str, due_at: datetime) -> Moment:
    return Moment(
        at=due_at, kind=MomentKind.EXPIRE, stage="expiry", person=requester, to=requester, why="the due date has passed"
    )


def _warnings(span: _Span) -> Iterator[Moment]:
    for ahead in span.policy.warnings:
        at = before(span.due, ahead, span.zone)
        if span.since < at < span.due:
            yield span.moment(at, MomentKind.WARN, f"warning-{ahead}", f"{_words(ahead)} before the due date")


def _reminders(span: _Span, warnings: tuple[Moment, ...]) -> Iterator[Moment]:
    reminders = span.policy.reminders
    if reminders is None:
        return
    nudges = [warning.at for warning in warnings]
    for number in range(1, reminders.most + 1):
        at = after(span.since, reminders.first, span.zone, then=reminders.every, times=number - 1)
        if at >= span.due:
            return
        if all(abs(at - nudge) >= _APART for nudge in nudges):
            nudges.append(at)
            why = f"reminder {number} of {reminders.most}, {_rhythm(number, reminders.first, reminders.every)}"
            yield span.moment(at, MomentKind.REMIND, f"reminder-{number}", why)


def _triggers(span: _Span, reminders: tuple[Moment, ...]) -> Iterator[tuple[datetime, str]]:
    """The instants, before the due date, at which the silence has lasted long enough, each with its reason."""
    escalation = span.policy.escalation
    for trigger in (escalation.after, escalation.or_) if escalation else ():
        found = _trigger(span, trigger, reminders) if trigger is not None else None
        if found is not None and found[0] < span.due:
            yield found


def _trigger(span: _Span, trigger: str, reminders: tuple[Moment, ...]) -> tuple[datetime, str] | None:
    if trigger == "used-up":
        return _used_up(span, reminders)
    if trigger.endswith("%"):
        percent = int(trigger.removesuffix("%"))
        return share(span.since, span.due, percent), f"{percent} % of the time until the due date has passed"
    return after(span.since, trigger, span.zone), f"{_words(trigger)} without an answer"


def _used_up(span: _Span, reminders: tuple[Moment, ...]) -> tuple[datetime, str] | None:
    rhythm = span.policy.reminders
    if rhythm is None or not reminders:
        return None
    last = int(reminders[-1].stage.removeprefix("reminder-"))
    at = after(span.since, rhythm.first, span.zone, then=rhythm.every, times=last)
    return at, f"all {len(reminders)} reminders are used up"


def _rhythm(number: int, first: str, every: str) -> str:
    return f"{_words(first)} after the request arrived" if number == 1 else f"every {_words(every)}"


_UNITS: Final = {"m": "minute", "h": "hour", "d": "day", "w": "week"}


def _words(duration: str) -> str:
    """`3 days`, `1 hour`."""
    match = re.fullmatch(r"(\d+)([mhdw])", duration)
    if match is None:
        raise ValueError(f"{duration} is not a duration")
    count, unit = match.groups()
    return f"{count} {_UNITS[unit]}{'' if count == '1' else 's'}"
