"""From one reminder to the next: it counts from where the one before was placed, not from where it would have been."""

from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import pytest

from activities.people.person import Absence
from activities.schedule.planner import PolicyPlanner
from tests.activities.book import SINCE, Book, describe_dropped, lines, make_person, plan, planning
from workflows.model.policy import Escalation, Overdue, Policy, Reminders
from workflows.model.schedule import ActionType, LastReminder, Schedule, Snooze

DAY: Final = timedelta(days=1)
THURSDAY: Final = SINCE + 3 * DAY
"""09:00 in Amsterdam."""
QUIET: Final = Policy(hours="working", window="60d", warnings=(), escalation=None)


def make_rhythm(first: str, interval: str, limit: int = 4) -> Policy:
    return QUIET.replace(reminders=Reminders(first=first, every=interval, most=limit))


def make_book(**fields: Any) -> Book:
    return Book(make_person("requester"), make_person("signer", **fields))


def make_absence(begin: str, end: str) -> tuple[Absence, ...]:
    return (Absence.model_validate({"from": begin, "until": end}),)


def list_reminders(agenda: Schedule) -> list[str]:
    return [line.removesuffix(" signer") for line in lines(agenda) if line.endswith(" signer")]


async def test_a_reminder_moved_from_saturday_to_monday_is_followed_by_one_on_wednesday() -> None:
    agenda = await plan(make_rhythm("2d", "2d"), make_book(), turns={"signer": THURSDAY})
    assert list_reminders(agenda) == [
        "Mon 11-09 09:12 reminder-1",
        "Wed 11-11 09:12 reminder-2",
        "Fri 11-13 09:12 reminder-3",
        "Mon 11-16 09:12 reminder-4",
    ]
    assert agenda.actions[3].reason_text == (
        "reminder 4 of 4, every 2 days; moved from Sun 15 Nov 09:12 (Amsterdam); not a working day"
    )


async def test_a_reminder_comes_where_an_hour_is_left_and_not_where_less_is() -> None:
    first = (await plan(make_rhythm("1d", "1d", 1), make_book())).actions[0].at
    for time_left, expected_stages in ((timedelta(hours=1), ["reminder-1"]), (timedelta(minutes=59), [])):
        agenda = await plan(make_rhythm("1d", "1d", 1), make_book(), due=first + time_left)
        assert [action.stage for action in agenda.actions if action.kind is ActionType.REMIND] == expected_stages
        assert describe_dropped(agenda) == ([] if expected_stages else ["reminder-1 superseded"])


async def test_no_reminder_is_used_up_by_a_weekend() -> None:
    agenda = await plan(make_rhythm("1d", "1d", 3), make_book(), turns={"signer": THURSDAY + DAY})
    assert list_reminders(agenda) == [
        "Mon 11-09 09:12 reminder-1",
        "Tue 11-10 09:12 reminder-2",
        "Wed 11-11 09:12 reminder-3",
    ]
    assert agenda.dropped == ()


async def test_no_reminder_is_used_up_by_a_night() -> None:
    agenda = await plan(make_rhythm("4h", "4h"), make_book())
    assert list_reminders(agenda) == [
        "Mon 11-02 13:12 reminder-1",
        "Mon 11-02 17:12 reminder-2",
        "Tue 11-03 09:12 reminder-3",
        "Tue 11-03 13:12 reminder-4",
    ]


async def test_what_is_overdue_is_reminded_of_in_the_same_rhythm() -> None:
    late = QUIET.replace(reminders=None, grace="10d", overdue=Overdue(every="2d"))
    agenda = await plan(late, make_book(), due=date(2026, 11, 5))
    assert list_reminders(agenda) == [
        "Mon 11-09 09:12 overdue-1",
        "Wed 11-11 09:12 overdue-2",
        "Fri 11-13 09:12 overdue-3",
    ]


async def test_who_was_away_for_three_weeks_gets_all_reminders_one_by_one_when_they_are_back() -> None:
    agenda = await plan(make_rhythm("3d", "3d"), make_book(absent=make_absence("2026-11-04", "2026-11-25")))
    assert list_reminders(agenda) == [
        "Thu 11-26 09:12 reminder-1",
        "Mon 11-30 09:12 reminder-2",
        "Thu 12-03 09:12 reminder-3",
        "Mon 12-07 09:12 reminder-4",
    ]
    assert agenda.dropped == ()


