"""`countersign stats`: figures of what has ended, and of what still waits; also as table files and pictures."""

import asyncio
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

from rich.console import Group, RenderableType
from rich.text import Text

from activities.records.figures import GroupBy
from starter.boot import clients
from starter.boot.startup import ready
from starter.cli.arguments import AsJson, Picture
from starter.cli.printing import note, print_answer, progress
from starter.cli.terminal import Rows
from starter.errors import Refusal
from starter.queries import stats as push_stats
from starter.queries.drawing import picture_file
from starter.queries.figures import (
    FEWEST,
    Figures,
    FiguresWanted,
    Measures,
    TypeFigures,
    gather_figures,
    spreadsheet,
)
from starter.queries.figures_picture import figures_picture
from starter.queries.stats import CUSTOMER, US, OnboardingStats, PushStats, StageStats, gather_onboarding_stats
from starter.queries.stats import stats as figures
from starter.temporal.connection import Context, opened

Found = TypeVar("Found")


async def stats(
    *,
    by: GroupBy | None = None,
    kind: str | None = None,
    department: str | None = None,
    since: date | None = None,
    until: date | None = None,
    onboarding: bool = False,
    push: bool = False,
    csv: bool = False,
    picture: Picture = None,
    json: AsJson = False,
) -> None:
    """Print how long things take, how many are late, and where the time is lost, beside the period before.

    Requests, tasks, onboardings and campaigns that have ended are counted in the database. With --onboarding and --push
    the records of the 2,000 that ended last are read.

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
    onboarding
        Of onboardings: the median time of each stage, and whom it waited for: the customer, our teams, us.
    push
        Of pushes, by kind: how many were opened, and the median time until then and until it was signed or done; also
        of the newest 200 that still wait.
    csv
        Print a table with a line for each measure.
    picture
        Draw it, too: an SVG file, light or dark as its reader likes it.
    json
        Print `{since, until, before_since, before_until, by, kind, department, types[{type, total{group, now, before},
        groups[], more_groups, notices[{notice, now, before}], escalations, escalations_before}], reach[{department,
        people, living}], fewest}`; `now` and `before` are `{ended, in_time, late, declined, expired, waived, cancelled,
        failed, median_seconds, p90_seconds, lost[{holder, seconds, share}], few}`. Of onboardings `{onboardings,
        stages[{name, onboardings, median_seconds, lost[{who, seconds, share}]}]}`, of pushes `{ended, waiting,
        kinds[{kind, pushed, opened, acted, other_way, to_open_seconds, opened_to_acted_seconds, to_acted_seconds}],
        more_kinds}`.
    """
    if push:
        pushed = await _read(lambda it, told: push_stats.gather_push_stats(it.client, it.store, told), json=json)
        print_answer(pushed, _pushes(pushed), as_json=json)
        await _draw(picture, lambda: push_picture(pushed))
        return
    if onboarding:
        ended = await _read(lambda it, told: gather_onboarding_stats(it.store, told), json=json)
        found = figures(ended)
        print_answer(found, _table(found), as_json=json)
        await _draw(picture, lambda: stages_picture(found))
        return
    wanted = FiguresWanted(by or GroupBy.KIND, kind, department, since, until)
    counted = await _figures(wanted)
    if csv:
        sys.stdout.write(spreadsheet(counted))
    else:
        print_answer(counted, figures_view(counted), as_json=json)
    await _draw(picture, lambda: figures_picture(counted))


async def _figures(wanted: FiguresWanted) -> Figures:
    """By the database alone: neither Temporal nor a worker is asked."""
    settings = ready()
    store = clients.store(settings)
    directory = clients.directory(settings, store) if settings.people else None
    return await gather_figures(store, directory, wanted, datetime.now(UTC))


def figures_view(found: Figures) -> Group:
    """A table for each type, what notices and escalations brought, and the reach."""
    period = f"{found.since} to {found.until}, beside {found.before_since} to {found.before_until}"
    if not found.types:
        return Group(Text(f"Nothing has ended: {period}"), *_reach_view(found))
    parts = [part for one in found.types for part in _type_view(one, found)]
    return Group(Text(period, "dim"), *parts, *_reach_view(found))


