"""A plan to look at: a line a week for people, a calendar file for other calendars."""

from datetime import UTC, datetime, timedelta
from io import StringIO
from zoneinfo import ZoneInfo

from starter.plan.calendar import Branch, Plan, PlanLine
from starter.plan.ics import calendar_of
from starter.plan.weeks import WEEKS_AT_MOST, Picture
from starter.terminal import Terminal
from workflows.model.planning import Reason
from workflows.model.subject import Status

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
AMSTERDAM = ZoneInfo("Europe/Amsterdam")


def step(days: float, stage: str, to: str, why: str = "because", suppressed: Reason | None = None) -> PlanLine:
    at = NOW + timedelta(days=days)
    return PlanLine(
        at=at, local=at.isoformat(), zone="UTC", stage=stage, person=to, to=to, why=why, suppressed=suppressed
    )


def drawn(*steps: PlanLine, terminal: bool = True) -> list[str]:
    paper = StringIO()
    branch = Branch(says="nobody acts", outcome=Status.EXPIRED, lines=steps)
    Terminal(file=paper, force_terminal=terminal, width=80, color_system=None).show(Picture(branch, AMSTERDAM))
    return [line.rstrip() for line in paper.getvalue().splitlines()]


def plan(*steps: PlanLine) -> Plan:
    branch = Branch(says="nobody acts", outcome=Status.EXPIRED, lines=steps)
    due = NOW + timedelta(days=30)
    return Plan(
        id="msa-0042",
        kind="nda",
        document="NDA; a, b",
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
        step(4, "reminder-2", "anna", suppressed=Reason.SIGNED),
    )
    assert told == [
        "",
        "        Mon     Tue     Wed     Thu     Fri     Sat     Sun",
        "02 Nov  a!      ·       ·       ar be   ·       ·       ·",
        "09 Nov  ·       ·       ·       aw      ·       ·       ·",
        "a anna  b chair",
        "! ready  r reminder  w last warning  o overdue  e escalation  • told",
    ]


def test_a_program_gets_no_picture() -> None:
    assert drawn(step(0, "ready", "anna"), terminal=False) == []


def test_of_two_hundred_weeks_twenty_are_drawn_and_the_others_counted() -> None:
    told = drawn(*(step(7 * week, "reminder-1", "anna") for week in range(10 * WEEKS_AT_MOST)))
    assert len([line for line in told if "ar" in line[:12]]) == WEEKS_AT_MOST
    assert "and 180 more weeks" in told


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
