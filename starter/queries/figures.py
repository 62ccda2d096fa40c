"""Figures of what has ended: how long it took, by kind, department or month, and where the time was lost; beside those
of the period before.
"""

import asyncio
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from pydantic import AwareDatetime

from activities.files.table import text
from activities.metrics import Brought, Holder
from activities.people.company_directory import CompanyDirectory
from activities.people.directory import PersonReach
from activities.records.figures import EscalatedFigures, FactFilter, GroupBy, GroupFigures, Key, PeriodFigures, Scope
from activities.records.store import Store
from starter.errors import Refusal
from workflows.kinds import Kind, kinds
from workflows.model.base import Model
from workflows.model.subject import Status

USUAL: Final = timedelta(days=90)
"""The period where none is given; by month it is a year."""
DAYS_AT_MOST: Final = 3_660
FEWEST: Final = 3
"""Of fewer no times are told by department: they would be somebody's own."""
DEPARTMENTS_AT_MOST: Final = 100
"""Of the reach; those with most people."""
UNREACHED_AT_MOST: Final = 100
"""People without a living device that are listed; first those who had one last."""
_OTHERWISE: Final = (Status.DECLINED, Status.EXPIRED, Status.WAIVED, Status.CANCELLED, Status.FAILED)
COLUMNS: Final = ("of", "by", "group", "measure", "now", "before")
"""Outside contract: they stay, in this order; more may follow."""


class LostTime(Model):
    """Time that was waited for one holder; `share` of all, from 0 to 1."""

    holder: Holder
    seconds: float
    share: float


class Measures(Model):
    """Of what has ended in a period. `in_time` and `late` are signed or done, the others ended otherwise.

    Times are from the start until the last person acted, of those that were signed or done; by department from the
    turn of its person. They are None where there are none, and with `few`.
    """

    ended: int = 0
    in_time: int = 0
    late: int = 0
    declined: int = 0
    expired: int = 0
    waived: int = 0
    cancelled: int = 0
    failed: int = 0
    median_seconds: float | None = None
    p90_seconds: float | None = None
    lost: tuple[LostTime, ...] = ()
    few: bool = False
    """Whether times are left out because there are fewer than three."""

    @property
    def fulfilled(self) -> int:
        return self.in_time + self.late

    def share(self, count: int) -> float | None:
        return count / self.ended if self.ended else None


class FiguresLine(Model):
    """A kind, department or month (`2026-11`), empty for all; `before` are those of the period before."""

    group: str = ""
    now: Measures = Measures()
    before: Measures = Measures()


class NoticeEffect(Model):
    """How many were signed or done after hearing this last."""

    notice: str
    now: int
    before: int


class EscalationFigures(Model):
    """How many escalations brought what; the median time is from the escalation until it was signed or done."""

    escalated: int = 0
    alternate: int = 0
    signer: int = 0
    nobody: int = 0
    median_seconds: float | None = None


class TypeFigures(Model):
    """Of all requests, or all tasks, …"""

    type: Kind
    total: FiguresLine
    groups: tuple[FiguresLine, ...] = ()
    more_groups: int = 0
    notices: tuple[NoticeEffect, ...] = ()
    escalations: EscalationFigures = EscalationFigures()
    escalations_before: EscalationFigures = EscalationFigures()


class ReachLine(Model):
    """People of a department now, and how many of them have a living device."""

    department: str
    people: int
    living: int


class WeekReach(Model):
    """How many people of a department an app's push was accepted for in the week from this Monday, and from how many
    the app reported one.
    """

    week: date
    department: str
    accepted: int
    reached: int


class UnreachedPerson(Model):
    """Somebody without a living device; `invalid_since` is None if they never had one."""

    person: str
    department: str
    invalid_since: AwareDatetime | None


class Figures(Model):
    """The answer of `stats`. Days are whole ones in UTC; `until` is the last."""

    since: date
    until: date
    before_since: date
    before_until: date
    by: GroupBy
    kind: str | None = None
    department: str | None = None
    types: tuple[TypeFigures, ...] = ()
    reach: tuple[ReachLine, ...] = ()
    reach_by_week: tuple[WeekReach, ...] = ()
    unreached: tuple[UnreachedPerson, ...] = ()
    more_unreached: int = 0
    fewest: int = FEWEST

    def list_weeks(self) -> tuple[WeekReach, ...]:
        """The reach by week, and by department if that was asked for."""
        if self.by is GroupBy.DEPARTMENT:
            return self.reach_by_week
        accepted, reached = Counter[date](), Counter[date]()
        for line in self.reach_by_week:
            accepted[line.week] += line.accepted
            reached[line.week] += line.reached
        return tuple(
            WeekReach(week=week, department="", accepted=count, reached=reached[week])
            for week, count in accepted.items()
        )


