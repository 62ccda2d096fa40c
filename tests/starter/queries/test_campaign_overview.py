"""What `campaign show` says: how far it is, whose people are missing, where it leads; on one screen."""

import io
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from activities.records.outcomes import MemberOutcome, MemberStatus, OutcomeTally
from starter.cli import tables
from starter.cli.tables import of_list
from starter.cli.terminal import Terminal
from starter.queries.campaign import CampaignOverview, overview
from starter.queries.lists import RequestLine
from tests.lines import counted, curve, tally
from tests.starter.queries.test_campaign_curve import OPENS, day, some_lines, some_show
from tests.starter.queries.test_campaign_report import make_outcomes_of_all_kinds
from workflows.campaign.view import details, how_far
from workflows.follow_up.view import stamp
from workflows.kinds import Kind
from workflows.model.campaign import Counts
from workflows.model.timeline import EventType, TimelineEntry
from workflows.model.views import Attention, AttentionCode, NextAction, NextStep

NOW = day(9)


def make_overview(lines: Iterable[MemberOutcome], **overrides: object) -> CampaignOverview:
    """An open campaign with these lines, on its ninth day."""
    lines = list(lines)
    view = some_show().replace(counts=counted(lines), counted_at=NOW, **overrides)
    assert view.closes_at is not None
    return overview(view, tally(lines), curve(lines, view.opens_at, view.closes_at, NOW))


def print_overview(
    view: CampaignOverview, *, terminal: bool = True, width: int = 80, show_all: bool = False
) -> list[str]:
    """The lines on a terminal."""
    console = Terminal(
        file=io.StringIO(), width=width, force_terminal=terminal, color_system=None, zone=UTC, now=NOW, highlight=False
    )
    console.show(tables.of_shown(view, in_full=show_all))
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def make_outcomes(
    department: str, manager: str, acknowledged_count: int, waiting: int, exempt_count: int = 0
) -> list[MemberOutcome]:
    """So many people of one department and manager who have acknowledged, who are waited for, and who are exempt."""
    standings = (
        [MemberStatus.ACKNOWLEDGED] * acknowledged_count
        + [MemberStatus.TOLD] * waiting
        + [MemberStatus.EXEMPT] * exempt_count
    )
    return [
        MemberOutcome(row, f"{manager}{row}", "", status, department=department, manager=manager)
        for row, status in enumerate(standings)
    ]


def make_ordinary_overview() -> CampaignOverview:
    """Everything that an ordinary one has to say at once."""
    entries = [
        TimelineEntry(at=day(number), happened=EventType.WALKED_START, about="10000", who=None) for number in range(12)
    ]
    attention = Attention(
        code=AttentionCode.NOT_ASKED,
        since=day(1),
        says="12 could not be asked: `campaign report` says why, `campaign retry --failed` tries again",
    )
    rare = (
        MemberStatus.CANCELLED,
        MemberStatus.DROPPED,
        MemberStatus.NOT_STARTED,
        MemberStatus.NOT_TOLD,
        MemberStatus.FAILED,
    )
    lines = [
        line._replace(status=MemberStatus.TOLD) if line.status in rare else line
        for line in make_outcomes_of_all_kinds(10_000)
    ]
    return make_overview(
        lines,
        version="2026.1",
        effective=OPENS.date(),
        approver="chair",
        says=f"1,529 of 8,503 have acknowledged; open until {day(20):%a %d %b %Y}",
        next=NextAction(
            what=NextStep.WAIT, at=day(10), why="the daily look: who joined, who left, who is still to acknowledge"
        ),
        timeline=tuple(entries),
        attention=(attention,),
    )


def test_an_ordinary_campaign_takes_one_screen() -> None:
    lines = print_overview(make_ordinary_overview())
    assert len(lines) <= tables.SCREEN - 1, "\n".join(lines)  # a line is for the address of the Web UI
    assert max(map(len, lines)) <= 80


