"""The picture of figures: how long it takes, group by group, beside the period before; for whom it waited."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from babel.numbers import format_decimal

from activities.metrics import Holder
from activities.people.language import Language, phrase
from starter.queries.drawing import ACCENT, INK, for_a_page, locale_of, picture_file, svg_of
from starter.queries.figures import Figures, FiguresLine, TypeFigures

GROUPS_DRAWN_AT_MOST: Final = 10
"""Of a type."""
_WIDTH: Final = 640
_ROW: Final = 54
"""The words above, the bar below: on a phone no room is left beside it."""
_DAY: Final = 86_400
_BEFORE: Final = "#8a93a0"
_COLOURS: Final = {
    Holder.SIGNER: "#2f7ed8",
    Holder.REVIEWER: "#8a63d2",
    Holder.REQUESTER: "#d98a00",
    Holder.US: "#7c8794",
    Holder.PROVIDER: "#c2337f",
}

Name = Callable[[TypeFigures, FiguresLine], str]
"""What a line is called."""


@dataclass(frozen=True)
class _Row:
    name: str
    days: float
    of_ten: float
    before: float | None

    def words(self, language: Language) -> str:
        days, before = ("–" if one is None else _decimal(one, language) for one in (self.days, self.before))
        return language.say("{name}: {days} days (before: {before})", name=self.name, days=days, before=before)


def _decimal(days: float, language: Language) -> str:
    return format_decimal(round(days, 1 if days >= 1 else 2), locale=language.locale)


def figures_chart(found: Figures, name: Name, language: Language) -> str:
    """The median of each line as SVG for a page, which says `TITLE` itself; empty if nothing was fulfilled. Takes a
    second the first time in a process: call it in a thread.
    """
    rows = list(_rows(found, name))
    if not rows:
        return ""
    heard = f"{language.say(TITLE)}: {'; '.join(row.words(language) for row in rows)}"
    return for_a_page(svg_of(_times(rows, language, ""), locale_of(language)), heard)


def figures_picture(found: Figures) -> bytes:
    """The medians, and for whom it waited, as a file."""
    import altair  # noqa: PLC0415  heavy: whoever draws nothing does not wait for it

    language, rows = Language.english(), list(_rows(found, _plain_name))
    lost = [
        {"of": f"{one.type}s", "holder": str(part.holder), "share": part.share, "order": order}
        for one in found.types
        for order, part in enumerate(one.total.now.lost)
    ]
    charts = [_times(rows, language, TITLE)] if rows else []
    charts += [_lost(lost)] if lost else []
    title = f"How it runs: {found.since} to {found.until}, beside {found.before_since} to {found.before_until}"
    heard = [row.words(language) for row in rows]
    heard += [f"{one['of']}, {one['holder']}: {float(str(one['share'])):.0%}" for one in lost]
    drawn = altair.vconcat(*charts or [_times([], language, TITLE)]).properties(title=title)
    return picture_file(drawn, title, heard)


TITLE: Final = phrase("Days until signed or done. Bar: half of them; line: nine of ten; grey: half of them before")


def _plain_name(of: TypeFigures, line: FiguresLine) -> str:
    return f"all {of.type}s" if line is of.total else line.group or "none"


def _rows(found: Figures, name: Name) -> Iterator[_Row]:
    for one in found.types:
        for line in (one.total, *one.groups[:GROUPS_DRAWN_AT_MOST]):
            now, before = line.now, line.before.median_seconds
            if now.median_seconds is not None and now.p90_seconds is not None:
                yield _Row(
                    name(one, line),
                    now.median_seconds / _DAY,
                    now.p90_seconds / _DAY,
                    None if before is None else before / _DAY,
                )


def _times(rows: list[_Row], language: Language, title: str) -> Any:
    """A bar each, with a line where nine of ten were done, and a grey one where half were before."""
    import altair  # noqa: PLC0415  as above

    values = [
        {"nth": nth, "says": row.words(language), "days": row.days, "of_ten": row.of_ten, "before": row.before}
        for nth, row in enumerate(rows)
    ]
    y: Any = altair.Y("nth:O", axis=None, scale=altair.Scale(paddingInner=0, paddingOuter=0))
    axis = altair.Axis(orient="bottom", tickCount=6, format="~g", aria=False)

    longest = max([1.0, *(part for row in rows for part in (row.days, row.of_ten, row.before or 0.0))])
    scale = altair.Scale(domain=[0, longest], nice=True)

    def x(field: str) -> Any:
        return altair.X(f"{field}:Q", title=title or None, axis=axis, scale=scale)

    base = altair.Chart(altair.InlineData(values=values)).encode(y=y)
    layers: list[Any] = [
        base.mark_bar(color=ACCENT, height=14, yOffset=12, aria=False).encode(x=x("days")),
        base.mark_tick(color=INK, thickness=2, size=20, yOffset=12, aria=False).encode(x=x("of_ten")),
        base.transform_filter("isValid(datum.before)")
        .mark_tick(color=_BEFORE, thickness=3, size=14, yOffset=12, aria=False)
        .encode(x=x("before")),
        base.mark_text(color=INK, align="left", baseline="middle", dy=-10, fontSize=12, aria=False).encode(
            x=altair.value(2), text="says:N"
        ),
    ]
    return altair.layer(*layers).properties(width=_WIDTH, height=_ROW * max(1, len(rows)))


def _lost(values: list[dict[str, object]]) -> Any:
    """Of each type a bar of all its time, in pieces by whom it waited for."""
    import altair  # noqa: PLC0415  as above

    used = [holder for holder in Holder if any(one["holder"] == holder for one in values)]
    scale = altair.Scale(domain=[*map(str, used)], range=[_COLOURS[one] for one in used])
    x: Any = altair.X("share:Q", title="waited for", stack="normalize", axis=altair.Axis(format="%"))
    y: Any = altair.Y("of:N", title=None, sort=None)
    colour: Any = altair.Color("holder:N", title=None, scale=scale, legend=altair.Legend(orient="bottom"))
    order: Any = altair.Order("order:Q")
    chart = altair.Chart(altair.InlineData(values=values)).mark_bar()
    return chart.encode(x=x, y=y, color=colour, order=order).properties(width=_WIDTH)