async def test_an_absence_that_is_entered_meanwhile_moves_only_what_comes_after_it() -> None:
    schedule_before = await plan(make_rhythm("3d", "3d"), make_book())
    schedule_after = await plan(make_rhythm("3d", "3d"), make_book(absent=make_absence("2026-11-11", "2026-11-18")))
    assert (
        list_reminders(schedule_before)[:2]
        == list_reminders(schedule_after)[:2]
        == ["Thu 11-05 09:12 reminder-1", "Mon 11-09 09:12 reminder-2"]
    )
    assert list_reminders(schedule_after)[2:] == ["Thu 11-19 09:12 reminder-3", "Mon 11-23 09:12 reminder-4"]


@pytest.mark.parametrize("reminder_count", [0, 3, 48])
async def test_in_the_middle_of_a_life_the_rest_is_planned_as_it_was(reminder_count: int) -> None:
    crowd = tuple(f"signer-{number}" for number in range(100))
    planner = PolicyPlanner(Book(make_person("requester"), *map(make_person, crowd)))
    planning_input = planning(make_rhythm("1d", "1d", 50), signers=crowd, turns=dict.fromkeys(crowd, SINCE))
    calendar = await planner.calendar(planning_input.replace(due=SINCE + 100 * DAY))
    reminded = tuple(LastReminder(person=signer, number=reminder_count) for signer in crowd)
    planning_input = planning_input.replace(due=SINCE + 100 * DAY, now=SINCE + reminder_count * DAY, reminded=reminded)
    reminders_planned_anew = [
        action for action in (await planner.plan(planning_input)).actions if action.kind is ActionType.REMIND
    ]
    assert {reminder.stage for reminder in reminders_planned_anew} == {
        f"reminder-{reminder_count + 1}",
        f"reminder-{reminder_count + 2}",
    }
    assert {(reminder.person, reminder.stage, reminder.at) for reminder in reminders_planned_anew} <= {
        (action.person, action.stage, action.at) for action in calendar.actions
    }


@pytest.mark.parametrize("hours", ["working", "any"])
async def test_the_spread_over_minutes_does_not_add_up(hours: str) -> None:
    agenda = await plan(make_rhythm("1d", "1d", 30).replace(hours=hours), make_book())
    assert {line.split()[2] for line in list_reminders(agenda)} == {"09:12"}
    assert len(list_reminders(agenda)) == 30


async def test_nine_o_clock_stays_nine_o_clock_over_the_change_of_the_clocks() -> None:
    turn = datetime(2027, 3, 18, 8, tzinfo=UTC)
    agenda = await plan(make_rhythm("1d", "1w", 3), make_book(), turns={"signer": turn}, due=turn + 30 * DAY)
    assert list_reminders(agenda) == [
        "Fri 03-19 09:12 reminder-1",
        "Fri 03-26 09:12 reminder-2",
        "Fri 04-02 09:12 reminder-3",
    ]


async def test_reminders_that_a_not_now_silences_are_not_used_up() -> None:
    snoozed_until = datetime(2026, 11, 9, 12, tzinfo=UTC)
    planning_input = planning(make_rhythm("2d", "2d"), turns={"signer": THURSDAY})
    planning_input = planning_input.replace(snoozes=(Snooze(person="signer", until=snoozed_until, number=1),))
    agenda = await PolicyPlanner(make_book()).plan(planning_input)
    assert list_reminders(agenda) == [
        "Mon 11-09 13:00 snooze-1",
        "Wed 11-11 13:00 reminder-1",
        "Fri 11-13 13:00 reminder-2",
        "Mon 11-16 09:12 reminder-3",
        "Wed 11-18 09:12 reminder-4",
    ]
    assert describe_dropped(agenda) == []