def test_it_says_how_far_it_is_and_how_many_stand_how() -> None:
    output = "\n".join(
        print_overview(make_overview([*some_lines([1, 2, 8], 1), MemberOutcome(1, "x", "", MemberStatus.DECLINED)]))
    )
    assert "progress  ████████████░░░░░░░░ 60 %, 3 of 5" in output
    assert "people    1 asked, 3 acknowledged, 1 declined" in output


def test_a_document_that_is_not_in_force_yet_is_not_said_to_be() -> None:
    output = "\n".join(print_overview(make_overview([], effective=NOW.date() + timedelta(days=3))))
    assert "Code of conduct, in force from 2026-12-13" in output


def test_everywhere_that_people_look_it_has_the_same_last_day() -> None:
    """Not the instant at which that day is over everywhere on earth, which is on the next one."""
    view, over_at = make_overview(some_lines([1], 1), due_at=day(15).replace(hour=12)), "2026-12-16T12:00:00+00:00"
    assert "last day 2026-12-15, late until 2026-12-21" in " ".join("\n".join(print_overview(view, width=200)).split())
    detail_text = details(view, "default", "acknowledgement-campaign:conduct")
    assert "- last day 2026-12-15\n" in detail_text and "16 Dec" not in detail_text
    assert f"- as of {stamp(NOW)}\n" in detail_text, "the details are as old as the last look"
    line = RequestLine(
        id="conduct", kind="k", status="open", due_at=over_at, workflow_id=Kind.CAMPAIGN.workflow_id("conduct")
    )
    assert line.last_day == view.due
    assert line.replace(workflow_id=Kind.REQUEST.workflow_id("conduct")).last_day is None
    listed = Terminal(file=io.StringIO(), width=120, zone=UTC, now=NOW)
    listed.show(of_list([line], Kind.CAMPAIGN))
    assert isinstance(listed.file, io.StringIO)
    assert "2026-12-15" in (table := listed.file.getvalue()) and "2026-12-16" not in table


def test_who_was_asked_since_the_last_look_is_not_said_to_be_told_nothing() -> None:
    """The details are made when the campaign wakes, which is once a day; the opening wave is faster than that."""
    opened = make_overview(some_lines([1], 1)).replace(counts=Counts(not_told=7, errors=1), asked=7)
    detail_text = details(opened, "default", "acknowledgement-campaign:conduct")
    assert "- asked: 7; how each stands is counted once a day" in detail_text and "not told" not in detail_text
    opening = details(opened.replace(asked=0), "default", "acknowledgement-campaign:conduct")
    assert "- not asked yet: 7\n" in opening and "- in wrong rows: 1\n" in opening


def test_nobody_is_said_to_be_through_before_the_last_one_is() -> None:
    lines = some_lines([1] * 999, 1)
    assert "99 %, 999 of 1,000" in "\n".join(print_overview(make_overview(lines)))


def test_those_with_most_missing_come_first_and_the_others_are_counted() -> None:
    lines = [
        *make_outcomes("sales", "ada", 5, 1),
        *make_outcomes("legal", "bo", 0, 4),
        *make_outcomes("it", "cas", 90, 9),
        *make_outcomes("hr", "dee", 3, 0, 4),
    ]
    lines += [*make_outcomes("ops", "eva", 1, 2), *make_outcomes("law", "fay", 1, 2)]
    view = make_overview(lines)
    assert [(department.name, department.missing) for department in view.departments] == [
        ("it", 9),
        ("legal", 4),
        ("law", 2),
        ("ops", 2),
        ("sales", 1),
        ("hr", 0),
    ]
    output_lines = print_overview(view)
    table_start = next(number for number, line in enumerate(output_lines) if line.startswith("department"))
    assert [line.split() for line in output_lines[table_start : table_start + 5]] == [
        ["department", "open", "of", "manager", "open", "of"],
        ["it", "9", "99", "cas", "9", "99"],
        ["legal", "4", "4", "bo", "4", "4"],
        ["law", "2", "3", "eva", "2", "3"],
        ["and", "2", "more", "and", "2", "more"],
    ]
    assert "sales" in "\n".join(print_overview(view, show_all=True))


