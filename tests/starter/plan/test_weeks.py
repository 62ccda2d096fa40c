"""The plan on a terminal: a line a week."""

from datetime import UTC, datetime, timedelta
from io import StringIO
from zoneinfo import ZoneInfo

from starter.cli.plan import of_plan
from starter.cli.terminal import Terminal
from starter.plan.calendar import Branch, PlanLine, RequestPlan
from starter.plan.weeks import WEEKS_AT_MOST, WeekCalendar
from workflows.model.messages import Message
from workflows.model.schedule import Reason
from workflows.model.subject import Status

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
AMSTERDAM = ZoneInfo("Europe/Amsterdam")


def step(days: float, stage: str, person: str, reason: str = "because", suppressed: Reason | None = None) -> PlanLine:
    instant = NOW + timedelta(days=days)
    reasons, local = (Message(code=reason),), instant.isoformat()
    return PlanLine(
        at=instant,
        local=local,
        zone="UTC",
        stage=stage,
        person=person,
        to=person,
        reasons=reasons,
        suppressed=suppressed,
    )


def draw_weeks(*steps: PlanLine, terminal: bool = True) -> list[str]:
    paper = StringIO()
    branch = Branch(says="nobody acts", outcome=Status.EXPIRED, lines=steps)
    Terminal(file=paper, force_terminal=terminal, width=80, color_system=None).show(WeekCalendar(branch, AMSTERDAM))
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
    lines = draw_weeks(
        step(0, "ready", "anna"),
        step(3, "reminder-1", "anna"),
        step(3, "escalation", "chair"),
        step(9.7, "warning-2d", "anna"),
        step(9.8, "signed", "anna"),
        step(4, "reminder-2", "anna", suppressed=Reason.SIGNED),
    )
    assert lines == [
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


def test_a_program_gets_no_calendar() -> None:
    assert draw_weeks(step(0, "ready", "anna"), terminal=False) == []


def test_of_two_hundred_weeks_twenty_are_drawn_and_the_others_counted() -> None:
    lines = draw_weeks(*(step(7 * week, "reminder-1", "anna") for week in range(10 * WEEKS_AT_MOST)))
    assert len([line for line in lines if "ar" in line[:12]]) == WEEKS_AT_MOST
    assert "and 180 more weeks" in lines