def _type_view(one: TypeFigures, found: Figures) -> Iterator[RenderableType]:
    yield Text(f"{one.type}s", "bold")
    table = Rows(found.by.value, "ended", "in time", "late", "declined", "expired", "median", "9 of 10 in", "lost")
    for line in (one.total, *one.groups):
        name = line.group or ("all" if line is one.total else f"no {found.by}")
        shares = (line.now.in_time, line.now.late, line.now.declined, line.now.expired)
        beside = (line.before.in_time, line.before.late, line.before.declined, line.before.expired)
        table.add(
            name,
            _beside(f"{line.now.ended:,}", f"{line.before.ended:,}"),
            *(
                _beside(_percent(line.now, now), _percent(line.before, then))
                for now, then in zip(shares, beside, strict=True)
            ),
            _beside(_time(line.now, line.now.median_seconds), _time(line.before, line.before.median_seconds)),
            _beside(_time(line.now, line.now.p90_seconds), _time(line.before, line.before.p90_seconds)),
            ", ".join(f"{lost.holder} {_share(lost.share)}" for lost in line.now.lost if lost.share >= _WORTH_SAYING),
        )
    yield table
    if one.more_groups:
        yield Text(f"and {one.more_groups:,} more", "dim")
    if one.notices:
        heard = ", ".join(f"{line.notice} {line.now:,} ({line.before:,})" for line in one.notices)
        yield Text(f"heard last before it was done: {heard}")
    if (came := one.escalations).escalated:
        took = f", half of these within {long(came.median_seconds)}" if came.median_seconds is not None else ""
        yield Text(
            f"escalated {came.escalated:,} ({one.escalations_before.escalated:,}): the alternate acted in "
            f"{came.alternate:,}, the silent one in {came.signer:,}{took}; in vain {came.nobody:,}"
        )


_WORTH_SAYING: Final = 0.01


def _beside(now: str, before: str) -> str:
    """The figure, and in brackets that of the period before."""
    return f"{now} ({before})" if before else now


def _percent(of: Measures, count: int) -> str:
    share = of.share(count)
    return "" if share is None else _share(share)


def _share(share: float) -> str:
    return f"{share:.0%}".replace("%", " %")


def _time(of: Measures, seconds: float | None) -> str:
    if of.few:
        return f"fewer than {FEWEST}"
    return "" if seconds is None else long(seconds)


def _reach_view(found: Figures) -> Iterator[RenderableType]:
    if found.reach:
        yield Text("people with a living device", "bold")
        table = Rows("department", "people", "living device", "share")
        for line in found.reach:
            name = line.department or "no department"
            table.add(name, f"{line.people:,}", f"{line.living:,}", _share(line.living / line.people))
        yield table


async def _read(gather: Callable[[Context, Callable[[int], None]], Coroutine[Any, Any, Found]], *, json: bool) -> Found:
    async with opened(ready()) as context:
        with progress("reading records", quiet=json) as bar:
            return await gather(context, lambda read: bar(advance=read))


async def _draw(picture: Path | None, draw: Callable[[], bytes]) -> None:
    if picture is None:
        return
    drawn = await asyncio.to_thread(draw)
    try:
        await asyncio.to_thread(picture.write_bytes, drawn)
    except OSError as error:
        raise Refusal(f"{picture} cannot be written: {error.strerror}") from error
    note(f"picture: {picture}")


def _pushes(found: push_stats.PushStats) -> Group:
    if not found.kinds:
        return Group(Text("No push was taken by a phone yet"))
    table = Rows("kind", "pushed", "opened", "signed or done", "by mail, too", "until opened", "until done", "in all")
    for one in found.kinds:
        counts = [f"{count:,}" for count in (one.pushed, one.opened, one.acted, one.other_way)]
        times = (one.to_open_seconds, one.opened_to_acted_seconds, one.to_acted_seconds)
        table.add(one.kind, *counts, *("" if time is None else long(time) for time in times))
    more = (Text(f"and {found.more_kinds:,} more kinds", "dim"),) if found.more_kinds else ()
    return Group(Text(f"{found.ended:,} ended, {found.waiting:,} waiting; times are medians", "bold"), table, *more)


