"""From push to opened to done as a picture, kind by kind: SVG that is drawn by Vega in this process."""

from typing import Any, Final

from starter.push_stats import PushStats

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
