"""The two charts of pages, as SVG from our own templates: acknowledgements over time, and days until something ends."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from typing import Final

from babel.dates import format_skeleton
from babel.numbers import format_decimal
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from activities.people.language import Language, phrase
from starter.queries.campaign import Curve, Point
from starter.queries.figures import Figures, FiguresLine, TypeFigures
from workflows.model.campaign import Counts
from workflows.model.views import CampaignShow

GROUPS_DRAWN_AT_MOST: Final = 10
"""Of a type."""
DURATIONS_TITLE: Final = phrase(
    "Days until signed or done. Bar: half of them; line: nine of ten; grey: half of them before"
)
_WIDTH, _HEIGHT, _BAR_WIDTH, _BAR_HEIGHT = 640, 220, 640, 54
_DAY_TICKS_AT_MOST, _COUNT_TICKS_AT_MOST = 8, 5
_SECONDS_A_DAY: Final = 86_400
_DUE, _CLOSES = phrase("due"), phrase("closes")
LineName = Callable[[TypeFigures, FiguresLine], str]
"""What people call a line of figures."""


@dataclass(frozen=True)
class Tick:
    """A label of an axis at a coordinate of the plot; `count` is what the curve has reached there."""

    position: float
    label: str
    count: str = ""


@dataclass(frozen=True)
class DurationBar:
    """A line of figures: median, ninth decile and the earlier median as lengths, and all three in words."""

    label: str
    top: int
    median: float
    ninth_decile: float
    median_before: float | None


def campaign_chart(
    view: CampaignShow, curve: Curve | None, counts: Counts, *, language: Language | None = None
) -> Markup:
    """Acknowledgements over time as SVG with a table of the same; empty if nobody was asked yet.

    While the campaign is open, a dashed line has the forecast. Equal for equal input.
    """
    if curve is None or not counts.total:
        return Markup()
    return _render_curve(view, curve, counts.required_count or 1, language or Language.english())


def durations_chart(figures: Figures, name: LineName, language: Language) -> Markup:
    """The medians of each line as SVG; empty if nothing was fulfilled. The page has them as a table, too."""
    lines = [
        (name(type_figures, line), line)
        for type_figures in figures.types
        for line in (type_figures.total, *type_figures.groups[:GROUPS_DRAWN_AT_MOST])
        if line.now.median_seconds is not None and line.now.p90_seconds is not None
    ]
    if not lines:
        return Markup()
    seconds = [line.now.p90_seconds or 0 for _, line in lines] + [line.before.median_seconds or 0 for _, line in lines]
    longest_days = max(1.0, max(seconds) / _SECONDS_A_DAY)
    bars = [_bar(title, line, number, longest_days, language) for number, (title, line) in enumerate(lines)]
    label = f"{language.say(DURATIONS_TITLE)}: {'; '.join(bar.label for bar in bars)}"
    page = _environment().get_template("durations.html")
    return Markup(page.render(bars=bars, words=label, width=_BAR_WIDTH, height=_BAR_HEIGHT * len(bars)))  # noqa: S704


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _render_curve(view: CampaignShow, curve: Curve, people: int, language: Language) -> Markup:
    points, forecast = curve.points(), list(curve.ahead())
    begins_at, ends_at = points[0].at, max(point.at for point in (*points, *forecast))
    ends_at = max(ends_at, *(_noon(day) for day in (view.due, view.last_day)))
    seconds = (ends_at - begins_at).total_seconds() or 1

    def x(instant: datetime) -> float:
        return round(_WIDTH * (instant - begins_at).total_seconds() / seconds, 1)

    def y(count: float) -> float:
        return round(_HEIGHT * (1 - min(count, people) / people), 1)

    line = " ".join(_steps(points, x, y))
    done_count, people_count = (format_decimal(number, locale=language.locale) for number in (curve.done_count, people))
    return Markup(  # noqa: S704  rendered with autoescape
        _environment()
        .get_template("curve.html")
        .render(
            table_title=language.say("As a table"),
            column_titles=(language.say("Day"), language.say("Acknowledged")),
            words=language.say(
                "The line of acknowledgements over time: {done} of {people}", done=done_count, people=people_count
            ),
            line=line,
            area=f"{line} V{_HEIGHT} H0 Z",
            forecast=" ".join(
                f"{'L' if nth else 'M'}{x(instant)},{y(count)}" for nth, (instant, count) in enumerate(forecast)
            ),
            days=[
                Tick(x(day), _day(day, language), _count_by(day, points, language)) for day in _days(begins_at, ends_at)
            ],
            counts=[Tick(y(count), format_decimal(count, locale=language.locale)) for count in _round_counts(people)],
            deadlines=[
                Tick(x(_noon(day)), f"{language.say(label)} {_day(_noon(day), language)}")
                for label, day in ((_DUE, view.due), (_CLOSES, view.last_day))
            ],
            width=_WIDTH,
            height=_HEIGHT,
        )
    )


def _steps(points: Iterable[Point], x: Callable[[datetime], float], y: Callable[[float], float]) -> Iterator[str]:
    """The path of a count that stays until the next point."""
    (begins_at, count), *later_points = points
    yield f"M{x(begins_at)},{y(count)}"
    for instant, next_count in later_points:
        yield f"L{x(instant)},{y(count)} L{x(instant)},{y(next_count)}"
        count = next_count


def _count_by(instant: datetime, points: Sequence[Point], language: Language) -> str:
    """How many have acknowledged by then; empty for an instant that is still to come."""
    if instant > points[-1].at:
        return ""
    count = max(point.done_count for point in points if point.at <= instant)
    return format_decimal(round(count), locale=language.locale)


def _days(begins_at: datetime, ends_at: datetime) -> Iterator[datetime]:
    """Midnights in UTC, equally many days apart."""
    first = datetime.combine(begins_at.astimezone(UTC).date() + timedelta(days=1), time(), UTC)
    days_apart = max(1, math.ceil((ends_at - first) / timedelta(days=_DAY_TICKS_AT_MOST)))
    while first <= ends_at:
        yield first
        first += timedelta(days=days_apart)


def _round_counts(people: int) -> list[int]:
    """At most `_COUNT_TICKS_AT_MOST` multiples of 1, 2 or 5 times a power of ten, and 0."""
    least = people / _COUNT_TICKS_AT_MOST
    magnitude = 10 ** max(0, math.floor(math.log10(max(least, 1))))
    apart = next(factor * magnitude for factor in (1, 2, 5, 10) if factor * magnitude >= least)
    return list(range(0, people + 1, apart))


def _noon(day: date) -> datetime:
    # On that day, not where it is over everywhere on earth, which is the day after.
    return datetime.combine(day, time(12), UTC)


def _day(instant: datetime, language: Language) -> str:
    return str(format_skeleton("MMMd", instant, locale=language.locale))


def _bar(title: str, line: FiguresLine, number: int, longest_days: float, language: Language) -> DurationBar:
    days = [None if seconds is None else seconds / _SECONDS_A_DAY for seconds in _durations(line)]
    median, ninth_decile, previous = (
        None if day is None else round(_BAR_WIDTH * day / longest_days, 1) for day in days
    )
    label = language.say(
        "{name}: {days} days (before: {before})",
        name=title,
        days=_decimal(days[0], language),
        before=_decimal(days[2], language),
    )
    return DurationBar(label, number * _BAR_HEIGHT, median or 0, ninth_decile or 0, previous)


def _durations(line: FiguresLine) -> tuple[float | None, float | None, float | None]:
    return line.now.median_seconds, line.now.p90_seconds, line.before.median_seconds


def _decimal(days: float | None, language: Language) -> str:
    return "–" if days is None else format_decimal(round(days, 1 if days >= 1 else 2), locale=language.locale)