def _table(found: OnboardingStats) -> Group:
    if not found.stages:
        return Group(Text("No onboarding has passed a stage yet"))
    table = Rows("stage", "onboardings", "median", "waited for")
    for one in found.stages:
        table.add(one.name, f"{one.onboardings:,}", long(one.median_seconds), lost_words(one))
    ended = "1 onboarding has" if found.onboardings == 1 else f"{found.onboardings:,} onboardings have"
    return Group(Text(f"{ended} ended", "bold"), table)


KINDS_DRAWN_AT_MOST: Final = 20
_WIDTH: Final = 560
_PIECES: Final = ("until opened", "until done")


def push_picture(found: PushStats) -> bytes:
    """The medians, in hours: a bar for each kind, of two pieces."""
    title = f"From push to done: {found.ended:,} ended, {found.waiting:,} waiting"
    return _bars(title, list(_values(found)), {"until opened": "#d98a00", "until done": "#2f7ed8"})


def _values(found: PushStats) -> list[dict[str, object]]:
    times = (
        (one.kind, (one.to_open_seconds, one.opened_to_acted_seconds)) for one in found.kinds[:KINDS_DRAWN_AT_MOST]
    )
    return [
        {"of": kind, "piece": piece, "order": order, "hours": round(seconds / 3600, 3)}
        for kind, pieces in times
        for order, (piece, seconds) in enumerate(zip(_PIECES, pieces, strict=True))
        if seconds is not None
    ]


STAGES_DRAWN_AT_MOST: Final = 50
_CUSTOMER, _US = "#2f7ed8", "#7c8794"
_TEAMS: Final = ("#d98a00", "#8a63d2", "#c2337f", "#2f9e6e", "#b0603a")


def stages_picture(found: OnboardingStats) -> bytes:
    """The median of each stage, in hours: a bar of as many pieces as there were who was waited for."""
    stages = found.stages[:STAGES_DRAWN_AT_MOST]
    lost = [(stage, order, one) for stage in stages for order, one in enumerate(stage.lost)]
    teams = dict.fromkeys(one.who for _, _, one in lost if one.who not in (CUSTOMER, US))
    colours = {CUSTOMER: _CUSTOMER} | {who: _TEAMS[n % len(_TEAMS)] for n, who in enumerate(teams)} | {US: _US}
    values: list[dict[str, object]] = [
        {"of": stage.name, "piece": one.who, "order": order, "hours": round(stage.median_seconds * one.share / 3600, 3)}
        for stage, order, one in lost
    ]
    title = f"The median of {found.onboardings:,} onboardings, stage by stage"
    heard = [f"{stage.name}: {long(stage.median_seconds)}, {lost_words(stage)}" for stage in stages]
    return _bars(title, values, colours, heard)


def _bars(
    title: str, values: Sequence[Mapping[str, object]], colours: Mapping[str, str], heard: Sequence[str] = ()
) -> bytes:
    """A bar for what each value is `of`, of pieces in their order; what is drawn is heard, too."""
    import altair  # noqa: PLC0415  heavy: whoever draws nothing does not wait for it

    x: Any = altair.X("hours:Q", title="hours, medians", stack="zero")
    y: Any = altair.Y("of:N", title=None, sort=list(dict.fromkeys(str(one["of"]) for one in values)))
    scale = altair.Scale(domain=[*colours], range=[*colours.values()])
    colour: Any = altair.Color("piece:N", title=None, scale=scale, legend=altair.Legend(orient="bottom"))
    order: Any = altair.Order("order:Q")
    chart = altair.Chart(altair.InlineData(values=values)).mark_bar().encode(x=x, y=y, color=colour, order=order)
    said = heard or [f"{one['of']}, {one['piece']}: {one['hours']} h" for one in values]
    return picture_file(chart.properties(width=_WIDTH, title=title), title, said)


def long(seconds: float) -> str:
    """A time in words: `3 d 4 h`, `5 h 10 min`, `2 min`."""
    minutes = round(seconds / 60)
    days, hours, minutes = minutes // 1440, minutes % 1440 // 60, minutes % 60
    pieces = [f"{days} d" * bool(days), f"{hours} h" * bool(hours), f"{minutes} min" * (not days and bool(minutes))]
    return " ".join(filter(None, pieces)) or "0 min"


def lost_words(stage: StageStats) -> str:
    """`customer 70 %, operations 30 %`."""
    return ", ".join(f"{one.who} {one.share:.0%}".replace("%", " %") for one in stage.lost)
