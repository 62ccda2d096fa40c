"""Working hours, holidays, absences, snoozes and urgency: who is nudged when, and why not."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from activities.people.person import Absence
from activities.schedule.planner import PolicyPlanner
from activities.schedule.turn import MOST_JITTER, jitter
from tests.activities.book import SINCE, Book, describe_dropped, lines, make_person, plan, planning
from workflows.model.policy import Escalation, EscalationAction, Policy, Reminders
from workflows.model.schedule import ActionType, Schedule, ScheduledAction, Snooze, Turn

WORKING = Policy(hours="working")
NUDGES_ONLY = Policy(hours="working", escalation=None)


def absent(begin: str, end: str) -> tuple[Absence, ...]:
    return (Absence.model_validate({"from": begin, "until": end}),)


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def make_book(signer: dict[str, Any] | None = None, manager: dict[str, Any] | None = None) -> Book:
    return Book(
        make_person("requester"),
        make_person("signer", **{"manager": "manager", "calendar": "NL", **(signer or {})}),
        make_person("manager", **{"calendar": "NL", **(manager or {})}),
        make_person("delegate"),
    )


def find_stage(agenda: Schedule, name: str) -> ScheduledAction:
    return next(action for action in (*agenda.actions, *agenda.dropped) if action.stage == name)


async def test_the_default_policy_in_working_hours() -> None:
    agenda = await plan(WORKING, make_book())
    assert lines(agenda) == [
        "Thu 11-05 09:12 reminder-1 signer",
        "Mon 11-09 09:12 reminder-2 signer",
        "Thu 11-12 09:12 reminder-3 signer",
        "Mon 11-16 09:12 reminder-4 signer",
        "Thu 11-19 09:12 escalation manager",
        "Thu 11-19 09:12 escalated signer",
        "Mon 11-30 17:48 warning-2d signer",
        "Tue 12-01 17:48 warning-1d signer",
        "Wed 12-02 18:00 expiry requester",
    ]
    assert find_stage(agenda, "reminder-2").reason_text == (
        "reminder 2 of 4, every 3 days; moved from Sun 08 Nov 09:12 (Amsterdam); not a working day"
    )


async def test_a_holiday_moves_reminders_and_says_so() -> None:
    easter = {"signer": datetime(2027, 3, 23, 12, tzinfo=UTC)}
    agenda = await plan(NUDGES_ONLY, make_book(), turns=easter, due=date(2027, 4, 30))
    assert lines(agenda)[0] == "Tue 03-30 09:12 reminder-1 signer"
    assert (
        "Fri 26 Mar 13:00 (Amsterdam); a public holiday (Good Friday)" in find_stage(agenda, "reminder-1").reason_text
    )


async def test_the_night_is_the_recipients() -> None:
    tokyo = make_book({"zone": "Asia/Tokyo", "calendar": "JP"})
    agenda = await plan(NUDGES_ONLY, tokyo, turns={"signer": SINCE + timedelta(hours=4)})
    assert lines(agenda, "Asia/Tokyo")[0] == "Fri 11-06 09:12 reminder-1 signer"


async def test_a_reminder_without_open_hours_before_the_due_date_is_dropped() -> None:
    policy = Policy(hours="working", reminders=Reminders(first="1d", most=1), warnings=(), escalation=None)
    agenda = await plan(policy, make_book(), turns={"signer": SINCE + timedelta(days=4)}, due=SINCE + timedelta(days=6))
    assert describe_dropped(agenda) == ["reminder-1 quiet_hours"]


@pytest.mark.parametrize(
    ("due", "expected"),
    [
        (date(2026, 12, 11), ["Wed 12-09 17:48 warning-2d signer", "Thu 12-10 17:48 warning-1d signer"]),
        (date(2026, 12, 15), ["Mon 12-14 17:48 warning-1d signer"]),
        (date(2026, 12, 14), ["Mon 12-14 09:12 warning-1d signer"]),
        (datetime(2026, 12, 14, 10, 10, tzinfo=UTC), ["Mon 12-14 09:00 warning-1d signer"]),
        (datetime(2026, 12, 14, 9, 59, tzinfo=UTC), ["Fri 12-11 09:12 warning-1d signer"]),
        (
            datetime(2026, 12, 11, 2, tzinfo=UTC),
            ["Wed 12-09 09:12 warning-2d signer", "Thu 12-10 09:12 warning-1d signer"],
        ),
        (
            datetime(2026, 12, 11, 21, tzinfo=UTC),
            ["Wed 12-09 17:48 warning-2d signer", "Thu 12-10 17:48 warning-1d signer"],
        ),
        (date(2026, 12, 28), ["Mon 12-28 09:12 warning-1d signer"]),
        (datetime(2026, 12, 28, 8, 30, tzinfo=UTC), ["Thu 12-24 09:12 warning-1d signer"]),
    ],
)
async def test_a_last_warning_of_a_day_off_comes_on_the_next_working_day_that_leaves_two_hours_else_before(
    due: date | datetime, expected: list[str]
) -> None:
    agenda = await plan(Policy(hours="working", reminders=None, escalation=None), make_book(), due=due)
    assert lines(agenda)[:-1] == expected
    assert len(agenda.actions) + len(agenda.dropped) == 3


@pytest.mark.parametrize(("apart", "suppressed"), [(59, ["warning-3h too_soon"]), (60, []), (61, [])])
async def test_of_two_warnings_an_hour_apart_both_come_and_of_two_that_are_nearer_one(
    apart: int, suppressed: list[str]
) -> None:
    policy = Policy(window="12h", urgent=True, reminders=None, escalation=None, warnings=("3h", f"{180 - apart}m"))
    night = datetime(2026, 11, 7, 21, tzinfo=UTC)
    planning_input = planning(policy, turns={"signer": night}).replace(window_from=night, now=night)
    agenda = await PolicyPlanner(make_book()).plan(planning_input)
    assert describe_dropped(agenda) == suppressed
    assert sum(action.kind is ActionType.WARN for action in agenda.actions) == 2 - len(suppressed)


async def test_a_warning_a_week_ahead_that_falls_on_a_holiday_comes_the_day_after_it() -> None:
    policy = Policy(hours="working", reminders=None, warnings=("1w",), escalation=None)
    agenda = await plan(policy, make_book(), due=date(2027, 1, 1))
    assert lines(agenda)[0] == "Mon 12-28 09:12 warning-1w signer"
    assert agenda.actions[0].reason_text == (
        "1 week before the due date; moved from Fri 25 Dec 18:00 (Amsterdam); a public holiday (Christmas Day)"
    )


async def test_a_warning_comes_on_a_day_off_when_no_working_day_was_left() -> None:
    friday_evening = {"signer": datetime(2026, 11, 6, 18, tzinfo=UTC)}
    policy = Policy(hours="working", reminders=None, warnings=("1d",), escalation=None)
    agenda = await plan(policy, make_book(), turns=friday_evening, due=datetime(2026, 11, 8, 18, tzinfo=UTC))
    assert lines(agenda)[0] == "Sat 11-07 18:48 warning-1d signer"


async def test_absence_moves_reminders_and_says_so() -> None:
    absent_book = make_book({"absent": absent("2026-11-04", "2026-11-11")})
    agenda = await plan(NUDGES_ONLY, absent_book)
    assert lines(agenda)[0] == "Thu 11-12 09:12 reminder-1 signer"
    assert describe_dropped(agenda) == []
    assert "they are absent" in find_stage(agenda, "reminder-1").reason_text


async def test_absence_to_the_end_drops_reminders_and_brings_warnings_forward() -> None:
    absent_book = make_book({"absent": absent("2026-11-10", "2026-12-24")})
    agenda = await plan(NUDGES_ONLY, absent_book)
    assert describe_dropped(agenda) == [
        "reminder-2 too_soon",
        "reminder-3 absent",
        "reminder-4 absent",
        "warning-2d too_soon",
    ]
    assert "Mon 11-09 09:12 warning-1d signer" in lines(agenda)


async def test_an_urgent_document_knows_no_quiet_hours_and_no_jitter() -> None:
    policy = Policy(
        window="12h",
        urgent=True,
        hours="working",
        reminders=Reminders(first="1h", every="2h", most=3),
        warnings=("2h",),
        escalation=Escalation(after="4h", or_="50%"),
    )
    saturday_night = datetime(2026, 11, 7, 21, tzinfo=UTC)
    planning_input = planning(policy, turns={"signer": saturday_night}).replace(
        window_from=saturday_night, now=saturday_night
    )
    assert lines(await PolicyPlanner(make_book()).plan(planning_input)) == [
        "Sat 11-07 23:00 reminder-1 signer",
        "Sun 11-08 01:00 reminder-2 signer",
        "Sun 11-08 02:00 escalation manager",
        "Sun 11-08 02:00 escalated signer",
        "Sun 11-08 03:00 reminder-3 signer",
        "Sun 11-08 08:00 warning-2h signer",
        "Sun 11-08 10:00 expiry requester",
    ]


async def test_an_urgent_document_of_somebody_absent_goes_up_at_once() -> None:
    absent_book = make_book({"absent": absent("2026-11-02", "2026-11-06")})
    agenda = await plan(Policy(window="12h", urgent=True, hours="any"), absent_book)
    escalation = find_stage(agenda, "escalation")
    assert (escalation.at, escalation.to, escalation.reason) == (SINCE, "manager", "absence")


async def test_a_snooze_silences_reminders_until_its_instant_and_then_reminds() -> None:
    snoozed_until = SINCE + timedelta(days=6, hours=10)
    snoozed = planning(NUDGES_ONLY).replace(snoozes=(Snooze(person="signer", until=snoozed_until, number=1),))
    agenda = await PolicyPlanner(make_book()).plan(snoozed)
    assert lines(agenda)[:3] == [
        "Sun 11-08 19:00 snooze-1 signer",
        "Thu 11-12 09:12 reminder-1 signer",
        "Mon 11-16 09:12 reminder-2 signer",
    ]
    assert describe_dropped(agenda) == []
    assert (
        "put off from Thu 05 Nov 09:12 (Amsterdam); they said not now" in find_stage(agenda, "reminder-1").reason_text
    )


async def test_of_two_snoozes_the_later_counts() -> None:
    snoozes = tuple(
        Snooze(person="signer", until=SINCE + timedelta(days=days), number=number) for number, days in ((1, 1), (2, 2))
    )
    agenda = await PolicyPlanner(make_book()).plan(planning(NUDGES_ONLY).replace(snoozes=snoozes))
    assert lines(agenda)[0] == "Wed 11-04 09:00 snooze-2 signer"
    assert describe_dropped(agenda) == ["snooze-1 snoozed"]


async def test_a_reminder_within_the_hour_of_a_snooze_comes_one_every_after_it_and_is_not_used_up() -> None:
    snooze = Snooze(person="signer", until=SINCE + timedelta(days=3, minutes=-30), number=1)
    agenda = await PolicyPlanner(make_book()).plan(planning(NUDGES_ONLY).replace(snoozes=(snooze,)))
    assert lines(agenda)[:2] == ["Thu 11-05 08:30 snooze-1 signer", "Mon 11-09 09:12 reminder-1 signer"]
    assert describe_dropped(agenda) == []


async def test_what_was_missed_at_night_is_held_until_morning() -> None:
    night = datetime(2026, 11, 8, 2, tzinfo=UTC)
    agenda = await PolicyPlanner(make_book()).plan(planning(WORKING).replace(now=night))
    assert find_stage(agenda, "reminder-1").held_until == datetime(2026, 11, 9, 8, tzinfo=UTC)
    assert find_stage(agenda, "reminder-2").held_until is None
    noon = await PolicyPlanner(make_book()).plan(planning(WORKING).replace(now=datetime(2026, 11, 9, 11, tzinfo=UTC)))
    assert all(action.held_until is None for action in noon.actions)


async def test_the_alternate_hears_in_their_own_hours() -> None:
    agenda = await plan(
        Policy(hours="working", escalation=Escalation(after="2d")), make_book(manager={"hours": "12:00-16:00"})
    )
    assert "Wed 11-04 12:12 escalation manager" in lines(agenda)


async def test_the_alternate_has_a_working_day_left() -> None:
    policy = Policy(hours="working", reminders=None, warnings=(), escalation=Escalation(after="90%", or_=None))
    agenda = await plan(policy, make_book(), due=date(2026, 11, 16))
    assert lines(agenda) == [
        "Mon 11-16 09:12 escalation manager",
        "Mon 11-16 09:12 escalated signer",
        "Mon 11-16 18:00 expiry requester",
    ]
    at_noon = await plan(policy, make_book(), due=datetime(2026, 11, 16, 12, tzinfo=UTC))
    assert lines(at_noon)[0] == "Fri 11-13 09:12 escalation manager"


async def test_without_a_working_day_left_the_last_occasion_counts() -> None:
    policy = Policy(hours="working", reminders=None, warnings=(), escalation=Escalation(after="60%", or_=None))
    agenda = await plan(policy, make_book(), due=SINCE + timedelta(hours=23))
    assert lines(agenda)[0] == "Mon 11-02 17:00 escalation manager"
    weekend = datetime(2026, 11, 7, 10, tzinfo=UTC)
    nobody_works = await plan(policy, make_book(), turns={"signer": weekend}, due=weekend + timedelta(hours=10))
    assert describe_dropped(nobody_works) == ["escalation quiet_hours"]


@pytest.mark.parametrize(
    ("due", "at_night", "held_until"),
    [
        ("2026-11-11 11:00", "2026-11-10 22:00", "2026-11-11 08:00"),
        ("2026-11-11 11:00", "2026-11-10 12:00", None),
        ("2026-11-10 12:00", "2026-11-09 22:00", "2026-11-10 08:00"),
    ],
)
async def test_an_escalation_moved_ahead_that_is_planned_late_waits_for_the_morning(
    due: str, at_night: str, held_until: str | None
) -> None:
    policy = Policy(hours="working", reminders=None, warnings=(), escalation=Escalation(after="90%", or_=None))
    planning_input = planning(policy, due=_instant(due)).replace(now=_instant(at_night))
    escalation = find_stage(await PolicyPlanner(make_book()).plan(planning_input), "escalation")
    assert "moved earlier" in escalation.reason_text
    assert escalation.at < planning_input.now
    assert escalation.held_until == (_instant(held_until) if held_until else None)


@pytest.mark.parametrize("action", list(EscalationAction))
async def test_an_absent_signer_with_a_stand_in_is_not_waited_for(action: EscalationAction) -> None:
    absent_book = make_book({"absent": absent("2026-11-01", "2026-11-20"), "delegate": "delegate"})
    agenda = await plan(Policy(hours="working", escalation=Escalation(action=action)), absent_book)
    escalation = find_stage(agenda, "escalation")
    assert lines(agenda)[0] == "Mon 11-02 09:12 escalation delegate"
    assert (escalation.action, escalation.reason) == (action, "absence")
    assert escalation.reason_text == "signer is absent; to delegate, the delegate of signer, who is absent"


async def test_an_absent_signer_without_a_stand_in_is_waited_for() -> None:
    agenda = await plan(WORKING, make_book({"absent": absent("2026-11-01", "2026-11-04")}))
    escalation = find_stage(agenda, "escalation")
    assert (escalation.to, escalation.reason) == ("manager", "escalation")
    assert "Thu 11-19 09:12 escalation manager" in lines(agenda)


async def test_telling_the_requester_hands_nothing_over() -> None:
    alone = Book(make_person("requester"), make_person("signer"))
    agenda = await plan(Policy(hours="working", escalation=Escalation(action=EscalationAction.REASSIGN)), alone)
    escalation = find_stage(agenda, "escalation")
    assert (escalation.to, escalation.action) == ("requester", EscalationAction.NOTIFY)


def test_the_jitter_is_fixed_per_request_and_person_and_spreads() -> None:
    jitters = [jitter("request", f"person-{number}") for number in range(10_000)]
    assert jitters == [jitter("request", f"person-{number}") for number in range(10_000)]
    assert max(jitters) <= MOST_JITTER
    assert max(jitters.count(spread) for spread in set(jitters)) < 50
    assert jitter("request", "person-1") != jitter("other", "person-1")


async def test_the_jitter_stays_inside_the_hours() -> None:
    brief_hours = make_book({"hours": "09:00-09:10"})
    agenda = await plan(NUDGES_ONLY, brief_hours)
    reminders = [action for action in agenda.actions if action.kind is ActionType.REMIND]
    assert {action.at.strftime("%H:%M") for action in reminders} == {"08:07"}


async def test_the_silent_signer_hears_of_the_alert_in_their_own_hours() -> None:
    policy = Policy(hours="working", reminders=None, warnings=(), escalation=Escalation(after="2d", or_=None))
    agenda = await plan(policy, make_book({"zone": "Asia/Tokyo", "calendar": None}))
    assert lines(agenda)[:2] == ["Wed 11-04 09:12 escalation manager", "Wed 11-04 09:12 escalated signer"]
    late = await plan(policy, make_book({"zone": "America/Los_Angeles", "calendar": None}))
    assert lines(late, "America/Los_Angeles")[:2] == [
        "Wed 11-04 00:12 escalation manager",
        "Wed 11-04 09:12 escalated signer",
    ]


async def test_clocks_that_stood_take_no_warning_away() -> None:
    due = SINCE + timedelta(days=10)
    stood = planning(WORKING, due=due).replace(
        turns=(Turn(person="signer", since=due + timedelta(days=1), came_at=SINCE),), now=due + timedelta(days=1)
    )
    agenda = await PolicyPlanner(make_book()).plan(stood)
    assert [action.stage for action in agenda.actions if action.kind is ActionType.WARN] == ["warning-2d", "warning-1d"]