@dataclass(frozen=True)
class FigureQuery:
    """Days are whole ones in UTC, `until` the last."""

    by: GroupBy = GroupBy.KIND
    kind: str | None = None
    department: str | None = None
    since: date | None = None
    until: date | None = None

    def period(self, today: date) -> tuple[date, date]:
        """First and last day; raises `Refusal`."""
        last_day = self.until or today
        try:
            first_day = self.since or _usual(self.by, last_day)
            if last_day < first_day:
                raise Refusal(f"the period ends on {last_day}, before it begins on {first_day}")
            if (last_day - first_day).days > DAYS_AT_MOST:
                raise Refusal(f"from {first_day} to {last_day} are more than {DAYS_AT_MOST:,} days")
            self.find_period_before(first_day, last_day)
            last_day + timedelta(days=1)
        except OverflowError:
            raise Refusal(f"{last_day} is too early or too late") from None
        return first_day, last_day

    def find_period_before(self, first_day: date, last_day: date) -> tuple[date, date]:
        """The period before: as long, or by month a year earlier, so that each month has its own."""
        if self.by is GroupBy.MONTH:
            return _year_earlier(first_day), _year_earlier(last_day)
        return first_day - (last_day - first_day) - timedelta(days=1), first_day - timedelta(days=1)

    def filter(self, first_day: date, last_day: date, scope: Scope | None) -> FactFilter:
        return FactFilter(_begin(first_day), _begin(last_day) + timedelta(days=1), self.kind, self.department, scope)

    def group_before(self, group: str) -> str:
        """What stands beside this group."""
        if self.by is not GroupBy.MONTH:
            return group
        year, _, month = group.partition("-")
        return f"{int(year) - 1:04}-{month}"


async def gather_figures(
    store: Store,
    directory: CompanyDirectory | None,
    query: FigureQuery,
    now: datetime,
    *,
    scope: Scope | None = None,
    reach_of: Collection[str] | None = None,
) -> Figures:
    """The figures of a scope, or of everybody; with a directory the reach of `reach_of`, or of everybody. Raises
    `Refusal`, `DatabaseAway`, `DirectoryFailure`.
    """
    first_day, last_day = query.period(now.astimezone(UTC).date())
    earlier = query.find_period_before(first_day, last_day)
    present, earlier_figures, reach, weeks, marked = await asyncio.gather(
        store.figures.count(query.filter(first_day, last_day, scope), query.by),
        store.figures.count(query.filter(*earlier, scope), query.by),
        _list_reach(directory, reach_of, query.department),
        store.app_pushes.count_by_week(
            first_day, last_day, department=query.department, people=None if reach_of is None else sorted(reach_of)
        ),
        store.devices.list_marked(),
    )
    unreached = _list_unreached(reach, marked)
    return Figures(
        since=first_day,
        until=last_day,
        before_since=earlier[0],
        before_until=earlier[1],
        by=query.by,
        kind=query.kind,
        department=query.department,
        types=tuple(_types(present, earlier_figures, query)),
        reach=_count_by_department(reach),
        reach_by_week=tuple(WeekReach(**week._asdict()) for week in weeks),
        unreached=unreached,
        more_unreached=sum(not person.has_device for person in reach) - len(unreached),
    )


def spreadsheet(figures: Figures) -> str:
    """All of it as a table (CSV): a line a measure. `now` is from `since` to `until`."""
    period = [
        ("period", "", "", "since", figures.since, figures.before_since),
        ("period", "", "", "until", figures.until, figures.before_until),
    ]
    return text(_cells(line) for line in (COLUMNS, *period, *_table(figures)))


def _usual(group_by: GroupBy, last_day: date) -> date:
    if group_by is GroupBy.MONTH:
        year, month = divmod(12 * last_day.year + last_day.month - 12, 12)
        return date(year, month + 1, 1) if year else date.min
    return last_day - USUAL + timedelta(days=1)


def _year_earlier(day: date) -> date:
    if day.year == 1:
        raise OverflowError
    leap = (day.month, day.day) == (2, 29)
    return day.replace(year=day.year - 1, day=28 if leap else day.day)


