"""Signers without a phone are reminded by a mail to all whose turn it is: at what time, and what if there is none."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from activities.schedule.planner import PolicyPlanner
from activities.schedule.turn import by_day
from tests.activities.book import Book, planning, somebody
from workflows.model.policy import Policy, Reminders
from workflows.model.schedule import ActionType, PlanningInput, Reason, Schedule, ScheduledAction

LA, KOLKATA = "America/Los_Angeles", "Asia/Kolkata"
MORNING = datetime(2026, 11, 2, 17, tzinfo=UTC)
"""Monday, 09:00 in Los Angeles and 22:30 in Kolkata."""
DAY = timedelta(days=1)
WORKING = Policy(window="10d", hours="working", reminders=Reminders(first="2d", every="2d", most=4), escalation=None)


def book(*away: tuple[str, str]) -> Book:
    zones = {"west": LA, "east": KOLKATA, **dict(away)}
    return Book(somebody("requester"), *(somebody(id, zone, devices=()) for id, zone in zones.items()))


def asked(policy: Policy, *people: str, heard: datetime = MORNING) -> PlanningInput:
    found = planning(policy, signers=people, turns=dict.fromkeys(people, MORNING))
    turns = tuple(turn.replace(heard_at=heard) for turn in found.turns)
    return found.replace(window_from=MORNING, now=MORNING, turns=turns)


def nudges(agenda: Schedule) -> list[ScheduledAction]:
    return [one for one in agenda.actions if one.kind in (ActionType.REMIND, ActionType.WARN)]


@pytest.mark.parametrize("hours", ["working", "any"])
async def test_los_angeles_and_kolkata_are_reminded_when_the_other_is_awake(hours: str) -> None:
    agenda = await PolicyPlanner(book()).plan(asked(WORKING.replace(hours=hours), "west", "east"))
    assert {one.person for one in nudges(agenda) if one.kind is ActionType.REMIND} == {"west", "east"}
    for one in nudges(agenda):
        assert by_day(ZoneInfo(KOLKATA if one.person == "west" else LA)).open_at(one.at), one
        assert not one.wakes_others
    assert [one.stage for one in agenda.dropped if one.suppressed is Reason.OTHERS_ASLEEP] == []
    assert any("whom Core Signature mails as well" in one.why for one in nudges(agenda))


async def test_of_two_warnings_that_are_mailed_on_one_day_the_nearer_one_is_kept() -> None:
    """One comes a day sooner, when New York is awake; the other is moved from the night into the hours of that day."""
    sunday, due = datetime(2026, 11, 1, 6, tzinfo=UTC), datetime(2026, 11, 4, tzinfo=UTC)
    people = {"here": "Europe/Amsterdam", "there": "America/New_York"}
    there = Book(somebody("requester"), *(somebody(id, zone, devices=()) for id, zone in people.items()))
    asking = planning(
        WORKING.replace(reminders=None), signers=tuple(people), turns=dict.fromkeys(people, sunday), due=due
    )
    agenda = await PolicyPlanner(there).plan(asking.replace(window_from=sunday, now=sunday))
    warned = {one.stage: one.suppressed for one in (*agenda.actions, *agenda.dropped) if one.person == "here"}
    assert warned == {"warning-2d": Reason.TOO_SOON, "warning-1d": None}


async def test_a_moved_reminder_is_in_the_working_hours_of_whom_it_is_meant_for() -> None:
    agenda = await PolicyPlanner(book()).plan(asked(WORKING, "west", "east"))
    for one in nudges(agenda):
        if one.kind is ActionType.REMIND:
            here = one.at.astimezone(ZoneInfo(LA if one.person == "west" else KOLKATA))
            assert 9 <= here.hour < 18 and here.weekday() < 5, one


async def test_where_it_is_never_day_for_all_it_goes_out_all_the_same_and_says_so() -> None:
    people = book(("far", "Pacific/Auckland"), ("south", "America/Sao_Paulo"), ("north", "Europe/Moscow"))
    everybody = ("west", "east", "far", "south", "north")
    agenda = await PolicyPlanner(people).plan(asked(WORKING, *everybody))
    reminded = {one.person for one in nudges(agenda) if one.kind is ActionType.REMIND}
    assert reminded == set(everybody)
    waking = [one for one in nudges(agenda) if one.wakes_others]
    assert waking and all("although it may wake" in one.why for one in waking)


async def test_who_heard_something_within_the_rhythm_wakes_nobody() -> None:
    people = book(("far", "Pacific/Auckland"), ("south", "America/Sao_Paulo"), ("north", "Europe/Moscow"))
    everybody = ("west", "east", "far", "south", "north")
    heard = MORNING + 2 * DAY
    agenda = await PolicyPlanner(people).plan(asked(WORKING, *everybody, heard=heard))
    first = [one for one in agenda.actions if one.stage == "reminder-1"]
    assert {one.person for one in first} == set(everybody)
    assert all(one.at >= heard + 2 * DAY for one in first), "one `every` after what they heard"
    assert all("at no time of theirs is it day for" in one.why for one in first)


async def test_who_has_a_phone_is_reminded_at_their_own_time() -> None:
    phone = somebody("west", LA)
    people = Book(somebody("requester"), phone, somebody("east", KOLKATA, devices=()))
    agenda = await PolicyPlanner(people).plan(asked(WORKING, "west", "east"))
    first = next(one for one in agenda.actions if one.stage == "reminder-1" and one.person == "west")
    assert first.at.astimezone(ZoneInfo(LA)).hour == 9
    assert "Core Signature" not in first.why


async def test_an_urgent_mail_waits_for_nobody() -> None:
    urgent = WORKING.replace(urgent=True, hours="any", reminders=Reminders(first="1h", every="2h", most=3))
    agenda = await PolicyPlanner(book()).plan(asked(urgent, "west", "east"))
    assert min(one.at for one in nudges(agenda)) == MORNING + timedelta(hours=1)


async def test_of_a_crowd_without_phones_the_reason_names_a_few() -> None:
    zones = (LA, KOLKATA, "Pacific/Auckland", "America/Sao_Paulo", "Europe/Moscow")
    crowd = {f"p{number}": zones[number % len(zones)] for number in range(30)}
    people = Book(somebody("requester"), *(somebody(id, zone, devices=()) for id, zone in crowd.items()))
    agenda = await PolicyPlanner(people).plan(asked(WORKING, *crowd))
    reasons = [one.why for one in nudges(agenda) if one.wakes_others]
    assert all("although it may wake p" in one and ", …; " in one for one in reasons)
    assert max(map(len, reasons)) < 300
