"""Plans made late, after an outage or a pause, and notices that would come together."""

from datetime import UTC, datetime, timedelta

from activities.schedule.planner import PolicyPlanner
from tests.activities.book import BOOK, NEW_YORK, Book, make_person, planning
from workflows.model.policy import Escalation, EscalationAction, Policy, Reminders
from workflows.model.schedule import PlanningInput, Reason, Schedule, ScheduledAction, Snooze

WORKING = Policy(hours="working", escalation=None)
ALERTED = Policy(hours="working", reminders=None, warnings=(), escalation=Escalation(after="2d", or_=None))
FRIDAY_NIGHT = datetime(2026, 11, 6, 22, tzinfo=UTC)
SATURDAY = datetime(2026, 11, 7, 12, tzinfo=UTC)


async def plan(planning_input: PlanningInput, book: Book = BOOK) -> dict[str, ScheduledAction]:
    """What is planned or dropped for each stage."""
    agenda: Schedule = await PolicyPlanner(book).plan(planning_input)
    return {action.stage: action for action in (*agenda.actions, *agenda.dropped)}


async def test_what_was_missed_and_has_no_open_hours_left_wakes_nobody_but_for_a_last_warning() -> None:
    policy = Policy(hours="working", warnings=("1d",), reminders=Reminders(most=1), escalation=ALERTED.escalation)
    planned = await plan(planning(policy, due=SATURDAY).replace(now=FRIDAY_NIGHT))
    assert {stage: action.suppressed for stage, action in planned.items()} == {
        "reminder-1": Reason.QUIET_HOURS,
        "escalation": Reason.QUIET_HOURS,
        "warning-1d": None,
        "expiry": None,
    }


async def test_what_cannot_be_sent_before_the_last_hours_close_is_not_tried_beyond_them() -> None:
    friday = datetime(2026, 11, 6, 9, tzinfo=UTC)
    policy = Policy(hours="working", warnings=("1d",), reminders=Reminders(first="4d", most=1), escalation=None)
    planned = await plan(planning(policy, due=SATURDAY).replace(now=friday))
    closes = datetime(2026, 11, 6, 17, tzinfo=UTC)
    assert (planned["reminder-1"].open_until, planned["warning-1d"].open_until) == (closes, None)


async def test_nobody_hears_of_an_alert_outside_of_their_hours() -> None:
    book = Book(make_person("requester"), make_person("signer", manager="manager", days="sat"), make_person("manager"))
    due = datetime(2026, 11, 5, 12, tzinfo=UTC)
    planned = await plan(planning(ALERTED, due=due), book)
    assert planned["escalation"].suppressed is None
    assert planned["escalated"].suppressed is Reason.QUIET_HOURS


async def test_who_is_nudged_in_the_morning_hears_of_the_alert_an_hour_later() -> None:
    book = Book(make_person("requester"), make_person("signer", NEW_YORK, manager="manager"), make_person("manager"))
    policy = Policy(hours="working", reminders=Reminders(first="1d", most=1), escalation=Escalation(after="1d"))
    planned = await plan(planning(policy), book)
    assert planned["escalated"].at == planned["reminder-1"].at + timedelta(hours=1)


async def test_an_hour_that_the_day_does_not_leave_is_found_on_the_next() -> None:
    book = Book(
        make_person("requester"), make_person("signer", hours="09:00-09:30", manager="manager"), make_person("manager")
    )
    policy = Policy(hours="working", reminders=None, warnings=("29d",), escalation=Escalation(after="1d"))
    planned = await plan(planning(policy, due=datetime(2026, 12, 2, 8, 27, tzinfo=UTC)), book)
    assert planned["warning-29d"].at == datetime(2026, 11, 3, 8, 15, tzinfo=UTC)
    assert planned["escalated"].at == datetime(2026, 11, 4, 8, 12, tzinfo=UTC)


async def test_whose_place_could_not_be_handed_over_is_alerted_about() -> None:
    policy = ALERTED.replace(escalation=Escalation(after="2d", action=EscalationAction.REASSIGN))
    planning_input = planning(policy)
    assert (await plan(planning_input))["escalation"].action is EscalationAction.REASSIGN
    refused = await plan(planning_input.replace(not_handed_over=("signer",)))
    assert (refused["escalation"].action, "escalated" in refused) == (EscalationAction.NOTIFY, True)


async def test_a_snooze_within_the_hour_of_a_last_warning_gives_way_to_it() -> None:
    warned_at = (await plan(planning(WORKING)))["warning-2d"].at
    snooze = Snooze(person="signer", until=warned_at - timedelta(minutes=20), number=1)
    planned = await plan(planning(WORKING).replace(snoozes=(snooze,)))
    assert (planned["snooze-1"].suppressed, planned["warning-2d"].suppressed) == (Reason.TOO_SOON, None)


async def test_the_last_word_of_whoever_says_not_now_twice_counts_though_it_is_sooner() -> None:
    days = (6, 4)
    snoozes = tuple(
        Snooze(person="signer", until=planning().now + timedelta(days=day), number=number)
        for number, day in enumerate(days, start=1)
    )
    planned = await plan(planning(WORKING).replace(snoozes=snoozes))
    assert (planned["snooze-1"].suppressed, planned["snooze-2"].suppressed) == (Reason.SNOOZED, None)


async def test_no_warning_comes_after_one_that_is_nearer_to_the_due_date() -> None:
    book = Book(make_person("requester"), make_person("signer", days="tue,wed"))
    due = datetime(2026, 11, 13, 14, tzinfo=UTC)
    policy = Policy(hours="10:00-16:00", reminders=None, warnings=("2d", "4h"), escalation=None)
    planned = await plan(planning(policy, due=due), book)
    assert (planned["warning-4h"].suppressed, planned["warning-2d"].suppressed) == (None, Reason.TOO_SOON)
