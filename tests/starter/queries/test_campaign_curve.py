"""How a campaign fills, where that leads, and the picture of it."""

import re
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from xml.etree.ElementTree import Element, fromstring

import pytest

from activities.people.language import LANGUAGES, Language
from activities.records.outcomes import MemberOutcome, MemberStatus
from activities.records.store import Store
from starter.boot import processes as modules
from starter.queries.campaign import POINTS_AT_MOST, Curve
from tests.lines import chart, curve, recorded
from workflows.model.subject import Status
from workflows.model.views import CampaignShow

OPENS = datetime(2026, 12, 1, 8, tzinfo=UTC)
PATH = "{http://www.w3.org/2000/svg}path"
CLOSES = OPENS + timedelta(days=21)


def day(number: float) -> datetime:
    return OPENS + timedelta(days=number)


def some_lines(signed: Sequence[float], waiting: int) -> list[MemberOutcome]:
    """Those who have acknowledged so many days after the opening, and those who have not."""
    acknowledged = [
        MemberOutcome(
            row, f"p{row}", f"conduct.p{row}", MemberStatus.ACKNOWLEDGED, signed_at=day(signed_day).isoformat()
        )
        for row, signed_day in enumerate(signed, start=1)
    ]
    return acknowledged + [MemberOutcome(0, f"w{row}", f"conduct.w{row}", MemberStatus.TOLD) for row in range(waiting)]


def make_curve(signed: Sequence[float], waiting: int, now: float | None = None) -> Curve:
    return curve(some_lines(signed, waiting), OPENS, CLOSES, None if now is None else day(now))


def some_show() -> CampaignShow:
    return CampaignShow(
        id="conduct",
        kind="policy-acknowledgement",
        status=Status.OPEN,
        title="Code of conduct",
        opens_at=OPENS,
        due=date(2026, 12, 15),
        due_at=day(14),
        closes_at=CLOSES,
    )


def test_who_halves_those_who_are_missing_each_week_leaves_a_quarter_in_two() -> None:
    forecast = make_curve([8, 9, 10, 11, 12, 13, 13, 13, 13, 13], waiting=10, now=14).forecast
    assert forecast is not None
    assert (forecast.missing, forecast.everybody_by) == (5, None)


def test_at_a_quick_pace_it_is_said_when_nobody_is_missing_any_more() -> None:
    forecast = make_curve([0.5 + n / 100 for n in range(90)], waiting=10, now=2).forecast
    assert forecast is not None and forecast.everybody_by is not None
    assert forecast.missing == 0
    # A tenth is left of them after two days: of ten people half a one after 1.3 times as long.
    assert day(4.5) < forecast.everybody_by < day(4.7)


def test_where_nobody_has_come_for_a_week_all_of_the_others_stay_missing() -> None:
    forecast = make_curve([1, 2, 3], waiting=7, now=14).forecast
    assert forecast is not None
    assert (forecast.missing, forecast.everybody_by) == (7, None)


@pytest.mark.parametrize(
    ("signed", "waiting", "now"),
    [
        ([0.1] * 50, 50, 0.9),
        ([0.1, 0.2], 50, 5),
        ([1, 2, 3], 0, 5),
        ([1, 2, 3], 50, 21),
        ([], 50, 5),
    ],
    ids=["the first day", "two people", "nobody is to come", "it is closed", "nobody has come"],
)
def test_there_is_no_forecast_before_there_is_something_to_go_by(signed: list[float], waiting: int, now: float) -> None:
    early_curve = make_curve(signed, waiting, now)
    assert early_curve.forecast is None
    assert list(early_curve.ahead()) == []


def test_the_line_goes_on_from_where_it_is_to_what_the_forecast_says() -> None:
    first, *_, last = make_curve([8, 9, 10, 11, 12, 13, 13, 13, 13, 13], waiting=10, now=14).ahead()
    assert (first.at, first.done_count) == (day(14), 10)
    assert (last.at, round(last.done_count)) == (CLOSES, 15)


async def test_of_many_acknowledgements_some_are_drawn_and_the_last_is_true(tmp_path: Path) -> None:
    count = 10 * POINTS_AT_MOST + 1
    lines = await recorded(Store(str(tmp_path)), some_lines([20 * n / count for n in range(count)], waiting=5))
    drawn = await Curve.from_tally(await lines.tally(), some_show(), CLOSES, None).drawn(lines)
    points = drawn.points()
    assert len(points) <= POINTS_AT_MOST + 2
    assert points[0] == (OPENS, 0) and points[-1] == (CLOSES, count)
    assert [point.done_count for point in points] == sorted(point.done_count for point in points)
    assert [point.at for point in points] == sorted(point.at for point in points)


