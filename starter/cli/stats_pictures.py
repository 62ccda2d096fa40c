"""From push to opened to done as a picture, kind by kind: SVG that is drawn by Vega in this process."""

from typing import Any, Final
from xml.etree.ElementTree import Element, SubElement, tostring

from starter.plan.picture import STYLE
from starter.queries.stats import CUSTOMER, US, OnboardingStats, PushStats, StageStats

KINDS_DRAWN_AT_MOST: Final = 20
_PUSH_WIDTH: Final = 560
_PIECES: Final = ("until opened", "until done")


def push_picture(found: PushStats) -> bytes:
    """The medians, in hours: a bar for each kind, of two pieces. Takes a second the first time in a process."""
    import altair  # noqa: PLC0415  heavy: whoever draws nothing does not wait for it
    import vl_convert  # noqa: PLC0415  as above

    values = list(_values(found))
    title = f"From push to done: {found.ended:,} ended, {found.waiting:,} waiting"
    x: Any = altair.X("hours:Q", title="hours, medians", stack="zero")
    y: Any = altair.Y("kind:N", title=None, sort=[one.kind for one in found.kinds])
    scale = altair.Scale(domain=list(_PIECES), range=["#d98a00", "#2f7ed8"])
    colour: Any = altair.Color("piece:N", title=None, scale=scale, legend=altair.Legend(orient="bottom"))
    order: Any = altair.Order("order:Q")
    chart = altair.Chart(altair.InlineData(values=values)).mark_bar().encode(x=x, y=y, color=colour, order=order)
    sized = chart.properties(width=_PUSH_WIDTH, title=title, background="white")
    drawn: str = vl_convert.vegalite_to_svg(sized.to_dict(), allowed_base_urls=[])
    return drawn.encode()


def _values(found: PushStats) -> list[dict[str, object]]:
    times = (
        (one.kind, (one.to_open_seconds, one.opened_to_acted_seconds)) for one in found.kinds[:KINDS_DRAWN_AT_MOST]
    )
    return [
        {"kind": kind, "piece": piece, "order": order, "hours": round(seconds / 3600, 3)}
        for kind, pieces in times
        for order, (piece, seconds) in enumerate(zip(_PIECES, pieces, strict=True))
        if seconds is not None
    ]


STAGES_DRAWN_AT_MOST: Final = 50
_MARGIN: Final = 24
_STAGES_WIDTH: Final = 900
_NAMES: Final = 220
_ROW: Final = 44
_BAR: Final = 20
_CUSTOMER, _US = "#2f7ed8", "#7c8794"
_TEAMS: Final = ("#d98a00", "#8a63d2", "#c2337f", "#2f9e6e", "#b0603a")


def stages_picture(found: OnboardingStats) -> bytes:
    """The figures as SVG, dark where it is night; all that is drawn is said for those who hear it, too."""
    return _Picture(found).drawn()


def long(seconds: float) -> str:
    """A time in words: `3 d 4 h`, `5 h 10 min`, `2 min`."""
    minutes = round(seconds / 60)
    days, hours, minutes = minutes // 1440, minutes % 1440 // 60, minutes % 60
    pieces = [f"{days} d" * bool(days), f"{hours} h" * bool(hours), f"{minutes} min" * (not days and bool(minutes))]
    return " ".join(filter(None, pieces)) or "0 min"


def lost_words(stage: StageStats) -> str:
    """`customer 70 %, operations 30 %`."""
    return ", ".join(f"{one.who} {one.share:.0%}".replace("%", " %") for one in stage.lost)


class _Picture:
    def __init__(self, found: OnboardingStats) -> None:
        self._stages = found.stages[:STAGES_DRAWN_AT_MOST]
        self._longest = max((one.median_seconds for one in self._stages), default=0) or 1.0
        self._svg = Element("svg", {"role": "img", "aria-labelledby": "title says"}, xmlns="http://www.w3.org/2000/svg")
        self._title = f"The median of {found.onboardings:,} onboardings, stage by stage"
        teams = dict.fromkeys(one.who for stage in self._stages for one in stage.lost if one.who not in (CUSTOMER, US))
        self._colours = (
            {CUSTOMER: _CUSTOMER} | {who: _TEAMS[n % len(_TEAMS)] for n, who in enumerate(teams)} | {US: _US}
        )

    def drawn(self) -> bytes:
        height = 2 * _MARGIN + (len(self._stages) + 2) * _ROW
        SubElement(self._svg, "title", id="title").text = self._title
        said = (f"{one.name}: {long(one.median_seconds)}, {lost_words(one)}" for one in self._stages)
        SubElement(self._svg, "desc", id="says").text = "\n".join(said)
        SubElement(self._svg, "style").text = STYLE
        self._box("paper", 0, 0, "100%", "100%")
        self._text(self._title, "title", _MARGIN, _MARGIN + 20)
        for number, stage in enumerate(self._stages, start=1):
            self._bar(stage, _MARGIN + number * _ROW)
        self._legend(_MARGIN + (len(self._stages) + 1) * _ROW)
        for name, value in (("viewBox", f"0 0 {_STAGES_WIDTH} {height}"), ("width", _STAGES_WIDTH), ("height", height)):
            self._svg.set(name, str(value))
        drawn: bytes = tostring(self._svg, encoding="utf-8", xml_declaration=True)
        return drawn

    def _bar(self, stage: StageStats, y: float) -> None:
        x, room = float(_MARGIN + _NAMES), _STAGES_WIDTH - 2 * _MARGIN - _NAMES - 110
        self._text(stage.name if len(stage.name) <= 30 else f"{stage.name[:29]}…", "strong", _MARGIN, y + 15)
        for one in stage.lost:
            width = round(room * stage.median_seconds / self._longest * one.share, 1)
            box = self._box("", x, y, width, _BAR)
            box.set("fill", self._colours[one.who])
            SubElement(box, "title").text = f"{one.who}: {one.share:.0%} of {stage.name}"
            x += width
        self._text(long(stage.median_seconds), "quiet", x + 8, y + 15)

    def _legend(self, y: float) -> None:
        for number, (who, colour) in enumerate(self._colours.items()):
            self._box("", _MARGIN + number * 130, y, 4, 14).set("fill", colour)
            self._text(who, "quiet", _MARGIN + number * 130 + 10, y + 12)

    def _text(self, says: str, how: str, x: float, y: float) -> None:
        SubElement(self._svg, "text", {"class": how}, x=str(x), y=str(y)).text = says

    def _box(self, how: str, x: float, y: float, width: float | str, height: float | str) -> Element:
        size = {"x": str(x), "y": str(y), "width": str(width), "height": str(height)}
        return SubElement(self._svg, "rect", {"class": how, **size})
