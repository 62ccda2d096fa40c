"""The report as one self-contained HTML page. Its one script sorts tables, and is optional; printed, it is A4."""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import UTC, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from babel.dates import format_skeleton
from babel.numbers import format_decimal
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from activities.people.language import Language, phrase
from starter.queries.campaign import Curve, Point
from starter.queries.campaign_report import CampaignReport
from starter.queries.drawing import ACCENT, INK, for_a_page, locale_of, svg_of
from workflows.model.campaign import Counts
from workflows.model.views import CampaignShow

if TYPE_CHECKING:
    import altair

_WIDTH, _HEIGHT = 640, 220
_DASHES: Final = [5, 4]
_ROW: Final = 24
"""As high as a word is on a phone."""
_DUE, _CLOSES = phrase("due"), phrase("closes")


def campaign_chart(
    shown: CampaignShow, curve: Curve | None, counts: Counts, *, language: Language | None = None
) -> str:
    """Acknowledgements over time as SVG, with a forecast while it is open; empty if nobody was asked yet. Takes a
    second the first time in a process, then a sixth of one: call it in a thread.
    """
    if curve is None or not counts.total:
        return ""
    language = language or Language.english()
    svg = svg_of(_chart(shown, curve, counts.wanted, language), locale_of(language))
    return for_a_page(svg, _heard(curve, counts.wanted, language))


def _chart(shown: CampaignShow, curve: Curve, people: int, language: Language) -> Any:
    import altair  # noqa: PLC0415  heavy: whoever draws nothing does not wait for it

    x: Any = altair.X("at:T", title=None, scale=altair.Scale(type="utc"), axis=altair.Axis(format="%d %b", tickCount=8))
    axis = altair.Axis(format=",d", tickMinStep=1, tickCount=5)
    scale = altair.Scale(domain=[0, people or 1], nice=False)
    # Not stacked: points of one instant are one step, and no sum.
    y: Any = altair.Y("done:Q", title=None, stack=None, scale=scale, axis=axis)

    def of(points: Iterable[Point]) -> "altair.Chart":
        values = [{"at": _instant(point.at), "done": round(point.done, 2)} for point in points]
        return altair.Chart(altair.InlineData(values=values)).encode(x=x, y=y)

    line = altair.OverlayMarkDef(color=ACCENT, strokeWidth=2)
    layers: list[Any] = [
        of(curve.points()).mark_area(interpolate="step-after", color=ACCENT, fillOpacity=0.18, line=line)
    ]
    if ahead := list(curve.ahead()):
        layers.append(of(ahead).mark_line(color=ACCENT, strokeDash=_DASHES))
    layers += _marks(shown, language, x)
    return altair.layer(*layers).properties(width=_WIDTH, height=_HEIGHT)


def _marks(shown: CampaignShow, language: Language, x: Any) -> Iterator["altair.Chart"]:
    # The last days, in time and late, below each other since they may coincide.
    import altair  # noqa: PLC0415  as above

    for row, (day, says) in enumerate(((shown.due, _DUE), (shown.last_day, _CLOSES))):
        words = f"{language.say(says)} {format_skeleton('MMMd', day, locale=language.locale)}"
        # On that day, not where it is over everywhere on earth, which is the day after.
        values = [{"at": _instant(datetime.combine(day, time(12), UTC)), "says": words}]
        mark = altair.Chart(altair.InlineData(values=values)).encode(x=x)
        yield mark.mark_rule(color=INK, strokeDash=_DASHES, opacity=0.6)
        yield mark.mark_text(color=INK, align="right", dx=-4).encode(text="says:N", y=altair.value(8 + _ROW * row))


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()


def _heard(curve: Curve, people: int, language: Language) -> str:
    done, of = (format_decimal(number, locale=language.locale) for number in (curve.done, people))
    return language.say("The line of acknowledgements over time: {done} of {people}", done=done, people=of)


_TEMPLATES: Final = Path(__file__).with_name("templates")
_EVERYBODY: Final = "<!-- everybody -->"
"""Where the rows of all members stand, which are written some at a time."""


async def pieces(report: CampaignReport) -> AsyncIterator[str]:
    """The page in pieces, so that a long one is never whole in memory."""
    style, script = ((_TEMPLATES / name).read_text() for name in ("report.css", "report.js"))
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"minute": _minute, "words": _words}
    chart = await asyncio.to_thread(campaign_chart, report.shown, report.curve, report.tally.counts)
    counts = report.tally.counts
    page = environment.get_template("report.html").render(
        report=report,
        counts=counts,
        head=report.head,
        standings=[name for name, count in counts if count],
        groups=[
            (what, groups)
            for what, groups in (("department", report.tally.departments), ("manager", report.tally.managers))
            if groups
        ],
        policy=f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'",
        # Our own markup, and Vega's drawing of numbers and our texts: must not be escaped.
        chart=Markup(chart),  # noqa: S704
        style=Markup(style),  # noqa: S704
        script=Markup(script),  # noqa: S704
        everybody=Markup(_EVERYBODY),  # noqa: S704
    )
    before, _, after = page.partition(_EVERYBODY)
    yield before
    rows = environment.get_template("report-rows.html")
    async for lines in report.batches():
        yield rows.render(lines=lines, names=report.names)
    yield after


def _minute(instant: str) -> str:
    """An instant of the record, in UTC, to the minute."""
    return instant[:16].replace("T", " ")


def _words(name: str) -> str:
    return name.replace("_", " ")


def _digest(content: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}"
