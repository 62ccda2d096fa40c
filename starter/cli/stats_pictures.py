"""The figures of `stats` as pictures: bars, for each kind or stage one."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from starter.queries.drawing import picture_file
from starter.queries.stats import CUSTOMER, US, OnboardingStats, PushStats, StageStats

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
