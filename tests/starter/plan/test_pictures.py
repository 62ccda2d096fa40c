"""A plan to look at: a line a week on a terminal, weeks of days as a picture, a calendar file for other calendars."""

import re
from datetime import UTC, datetime, timedelta
from io import StringIO
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import pytest
from cyclopts import CycloptsError

from starter.cli.app import app
from starter.cli.plan import of_plan
from starter.cli.terminal import Terminal
from starter.plan.calendar import Branch, PlanLine, RequestPlan
from starter.plan.picture import NOTICES_AT_MOST, WEEKS_AT_MOST, WeekPicture, calendar_of, plan_picture
from workflows.model.schedule import Reason
from workflows.model.subject import Status

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
AMSTERDAM = ZoneInfo("Europe/Amsterdam")
SVG = "{http://www.w3.org/2000/svg}"


def step(days: float, stage: str, to: str, why: str = "because", suppressed: Reason | None = None) -> PlanLine:
    at = NOW + timedelta(days=days)
    return PlanLine(
        at=at, local=at.isoformat(), zone="UTC", stage=stage, person=to, to=to, why=why, suppressed=suppressed
    )


def drawn(*steps: PlanLine, terminal: bool = True) -> list[str]:
    paper = StringIO()
    branch = Branch(says="nobody acts", outcome=Status.EXPIRED, lines=steps)
    Terminal(file=paper, force_terminal=terminal, width=80, color_system=None).show(WeekPicture(branch, AMSTERDAM))
    return [line.rstrip() for line in paper.getvalue().splitlines()]


def plan(*steps: PlanLine, document: str = "NDA; a, b") -> RequestPlan:
    branch = Branch(says="nobody acts", outcome=Status.EXPIRED, lines=steps)
    due = NOW + timedelta(days=30)
    return RequestPlan(
        id="msa-0042",
        kind="nda",
        document=document,
        at=NOW,
        due_at=due,
        closes_at=due,
        policy=(),
        branches=(branch,),
    )


def test_each_day_says_who_is_told_what_on_one_clock() -> None:
    told = drawn(
        step(0, "ready", "anna"),
        step(3, "reminder-1", "anna"),
        step(3, "escalation", "chair"),
        step(9.7, "warning-2d", "anna"),
        step(9.8, "signed", "anna"),
        step(4, "reminder-2", "anna", suppressed=Reason.SIGNED),
    )
    assert told == [
        "",
        "        Mon     Tue     Wed     Thu     Fri     Sat     Sun",
        "02 Nov  a!      ·       ·       ar be   ·       ·       ·",
        "09 Nov  ·       ·       ·       aw as   ·       ·       ·",
        "a anna  b chair",
        "! ready  r reminder  w last warning  o overdue  e escalation  s signed  • told",
    ]


def test_why_something_would_not_be_sent_is_said_in_words() -> None:
    paper = StringIO()
    Terminal(file=paper, width=200).show(of_plan(plan(step(4, "reminder-2", "anna", suppressed=Reason.TOO_SOON))))
    assert "not sent: they had heard of it shortly before; because" in paper.getvalue()
    assert "too_soon" not in paper.getvalue()


def test_a_program_gets_no_picture() -> None:
    assert drawn(step(0, "ready", "anna"), terminal=False) == []


def test_of_two_hundred_weeks_twenty_are_drawn_and_the_others_counted() -> None:
    told = drawn(*(step(7 * week, "reminder-1", "anna") for week in range(10 * WEEKS_AT_MOST)))
    assert len([line for line in told if "ar" in line[:12]]) == WEEKS_AT_MOST
    assert "and 180 more weeks" in told


def picture(*steps: PlanLine, document: str = "NDA") -> ElementTree.Element:
    return ElementTree.fromstring(plan_picture(plan(*steps, document=document), AMSTERDAM))  # noqa: S314  our own


def words(of: ElementTree.Element) -> list[str]:
    return ["".join(one.itertext()) for one in of.iter(f"{SVG}text")]


def below(found: ElementTree.Element, date: str) -> list[str]:
    """What is drawn in the column of a date, from there down."""
    texts = [(one.text or "", at) for one in found.iter(f"{SVG}text") if (at := place(one))]
    (column, top), *_ = (at for text, at in texts if text == date)
    return [text for text, (x, y) in sorted(texts, key=lambda one: one[1][1]) if text and x == column and y > top]


def place(text: ElementTree.Element) -> tuple[float, float] | None:
    found = re.fullmatch(r"translate\(([\d.]+),([\d.]+)\)", text.get("transform", ""))
    return (float(found[1]), float(found[2])) if found else None