def _begin(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


async def _list_reach(
    directory: CompanyDirectory | None, people: Collection[str] | None, department: str | None
) -> list[PersonReach]:
    reach = await directory.list_reach(people) if directory else []
    return [person for person in reach if department in (None, person.department)]


def _list_unreached(reach: Sequence[PersonReach], marked: Mapping[str, datetime]) -> tuple[UnreachedPerson, ...]:
    unreached = [
        UnreachedPerson(person=person.id, department=person.department, invalid_since=marked.get(person.id))
        for person in reach
        if not person.has_device
    ]
    # Each sorting keeps the order of the one before.
    unreached.sort(key=lambda person: (person.department, person.person))
    unreached.sort(key=lambda person: person.invalid_since.timestamp() if person.invalid_since else 0, reverse=True)
    return tuple(unreached[:UNREACHED_AT_MOST])


def _count_by_department(reach: Sequence[PersonReach]) -> tuple[ReachLine, ...]:
    people = Counter(person.department for person in reach)
    living = Counter(person.department for person in reach if person.has_device)
    lines = [ReachLine(department=name, people=count, living=living[name]) for name, count in people.items()]
    return tuple(sorted(lines, key=lambda line: (-line.people, line.department))[:DEPARTMENTS_AT_MOST])


def _types(now: PeriodFigures, earlier_figures: PeriodFigures, query: FigureQuery) -> Iterator[TypeFigures]:
    """In the order of the kinds; those of which something has ended."""
    for kind in kinds():
        prefix = kind.spec.prefix
        if (group_total := now.groups.get(Key(prefix, None))) is None:
            continue
        hidden = query.department is not None
        total = FiguresLine(
            now=_measures(group_total, hidden=hidden),
            before=_measures(earlier_figures.groups.get(Key(prefix, None)), hidden=hidden),
        )
        notices = earlier_figures.notices.get(prefix, {})
        yield TypeFigures(
            type=kind,
            total=total,
            groups=tuple(_lines(prefix, now, earlier_figures, query)),
            more_groups=now.omitted_count_by_type.get(prefix, 0),
            notices=tuple(
                NoticeEffect(notice=notice, now=count, before=notices.get(notice, 0))
                for notice, count in now.notices.get(prefix, {}).items()
            ),
            escalations=_escalations(now.escalated.get(prefix)),
            escalations_before=_escalations(earlier_figures.escalated.get(prefix)),
        )


def _lines(
    prefix: str, now: PeriodFigures, earlier_figures: PeriodFigures, query: FigureQuery
) -> Iterator[FiguresLine]:
    hidden = query.by is GroupBy.DEPARTMENT or query.department is not None
    for key, group in now.groups.items():
        if key.type == prefix and key.group is not None:
            earlier = earlier_figures.groups.get(Key(prefix, query.group_before(key.group)))
            yield FiguresLine(
                group=key.group, now=_measures(group, hidden=hidden), before=_measures(earlier, hidden=hidden)
            )


def _measures(group: GroupFigures | None, *, hidden: bool) -> Measures:
    """With `hidden` the times of few are left out."""
    if group is None:
        return Measures()
    ends = {status.value: group.endings.get(status, 0) for status in _OTHERWISE}
    few = hidden and group.ended_count > 0 and group.fulfilled < FEWEST
    measures = Measures(ended=group.ended_count, in_time=group.fulfilled - group.late, late=group.late, few=few, **ends)
    if few:
        return measures
    return measures.replace(
        median_seconds=_rounded(group.median), p90_seconds=_rounded(group.p90), lost=tuple(_lost(group.waited))
    )


def _lost(waited: Mapping[Holder, float]) -> Iterator[LostTime]:
    total_seconds = sum(waited.values())
    for holder, seconds in waited.items():
        if seconds:
            yield LostTime(holder=holder, seconds=round(seconds, 1), share=round(seconds / total_seconds, 4))


def _escalations(escalated: EscalatedFigures | None) -> EscalationFigures:
    if escalated is None:
        return EscalationFigures()
    counts = {outcome.value: escalated.counts.get(outcome, 0) for outcome in Brought}
    return EscalationFigures(escalated=sum(counts.values()), median_seconds=_rounded(escalated.median), **counts)


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)


def _table(figures: Figures) -> Iterator[Sequence[Any]]:
    for type_figures in figures.types:
        for line in (type_figures.total, *type_figures.groups):
            group_by = figures.by.value if line.group or line is not type_figures.total else ""
            for measure, now in _flat(line.now).items():
                yield type_figures.type, group_by, line.group, measure, now, _flat(line.before)[measure]
        for notice in type_figures.notices:
            yield type_figures.type, "notice", notice.notice, "last_before_act", notice.now, notice.before
        earlier_escalations = type_figures.escalations_before.model_dump()
        for measure, now in type_figures.escalations.model_dump().items():
            yield type_figures.type, "", "", f"escalations_{measure}", now, earlier_escalations[measure]
    for reach in figures.reach:
        yield "people", "department", reach.department, "people", reach.people, None
        yield "people", "department", reach.department, "living_device", reach.living, None
    for week in figures.reach_by_week:
        yield "people", "week", f"{week.week} {week.department}".strip(), "push_accepted", week.accepted, None
        yield "people", "week", f"{week.week} {week.department}".strip(), "push_reached", week.reached, None


def _flat(measures: Measures) -> dict[str, object]:
    plain = measures.model_dump(exclude={"lost", "few"})
    seconds = {lost_time.holder: lost_time.seconds for lost_time in measures.lost}
    return {**plain, **{f"lost_{holder}_seconds": seconds.get(holder) for holder in Holder}}


def _cells(line: Sequence[Any]) -> list[str]:
    return ["" if cell is None else str(cell) for cell in line]