async def test_a_not_now_does_not_move_the_reminders_that_came_before_it() -> None:
    snoozed_until = datetime(2026, 11, 11, 12, tzinfo=UTC)
    planning_input = planning(make_rhythm("2d", "2d"), turns={"signer": THURSDAY}).replace(now=THURSDAY + 4 * DAY)
    planning_input = planning_input.replace(reminded=(LastReminder(person="signer", number=1),))
    agenda = await PolicyPlanner(make_book()).plan(
        planning_input.replace(snoozes=(Snooze(person="signer", until=snoozed_until, number=1),))
    )
    assert list_reminders(agenda) == [
        "Wed 11-11 13:00 snooze-1",
        "Fri 11-13 13:00 reminder-2",
        "Mon 11-16 09:12 reminder-3",
        "Wed 11-18 09:12 reminder-4",
    ]
    assert describe_dropped(agenda) == ["reminder-1 snoozed"]


async def test_a_mail_that_waits_for_the_hours_of_others_is_what_the_next_counts_from() -> None:
    """The other works on Sunday, not on Friday: Friday's mail waits for Monday, when the next one was to come."""
    other_signer = make_person("other", "America/New_York", devices=(), days="sun-thu")
    directory = Book(make_person("requester"), make_person("signer", devices=()), other_signer)
    planning_input = planning(
        make_rhythm("1d", "3d", 3), signers=("signer", "other"), turns=dict.fromkeys(("signer", "other"), THURSDAY)
    )
    agenda = await PolicyPlanner(directory).plan(planning_input)
    assert list_reminders(agenda) == [
        "Mon 11-09 15:12 reminder-1",
        "Thu 11-12 15:12 reminder-2",
        "Mon 11-16 15:12 reminder-3",
    ]


REMINDED_BY_HAND: Final = datetime(2026, 11, 13, 10, tzinfo=UTC)
"""A day after the last of three reminders."""


async def test_nobody_is_escalated_before_one_every_after_a_reminder_that_somebody_asked_for() -> None:
    policy = make_rhythm("3d", "3d", 3).replace(escalation=Escalation(or_=None))
    directory = Book(make_person("requester"), make_person("signer", manager="manager"), make_person("manager"))
    planning_input = planning(policy).replace(now=REMINDED_BY_HAND, reminded=(LastReminder(person="signer", number=3),))
    schedule_before = await PolicyPlanner(directory).plan(planning_input)
    assert "Mon 11-16 09:12 escalation manager" in lines(schedule_before)
    turns = tuple(turn.replace(heard_at=REMINDED_BY_HAND) for turn in planning_input.turns)
    schedule_after = await PolicyPlanner(directory).plan(planning_input.replace(turns=turns))
    [escalation] = [action for action in schedule_after.actions if action.kind is ActionType.ESCALATE]
    assert escalation.at == datetime(2026, 11, 16, 10, tzinfo=UTC)
    assert escalation.reason_text.endswith("not before they have had 3 days since their last notice")


async def test_a_reminder_within_the_hour_of_one_that_somebody_asked_for_is_put_off_and_not_used_up() -> None:
    planning_input = planning(make_rhythm("3d", "3d", 3)).replace(now=THURSDAY, reminded=())
    turns = tuple(turn.replace(heard_at=THURSDAY - timedelta(minutes=20)) for turn in planning_input.turns)
    agenda = await PolicyPlanner(make_book()).plan(planning_input.replace(turns=turns))
    assert list_reminders(agenda) == [
        "Mon 11-09 09:12 reminder-1",
        "Thu 11-12 09:12 reminder-2",
        "Mon 11-16 09:12 reminder-3",
    ]


async def test_reminders_that_come_as_somebody_else_is_told_give_way_and_are_not_used_up() -> None:
    """At 60 % of the window it is one `every` since the second; the third would come in the same second."""
    policy = make_rhythm("3d", "3d", 4).replace(hours="any", window="12d", escalation=Escalation(after="60%", or_=None))
    directory = Book(make_person("requester"), make_person("signer", manager="manager"), make_person("manager"))
    assert lines(await PolicyPlanner(directory).plan(planning(policy)))[:-1] == [
        "Thu 11-05 09:12 reminder-1 signer",
        "Sun 11-08 09:12 reminder-2 signer",
        "Wed 11-11 09:12 escalation manager",
        "Wed 11-11 09:12 escalated signer",
        "Sat 11-14 09:12 reminder-3 signer",
    ]
