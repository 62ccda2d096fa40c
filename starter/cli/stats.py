"""`countersign stats`: figures of what has ended, as a table, CSV or JSON."""

import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Final

from rich.console import Group, RenderableType
from rich.text import Text

from activities.records.figures import GroupBy
from starter.boot import clients
from starter.boot.startup import ready
from starter.cli.arguments import AsJson
from starter.cli.printing import print_answer
from starter.cli.terminal import Rows
from starter.queries import figures
from workflows.follow_up.view import stamp

_WORTH_SAYING: Final = 0.01


async def stats(
    *,
    by: GroupBy | None = None,
    kind: str | None = None,
    department: str | None = None,
    since: date | None = None,
    until: date | None = None,
    csv: bool = False,
    json: AsJson = False,
) -> None:
    """Print how long things take, how many are late, and where the time is lost, beside the period before.

    Requests, tasks, onboardings and campaigns that have ended are counted in the database.

    Parameters
    ----------
    by
        In groups by kind (the default), department, or month. By department times count from the turn of the person it
        ended with, and are left out where fewer than three acted.
    kind
        Only this kind of the catalogue.
    department
        Only this department.
    since
        What ended from this day on, such as 2026-09-01; by default 90 days are counted, by month twelve months.
    until
        What ended up to this day, by default today. Days are those of UTC.
    csv
        Print a table with a line for each measure.
    json
        Print `{since, until, before_since, before_until, by, kind, department, types[{type, total{group, now, before},
        groups[], more_groups, notices[{notice, now, before}], escalations, escalations_before}], reach[{department,
        people, living}], reach_by_week[{week, department, accepted, reached}], unreached[{person, department,
        invalid_since}], more_unreached, fewest}`; `now` and `before` are `{ended, in_time, late, declined, expired,
        waived, cancelled, failed, median_seconds, p90_seconds, lost[{holder, seconds, share}], few}`.
    """
    query = figures.FigureQuery(by or GroupBy.KIND, kind, department, since, until)
    counted = await _figures(query)
    if csv:
        sys.stdout.write(figures.spreadsheet(counted))
    else:
        print_answer(counted, figures_view(counted), as_json=json)


def figures_view(report: figures.Figures) -> Group:
    """A table for each type, what notices and escalations brought, and the reach."""
    period = f"{report.since} to {report.until}, beside {report.before_since} to {report.before_until}"
    if not report.types:
        return Group(Text(f"Nothing has ended: {period}"), *_reach_parts(report))
    parts = [part for type_figures in report.types for part in _type_view(type_figures, report)]
    return Group(Text(period, "dim"), *parts, *_reach_parts(report))


def long(seconds: float) -> str:
    """A time in words: `3 d 4 h`, `5 h 10 min`, `2 min`."""
    minutes = round(seconds / 60)
    days, hours, minutes = minutes // 1440, minutes % 1440 // 60, minutes % 60
    pieces = [f"{days} d" * bool(days), f"{hours} h" * bool(hours), f"{minutes} min" * (not days and bool(minutes))]
    return " ".join(filter(None, pieces)) or "0 min"


async def _figures(query: figures.FigureQuery) -> figures.Figures:
    """By the database alone: neither Temporal nor a worker is asked."""
    settings = ready()
    store = clients.store(settings)
    directory = clients.directory(settings, store) if settings.people else None
    return await figures.gather_figures(store, directory, query, datetime.now(UTC))


def _type_view(type_figures: figures.TypeFigures, report: figures.Figures) -> Iterator[RenderableType]:
    yield Text(f"{type_figures.type}s", "bold")
    table = Rows(report.by.value, "ended", "in time", "late", "declined", "expired", "median", "9 of 10 in", "lost")
    for line in (type_figures.total, *type_figures.groups):
        name = line.group or ("all" if line is type_figures.total else f"no {report.by}")
        shares = (line.now.in_time, line.now.late, line.now.declined, line.now.expired)
        previous_counts = (line.before.in_time, line.before.late, line.before.declined, line.before.expired)
        table.add(
            name,
            _with_previous(f"{line.now.ended:,}", f"{line.before.ended:,}"),
            *(
                _with_previous(_percent(line.now, now), _percent(line.before, previous))
                for now, previous in zip(shares, previous_counts, strict=True)
            ),
            _with_previous(_time(line.now, line.now.median_seconds), _time(line.before, line.before.median_seconds)),
            _with_previous(_time(line.now, line.now.p90_seconds), _time(line.before, line.before.p90_seconds)),
            ", ".join(f"{lost.holder} {_share(lost.share)}" for lost in line.now.lost if lost.share >= _WORTH_SAYING),
        )
    yield table
    if type_figures.more_groups:
        yield Text(f"and {type_figures.more_groups:,} more", "dim")
    if type_figures.notices:
        heard = ", ".join(f"{line.notice} {line.now:,} ({line.before:,})" for line in type_figures.notices)
        yield Text(f"heard last before it was done: {heard}")
    if (escalations := type_figures.escalations).escalated:
        took = (
            f", half of these within {long(escalations.median_seconds)}"
            if escalations.median_seconds is not None
            else ""
        )
        yield Text(
            f"escalated {escalations.escalated:,} ({type_figures.escalations_before.escalated:,}): the "
            f"alternate acted in {escalations.alternate:,}, the silent one in {escalations.signer:,}{took}; "
            f"in vain {escalations.nobody:,}"
        )


def _with_previous(now: str, previous: str) -> str:
    """The figure, and in brackets that of the period before."""
    return f"{now} ({previous})" if previous else now


def _percent(measures: figures.Measures, count: int) -> str:
    share = measures.share(count)
    return "" if share is None else _share(share)


def _share(share: float) -> str:
    return f"{share:.0%}".replace("%", " %")


def _time(measures: figures.Measures, seconds: float | None) -> str:
    if measures.few:
        return f"fewer than {figures.FEWEST}"
    return "" if seconds is None else long(seconds)


def _reach_parts(report: figures.Figures) -> Iterator[RenderableType]:
    yield from _reach_view(report)
    yield from _week_view(report)
    yield from _unreached_view(report)


def _reach_view(report: figures.Figures) -> Iterator[RenderableType]:
    if report.reach:
        yield Text("people with a living device", "bold")
        table = Rows("department", "people", "living device", "share")
        for line in report.reach:
            name = line.department or "no department"
            table.add(name, f"{line.people:,}", f"{line.living:,}", _share(line.living / line.people))
        yield table


def _week_view(report: figures.Figures) -> Iterator[RenderableType]:
    if report.reach_by_week:
        yield Text("people whom the app says it reached", "bold")
        weeks = Rows("week from", "department", "push accepted for", "reached", "share")
        for week in report.list_weeks():
            department = week.department or ("no department" if report.by is GroupBy.DEPARTMENT else "all")
            weeks.add(
                str(week.week),
                department,
                f"{week.accepted:,}",
                f"{week.reached:,}",
                _share(week.reached / week.accepted),
            )
        yield weeks


def _unreached_view(report: figures.Figures) -> Iterator[RenderableType]:
    if report.unreached:
        yield Text("people without a living device", "bold")
        people = Rows("person", "department", "last device")
        for person in report.unreached:
            state = f"invalid since {stamp(person.invalid_since)}" if person.invalid_since else "none yet"
            people.add(person.person, person.department, state)
        yield people
        if report.more_unreached:
            yield Text(f"and {report.more_unreached:,} more", "dim")