def test_whoever_need_not_and_rows_that_are_wrong_are_not_missing() -> None:
    wrong = [MemberOutcome(row, f"x{row}", "", MemberStatus.ERROR) for row in range(5)]
    view = make_overview(
        [*make_outcomes("sales", "ada", 1, 1, exempt_count=2), *make_outcomes("hr", "bo", 0, 0, exempt_count=1), *wrong]
    )
    assert [(department.name, department.missing) for department in view.departments] == [
        ("sales", 1),
        ("", 0),
        ("hr", 0),
    ]
    output = "\n".join(print_overview(view))
    assert "50 %, 1 of 2" in output and "5 in wrong rows" in output
    assert (
        (desk := counted([*make_outcomes("sales", "ada", 1, 0, exempt_count=2), *wrong])).done_count
        == desk.required_count
        == 1
    )
    assert "0 of 0" in "\n".join(print_overview(make_overview(wrong)))


def test_where_nobody_has_a_department_there_is_no_table_of_them() -> None:
    lines = [line._replace(manager="chair") for line in some_lines([1, 2], 5)]
    output = "\n".join(print_overview(make_overview(lines)))
    assert "department" not in output
    assert "manager" in output
    assert "manager" not in "\n".join(print_overview(make_overview(some_lines([1, 2], 0))))


def test_programs_read_one_row_a_line() -> None:
    output_lines = print_overview(make_ordinary_overview(), terminal=False)
    assert "progress\t███░░░░░░░░░░░░░░░░░ 17 %, 1,529 of 8,503" in output_lines
    assert "manager\topen\tof" in output_lines
    assert not [line for line in output_lines if line.startswith("department ") and "\t" not in line]


@pytest.mark.parametrize("width", [40, 45])
def test_on_a_narrow_terminal_the_tables_stand_below_each_other(width: int) -> None:
    output_lines = print_overview(make_ordinary_overview(), width=width)
    assert not [line for line in output_lines if "department" in line and "manager" in line]
    assert max(map(len, output_lines)) <= width


def test_it_says_where_the_line_leads() -> None:
    slow = "\n".join(print_overview(make_overview(some_lines([0.5 + n / 10 for n in range(50)], 50))))
    assert "forecast  at this pace about 21 will not have acknowledged at the close" in slow
    quick = "\n".join(print_overview(make_overview(some_lines([2.1 + n / 100 for n in range(600)], 1))))
    assert "forecast  at this pace everybody by Fri 11 Dec 2026" in quick


def test_what_has_ended_has_no_forecast() -> None:
    assert curve(some_lines([1, 2, 3], 5), OPENS, day(21), None).forecast is None
    assert make_overview(some_lines([1, 2, 3], 5)).forecast is not None


def test_before_anybody_was_asked_there_is_nothing_to_count() -> None:
    output = "\n".join(
        print_overview(overview(some_show().replace(counts=Counts(), opens_at=NOW + timedelta(days=3)), OutcomeTally()))
    )
    assert "window" in output
    assert "progress" not in output and "forecast" not in output


@pytest.mark.parametrize("zone", ["Pacific/Auckland", "UTC", "Pacific/Honolulu"])
def test_its_last_days_are_the_same_days_for_every_reader(zone: str) -> None:
    due, over_at, late = datetime(2026, 12, 12, tzinfo=UTC), datetime(2026, 12, 13, 12, tzinfo=UTC), timedelta(days=7)
    campaign_view = some_show().replace(
        due=due.date(), due_at=over_at, closes_at=over_at + late, says=how_far(Counts(), over_at + late)
    )
    line = RequestLine(
        id=campaign_view.id,
        kind="nda",
        status="open",
        due_at=over_at,
        workflow_id=Kind.CAMPAIGN.workflow_id(campaign_view.id),
    )
    for view in (tables.of_shown(campaign_view), of_list([line], Kind.CAMPAIGN)):
        paper = io.StringIO()
        Terminal(file=paper, width=80, force_terminal=True, color_system=None, zone=ZoneInfo(zone), now=NOW).show(view)
        assert "2026-12-12" in paper.getvalue()
        assert "13 Dec" not in paper.getvalue() and "20 Dec" not in paper.getvalue()
    assert "open until Sat 19 Dec 2026" in campaign_view.says