def test_one_who_acknowledges_at_the_last_moment_is_in_the_line() -> None:
    points = make_curve([1, 22], waiting=0).points()
    assert [(point.at, point.done_count) for point in points[1:]] == [(day(1), 1), (day(22), 2), (day(22), 2)]


async def test_the_database_draws_the_line_that_the_lines_have(tmp_path: Path) -> None:
    lines = some_lines([1, 2, 2, 3, 5, 8, 13, 13.5], waiting=4)
    recorded_lines = await recorded(Store(str(tmp_path)), lines)
    drawn = await Curve.from_tally(await recorded_lines.tally(), some_show(), CLOSES, None).drawn(recorded_lines)
    assert drawn == curve(lines, OPENS, CLOSES, None)


def parse_chart(picture: str) -> Element:
    """The SVG; the table stands behind it."""
    return fromstring(f"<div>{picture}</div>")[0]  # noqa: S314  our own chart


def test_the_picture_is_the_same_for_the_same_lines_and_needs_nothing_beside_it() -> None:
    lines = some_lines([1, 2, 3, 5, 8, 13], waiting=4)
    picture = chart(some_show(), lines)
    assert picture == chart(some_show(), lines)
    svg = parse_chart(picture)
    assert svg.get("aria-label") == "The line of acknowledgements over time: 6 of 10"
    assert svg.get("role") == "img"
    texts = {text.text for text in svg.iter("{http://www.w3.org/2000/svg}text")}
    assert {"due 15 Dec", "closes 21 Dec", "10", "14 Dec"} <= texts
    assert '<th scope="row">14 Dec</th><td class="n">5</td>' in picture
    for outside in ("url(", "href=", "<style", "style=", "<script", "<image"):
        assert outside not in picture


@pytest.mark.long
def test_the_picture_is_the_same_in_any_process_wherever_it_runs() -> None:
    script = (
        "from tests.starter.queries.test_campaign_curve import *; "
        "print(chart(some_show(), some_lines([1, 2, 3], 4)), end='')"
    )
    elsewhere = subprocess.run(  # noqa: S603  our own interpreter
        [sys.executable, "-c", script],
        env={**modules.environment(), "TZ": "Asia/Kolkata", "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert elsewhere.stdout == chart(some_show(), some_lines([1, 2, 3], 4))


def test_those_who_acknowledge_at_one_instant_are_one_step_within_the_picture() -> None:
    svg = parse_chart(chart(some_show(), some_lines([5] * 500, waiting=500)))
    area = next(path for path in svg.iter(PATH) if path.get("fill-opacity"))
    heights = [float(number) for number in re.findall(r",(-?[\d.]+)", str(area.get("d")))]
    assert (min(heights), max(heights)) == (110, 220)


def test_a_living_campaign_has_its_forecast_in_the_picture_and_one_that_has_ended_does_not() -> None:
    lines = some_lines([1, 2, 3, 5, 8, 13], waiting=4)
    assert chart(some_show(), lines, now=day(14)).count("stroke-dasharray") == 1 + chart(some_show(), lines).count(
        "stroke-dasharray"
    )


@pytest.mark.parametrize("code", LANGUAGES)
def test_the_picture_speaks_the_language_of_its_page(code: str) -> None:
    language = Language.from_tag(code)
    picture = chart(some_show(), some_lines([1, 2, 3], waiting=4), language=language)
    svg = parse_chart(picture)
    texts = {text.text for text in svg.iter("{http://www.w3.org/2000/svg}text")}
    assert all(any(str(text).startswith(language.say(label)) for text in texts) for label in ("due", "closes"))
    assert any("Dez" in str(text) for text in texts) is (code == "de")


def test_last_days_that_are_one_and_the_same_are_told_one_below_the_other() -> None:
    view = some_show().replace(closes_at=datetime(2026, 12, 16, 12, tzinfo=UTC))
    svg = parse_chart(chart(view, some_lines([1, 2, 3], waiting=4)))
    places = {
        str(text.text): (float(text.get("x", "")), float(text.get("y", "")))
        for text in svg.iter("{http://www.w3.org/2000/svg}text")
    }
    due, closes = places["due 15 Dec"], places["closes 15 Dec"]
    assert due[0] == closes[0]
    assert closes[1] - due[1] >= 22


def test_where_nobody_was_asked_yet_nothing_is_drawn() -> None:
    assert chart(some_show(), []) == ""