def test_a_picture_says_on_each_day_who_is_told_what_and_when() -> None:
    steps = (
        step(0, "ready", "anna"),
        step(3, "reminder-1", "anna"),
        step(4, "reminder-2", "anna", "no", Reason.SIGNED),
    )
    found = picture(*steps)
    said = words(found)
    assert {
        "msa-0042: NDA (nda)",
        "if it were sent Mon 02 Nov 2026 10:00, due Wed 02 Dec 2026 10:00, times in CET",
        "If nobody acts: expired",
        "3 quiet weeks",
    } <= set(said)
    assert below(found, "02 Nov") == ["10:00 ready", "anna", "3 quiet weeks", "30 Nov"]
    assert below(found, "05 Nov") == ["10:00 reminder-1", "anna", "03 Dec"]
    assert below(found, "02 Dec") == ["due 10:00"]
    assert not any("reminder-2" in text for text in said)


def test_a_signature_is_given_by_somebody_and_no_notice_to_anybody() -> None:
    signed = step(1, "signed", "anna")
    assert "Tue 03 Nov 2026 10:00 signed by anna" in "".join(picture(signed).itertext())
    assert b"signed" not in calendar_of(plan(signed))


def test_whoever_cannot_see_the_picture_hears_all_of_it() -> None:
    found = picture(step(0, "ready", "anna"))
    assert (found.get("role"), found.get("aria-labelledby")) == ("img", "title says")
    assert found.findtext(f"{SVG}title") == "msa-0042: NDA (nda)"
    assert (found.findtext(f"{SVG}desc") or "").splitlines() == [
        "if it were sent Mon 02 Nov 2026 10:00, due Wed 02 Dec 2026 10:00, times in CET",
        "If nobody acts: expired",
        "Mon 02 Nov 2026 10:00 ready to anna: because",
    ]


def test_a_title_is_no_markup_of_the_picture() -> None:
    found = picture(document='</text><script>alert("1")</script>&')
    assert not list(found.iter(f"{SVG}script"))
    assert 'msa-0042: </text><script>alert("1")</script>& (nda)' in words(found)


def test_the_same_plan_is_the_same_picture() -> None:
    of = plan(step(0, "ready", "anna"))
    assert plan_picture(of, AMSTERDAM) == plan_picture(of, AMSTERDAM)


def test_of_a_crowded_day_and_of_a_plan_of_years_a_picture_counts_what_it_has_no_room_for() -> None:
    crowd = [step(0, "ready", f"person-{number}") for number in range(10 * NOTICES_AT_MOST)]
    years = [step(7 * week, "reminder-1", "anna") for week in range(1, 10 * WEEKS_AT_MOST)]
    said = words(picture(*crowd, *years))
    assert len([text for text in said if text.startswith("person-")]) == NOTICES_AT_MOST
    assert f"and {9 * NOTICES_AT_MOST} more" in said
    assert len([text for text in said if "reminder-1" in text]) == WEEKS_AT_MOST - 1
    assert f"and {9 * WEEKS_AT_MOST} more weeks" in said


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        (("--picture", "weeks.png"), "weeks.png does not end in .svg, and SVG is what is drawn"),
        (("--picture", "weeks.svg", "--against", "msa-0042"), "they have neither --ics nor --picture"),
    ],
)
def test_what_cannot_be_drawn_is_refused_before_anything_is_read(typed: tuple[str, ...], says: str) -> None:
    with pytest.raises(CycloptsError, match=says):
        app.parse_args(["request", "plan", "nowhere.yaml", *typed], print_error=False)


def test_a_calendar_has_an_event_for_each_notice_and_one_for_the_due_date() -> None:
    steps = (step(0, "ready", "anna", "it is, their turn"), step(4, "reminder-1", "anna", suppressed=Reason.SIGNED))
    told = calendar_of(plan(*steps)).decode().split("\r\n")
    assert told[0] == "BEGIN:VCALENDAR" and told[-2:] == ["END:VCALENDAR", ""]
    assert [line for line in told if line.startswith("SUMMARY")] == [
        "SUMMARY:msa-0042 ready: anna", "SUMMARY:msa-0042 due",
    ]  # fmt: skip
    assert "DTSTART:20261102T090000Z" in told
    assert "DESCRIPTION:it is\\, their turn" in told and "DESCRIPTION:NDA\\; a\\, b" in told


def test_a_calendar_that_is_imported_again_replaces_its_events() -> None:
    uids = [
        [line for line in calendar_of(plan(step(days, "ready", "anna"))).decode().split() if line.startswith("UID")]
        for days in (0, 5)
    ]
    assert uids[0] == uids[1]


def test_a_calendar_s_long_lines_are_folded_between_characters() -> None:
    why = "because Müller asked for it " * 40
    content = calendar_of(plan(step(0, "ready", "anna", why)))
    assert max(map(len, content.split(b"\r\n"))) <= 75
    assert f"DESCRIPTION:{why}" in content.decode().replace("\r\n ", "")
