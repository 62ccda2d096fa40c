"""Signers without a phone are reminded by a mail to all whose turn it is: at what time, and what if there is none."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from activities.schedule.planner import PolicyPlanner
from activities.schedule.turn import by_day
from tests.activities.book import Book, make_person, planning
from workflows.model.policy import Policy, Reminders
from workflows.model.schedule import ActionType, PlanningInput, Reason, Schedule, ScheduledAction

LA, KOLKATA = "America/Los_Angeles", "Asia/Kolkata"
MORNING = datetime(2026, 11, 2, 17, tzinfo=UTC)
"""Monday, 09:00 in Los Angeles and 22:30 in Kolkata."""
DAY = timedelta(days=1)
WORKING = Policy(window="10d", hours="working", reminders=Reminders(first="2d", every="2d", most=4), escalation=None)


def make_book(*other_zones: tuple[str, str]) -> Book:
    zones = {"west": LA, "east": KOLKATA, **dict(other_zones)}
    return Book(make_person("requester"), *(make_person(id, zone, devices=()) for id, zone in zones.items()))


def make_planning(policy: Policy, *people: str, heard: datetime = MORNING) -> PlanningInput:
    planning_input = planning(policy, signers=people, turns=dict.fromkeys(people, MORNING))
    turns = tuple(turn.replace(heard_at=heard) for turn in planning_input.turns)
    return planning_input.replace(window_from=MORNING, now=MORNING, turns=turns)


def list_nudges(agenda: Schedule) -> list[ScheduledAction]:
    return [action for action in agenda.actions if action.kind in (ActionType.REMIND, ActionType.WARN)]


@pytest.mark.parametrize("hours", ["working", "any"])
async def test_los_angeles_and_kolkata_are_reminded_when_the_other_is_awake(hours: str) -> None:
    agenda = await PolicyPlanner(make_book()).plan(make_planning(WORKING.replace(hours=hours), "west", "east"))
    assert {action.person for action in list_nudges(agenda) if action.kind is ActionType.REMIND} == {"west", "east"}
    for nudge in list_nudges(agenda):
        assert by_day(ZoneInfo(KOLKATA if nudge.person == "west" else LA)).open_at(nudge.at), nudge
        assert not nudge.wakes_others
    assert [action.stage for action in agenda.dropped if action.suppressed is Reason.OTHERS_ASLEEP] == []
    assert any("whom Core Signature mails as well" in nudge.reason_text for nudge in list_nudges(agenda))


async def test_of_two_warnings_that_are_mailed_on_one_day_the_nearer_one_is_kept() -> None:
    """One comes a day sooner, when New York is awake; the other is moved from the night into the hours of that day."""
    sunday, due = datetime(2026, 11, 1, 6, tzinfo=UTC), datetime(2026, 11, 4, tzinfo=UTC)
    people = {"here": "Europe/Amsterdam", "there": "America/New_York"}
    two_coasts = Book(make_person("requester"), *(make_person(id, zone, devices=()) for id, zone in people.items()))
    asking = planning(
        WORKING.replace(reminders=None), signers=tuple(people), turns=dict.fromkeys(people, sunday), due=due
    )
    agenda = await PolicyPlanner(two_coasts).plan(asking.replace(window_from=sunday, now=sunday))
    warned = {
        action.stage: action.suppressed for action in (*agenda.actions, *agenda.dropped) if action.person == "here"
    }
    assert warned == {"warning-2d": Reason.TOO_SOON, "warning-1d": None}


async def test_a_moved_reminder_is_in_the_working_hours_of_whom_it_is_meant_for() -> None:
    agenda = await PolicyPlanner(make_book()).plan(make_planning(WORKING, "west", "east"))
    for nudge in list_nudges(agenda):
        if nudge.kind is ActionType.REMIND:
            local_time = nudge.at.astimezone(ZoneInfo(LA if nudge.person == "west" else KOLKATA))
            assert 9 <= local_time.hour < 18 and local_time.weekday() < 5, nudge


async def test_where_it_is_never_day_for_all_it_goes_out_all_the_same_and_says_so() -> None:
    people = make_book(("far", "Pacific/Auckland"), ("south", "America/Sao_Paulo"), ("north", "Europe/Moscow"))
    everybody = ("west", "east", "far", "south", "north")
    agenda = await PolicyPlanner(people).plan(make_planning(WORKING, *everybody))
    reminded = {action.person for action in list_nudges(agenda) if action.kind is ActionType.REMIND}
    assert reminded == set(everybody)
    waking = [nudge for nudge in list_nudges(agenda) if nudge.wakes_others]
    assert waking and all("although it may wake" in nudge.reason_text for nudge in waking)


async def test_who_heard_something_within_the_rhythm_wakes_nobody() -> None:
    people = make_book(("far", "Pacific/Auckland"), ("south", "America/Sao_Paulo"), ("north", "Europe/Moscow"))
    everybody = ("west", "east", "far", "south", "north")
    heard = MORNING + 2 * DAY
    agenda = await PolicyPlanner(people).plan(make_planning(WORKING, *everybody, heard=heard))
    first = [action for action in agenda.actions if action.stage == "reminder-1"]
    assert {nudge.person for nudge in first} == set(everybody)
    assert all(nudge.at >= heard + 2 * DAY for nudge in first), "one `every` after what they heard"
    assert all("at no time of theirs is it day for" in nudge.reason_text for nudge in first)


async def test_who_has_a_phone_is_reminded_at_their_own_time() -> None:
    phone = make_person("west", LA)
    people = Book(make_person("requester"), phone, make_person("east", KOLKATA, devices=()))
    agenda = await PolicyPlanner(people).plan(make_planning(WORKING, "west", "east"))
    first = next(action for action in agenda.actions if action.stage == "reminder-1" and action.person == "west")
    assert first.at.astimezone(ZoneInfo(LA)).hour == 9
    assert "Core Signature" not in first.reason_text


async def test_an_urgent_mail_waits_for_nobody() -> None:
    urgent = WORKING.replace(urgent=True, hours="any", reminders=Reminders(first="1h", every="2h", most=3))
    agenda = await PolicyPlanner(make_book()).plan(make_planning(urgent, "west", "east"))
    assert min(nudge.at for nudge in list_nudges(agenda)) == MORNING + timedelta(hours=1)


async def test_of_a_crowd_without_phones_the_reason_names_a_few() -> None:
    zones = (LA, KOLKATA, "Pacific/Auckland", "America/Sao_Paulo", "Europe/Moscow")
    crowd = {f"p{number}": zones[number % len(zones)] for number in range(30)}
    people = Book(make_person("requester"), *(make_person(id, zone, devices=()) for id, zone in crowd.items()))
    agenda = await PolicyPlanner(people).plan(make_planning(WORKING, *crowd))
    reasons = [nudge.reason_text for nudge in list_nudges(agenda) if nudge.wakes_others]
    assert all("although it may wake p" in reason and ", …; " in reason for reason in reasons)
    assert max(map(len, reasons)) < 300
