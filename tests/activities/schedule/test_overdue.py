"""After the due date: until when, who is reminded, what is escalated, and what the day of the due date is."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

import pytest

from activities.calendar.calendar import add_duration
from activities.policies.catalogue import Catalogue
from activities.schedule.planner import PolicyPlanner
from tests.activities.book import AMSTERDAM, BOOK, SINCE, Book, describe_dropped, lines, make_person, plan, planning
from workflows.model.policy import OVERDUE_AT_MOST, Escalation, EscalationAction, Overdue, Policy, Reminders
from workflows.model.schedule import ActionType, Reason, Schedule, Snooze

FRIDAY: Final = date(2026, 11, 13)
"""Due at 18:00 in Amsterdam; a week later it closes."""
LATE: Final = Policy(
    hours="working", reminders=None, warnings=(), escalation=None, grace="7d", overdue=Overdue(every="3d")
)
HOUR: Final = timedelta(hours=1)


def find_line(agenda: Schedule, stage: str) -> str:
    """When and whom a stage is told."""
    return next(line for line in lines(agenda) if f" {stage} " in line)


async def test_without_a_grace_it_closes_when_it_is_due() -> None:
    agenda = await plan(due=FRIDAY)
    assert agenda.over_at == agenda.closes_at == agenda.due_at
    assert agenda.actions[-1].reason_text == "the due date has passed"
    assert all(action.kind is not ActionType.OVERDUE for action in (*agenda.actions, *agenda.dropped))


async def test_overdue_reminders_come_in_the_signers_hours_until_it_closes() -> None:
    agenda = await plan(LATE, due=FRIDAY)
    assert lines(agenda) == [
        "Tue 11-17 09:12 overdue-1 signer",
        "Fri 11-20 09:12 overdue-2 signer",
        "Fri 11-20 18:00 expiry requester",
    ]
    assert agenda.actions[0].reason_text == (
        "overdue since Fri 13 Nov 18:00 (Amsterdam), every 3 days; "
        "moved from Mon 16 Nov 18:00 (Amsterdam); outside 09:00-18:00"
    )
    assert agenda.actions[-1].reason_text == "7 days after the due date"
    assert (agenda.due_at, agenda.over_at) == (
        datetime(2026, 11, 13, 17, tzinfo=UTC),
        datetime(2026, 11, 20, 17, tzinfo=UTC),
    )


async def test_what_never_expires_is_planned_without_an_end_and_reminded_of_as_often_as_anything_may_be() -> None:
    agenda = await plan(Policy(expires=False, overdue=Overdue(every="2d"), warnings=()))
    assert not agenda.closes
    assert [action for action in (*agenda.actions, *agenda.dropped) if action.kind is ActionType.EXPIRE] == []
    overdue = [action for action in (*agenda.actions, *agenda.dropped) if action.kind is ActionType.OVERDUE]
    assert len(overdue) == OVERDUE_AT_MOST


async def test_no_more_than_the_policy_says_and_none_without_a_rhythm() -> None:
    reminded_once = await plan(LATE.replace(overdue=Overdue(every="1d", most=1)), due=FRIDAY)
    assert [action.stage for action in reminded_once.actions] == ["overdue-1", "expiry"]
    silent = await plan(LATE.replace(overdue=None), due=FRIDAY)
    assert [action.stage for action in silent.actions] == ["expiry"]


async def test_what_comes_before_the_due_date_is_the_same_with_and_without_a_grace() -> None:
    policy = Policy(hours="working", window="14d", warnings=("2d", "1d", "0d"))
    timely, with_grace = await plan(policy), await plan(policy.replace(grace="7d", overdue=Overdue()))
    before_due = [line for line in lines(with_grace) if "overdue" not in line and "expiry" not in line]
    assert before_due == lines(timely)[:-1]


@pytest.mark.parametrize(
    ("due", "turn", "expected"),
    [
        (FRIDAY, SINCE, "Fri 11-13 09:12"),
        (datetime(2026, 11, 13, 12, tzinfo=UTC), SINCE, "Fri 11-13 09:12"),
        (datetime(2026, 11, 13, 7, tzinfo=UTC), SINCE, "Thu 11-12 09:12"),
        (datetime(2026, 11, 14, 12, tzinfo=UTC), SINCE, "Fri 11-13 09:12"),
        (datetime(2026, 11, 13, 23, tzinfo=UTC), SINCE, "Fri 11-13 09:12"),
        (FRIDAY, datetime(2026, 11, 12, 18, tzinfo=UTC), "Fri 11-13 09:12"),
    ],
)
async def test_on_the_day_is_when_hours_open_on_the_last_day_that_has_any(
    due: date, turn: datetime, expected: str
) -> None:
    agenda = await plan(LATE.replace(warnings=("0d",)), due=due, turns={"signer": turn})
    assert find_line(agenda, "warning-0d") == f"{expected} warning-0d signer"


async def test_a_warning_that_would_come_after_the_one_on_the_day_gives_way_to_it() -> None:
    policy = LATE.replace(warnings=("2d", "1d", "0d"))
    saturday = datetime(2026, 11, 14, 17, tzinfo=UTC)
    agenda = await plan(policy, due=saturday)
    assert [line for line in lines(agenda) if "warning" in line] == [
        "Thu 11-12 17:48 warning-2d signer",
        "Fri 11-13 09:12 warning-0d signer",
    ]
    [left_out] = [action for action in agenda.dropped if action.kind is ActionType.WARN]
    assert (left_out.stage, left_out.suppressed) == ("warning-1d", Reason.TOO_SOON)
    assert "nearer to the due date" in left_out.reason_text


@pytest.mark.parametrize(
    ("due", "expected"),
    [
        (datetime(2026, 11, 14, 16, tzinfo=UTC), ["Fri 11-13 16:48 warning-1d", "Sat 11-14 08:48 warning-0d"]),
        (datetime(2026, 11, 15, 8, tzinfo=UTC), ["Sat 11-14 08:48 warning-1d", "Sun 11-15 00:12 warning-0d"]),
        (
            date(2026, 11, 15),
            ["Fri 11-13 17:48 warning-2d", "Sat 11-14 17:48 warning-1d", "Sun 11-15 08:48 warning-0d"],
        ),
    ],
)
async def test_whose_turn_comes_on_the_eve_of_days_off_is_warned_once_a_day(due: date, expected: list[str]) -> None:
    eve = datetime(2026, 11, 13, 12, tzinfo=UTC)
    agenda = await plan(LATE.replace(warnings=("2d", "1d", "0d")), due=due, turns={"signer": eve})
    assert [line.removesuffix(" signer") for line in lines(agenda) if "warning" in line] == expected


async def test_on_the_day_is_left_out_for_a_turn_that_comes_later_that_day() -> None:
    noon = datetime(2026, 11, 13, 12, tzinfo=UTC)
    agenda = await plan(LATE.replace(warnings=("0d",)), due=FRIDAY, turns={"signer": noon})
    assert describe_dropped(agenda) == ["warning-0d not_their_turn"]


@pytest.mark.parametrize("due", [FRIDAY, datetime(2026, 11, 14, 23, tzinfo=UTC), datetime(2026, 11, 15, 0, tzinfo=UTC)])
@pytest.mark.parametrize("hours", ["working", "any", "00:00-06:00"])
async def test_on_the_day_is_always_before_the_due_date(due: date, hours: str) -> None:
    agenda = await plan(LATE.replace(warnings=("0d",), hours=hours), due=due)
    [warning] = [action for action in agenda.actions if action.kind is ActionType.WARN]
    assert warning.at < agenda.due_at


async def test_who_is_absent_is_reminded_when_back_or_not_at_all() -> None:
    short_absence = {"from": "2026-11-16", "until": "2026-11-18"}
    agenda = await plan(LATE, Book(make_person("requester"), make_person("signer", absent=[short_absence])), due=FRIDAY)
    assert find_line(agenda, "overdue-1") == "Thu 11-19 09:12 overdue-1 signer"
    long_absence = {"from": "2026-11-16", "until": "2026-12-18"}
    agenda = await plan(LATE, Book(make_person("requester"), make_person("signer", absent=[long_absence])), due=FRIDAY)
    assert describe_dropped(agenda) == ["overdue-1 absent", "overdue-2 absent"]
    assert agenda.dropped[0].reason_text.endswith("no open hours before it closes")


async def test_overdue_reminders_keep_an_hour_from_each_other_and_from_what_came_before() -> None:
    often = LATE.replace(hours="any", grace="4h", warnings=("1h",), overdue=Overdue(every="40m"))
    agenda = await plan(often, due=SINCE + timedelta(days=3))
    nudges = [action.at for action in agenda.actions if action.kind is not ActionType.EXPIRE]
    assert all(later - earlier >= HOUR for earlier, later in pairwise(nudges))
    assert {"overdue-4 too_soon"} <= set(describe_dropped(agenda))


async def test_a_not_now_after_the_due_date_is_a_reminder_of_its_own_and_silences_others() -> None:
    snoozed_until = datetime(2026, 11, 19, 13, tzinfo=UTC)
    planning_input = planning(LATE, due=FRIDAY).replace(
        snoozes=(Snooze(person="signer", until=snoozed_until, number=1),)
    )
    agenda = await PolicyPlanner(Book(make_person("requester"), make_person("signer"))).plan(planning_input)
    assert lines(agenda) == [
        "Thu 11-19 14:00 snooze-1 signer",
        "Fri 11-20 09:12 overdue-2 signer",
        "Fri 11-20 18:00 expiry requester",
    ]
    assert describe_dropped(agenda) == ["overdue-1 snoozed"]


async def test_a_turn_that_comes_after_the_due_date_is_overdue_from_then_on() -> None:
    turn = {"signer": datetime(2026, 11, 16, 9, tzinfo=UTC)}
    agenda = await plan(
        LATE.replace(reminders=Reminders(), warnings=("1d",), escalation=Escalation()), due=FRIDAY, turns=turn
    )
    assert lines(agenda)[:1] == ["Thu 11-19 10:12 overdue-1 signer"]
    assert "escalation superseded" in describe_dropped(agenda), "a day after their only reminder nobody else is told"


async def test_a_moved_due_date_has_overdue_reminders_of_its_own() -> None:
    planning_input = planning(LATE, due=FRIDAY).replace(revision=1)
    agenda = await PolicyPlanner(Book(make_person("requester"), make_person("signer"))).plan(planning_input)
    assert [action.stage for action in agenda.actions] == ["overdue-1.2", "overdue-2.2", "expiry"]


EARLY_WORD = Escalation(after="used-up", or_="60%")


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        # A trigger comes in time: escalated once, as ever.
        (LATE.replace(escalation=EARLY_WORD), "Mon 11-09 09:12 escalation manager"),
        # No reminder to use up before the due date: the overdue ones are, with a working day left to act.
        (LATE.replace(escalation=Escalation(or_=None)), "Fri 11-20 09:12 escalation manager"),
        (
            LATE.replace(escalation=Escalation(or_=None), overdue=Overdue(every="1d", most=2)),
            "Wed 11-18 09:12 escalation manager",
        ),
    ],
)
async def test_who_was_not_escalated_in_time_is_when_overdue_reminders_are_used_up(
    policy: Policy, expected: str
) -> None:
    agenda = await plan(policy, due=FRIDAY)
    assert find_line(agenda, "escalation") == expected
    assert [action.stage for action in (*agenda.actions, *agenda.dropped)].count("escalation") == 1


async def test_nothing_is_escalated_after_the_due_date_where_the_policy_does_not_want_it() -> None:
    quiet = LATE.replace(escalation=Escalation(or_=None), overdue=Overdue(escalate=False))
    assert ActionType.ESCALATE not in {action.kind for action in (await plan(quiet, due=FRIDAY)).actions}


async def test_a_late_hand_over_leaves_a_working_day_and_says_why() -> None:
    policy = LATE.replace(
        overdue=Overdue(every="3d", most=2),
        escalation=Escalation(or_=None, action=EscalationAction.REASSIGN, alternates=("alternate",)),
    )
    [escalation] = [action for action in (await plan(policy, due=FRIDAY)).actions if action.kind is ActionType.ESCALATE]
    assert escalation.reason_text == (
        "all 2 reminders are used up; to alternate, the named alternate; "
        "moved earlier, so that a working day is left to act"
    )


OPEN_END = Policy(
    hours="working",
    expires=False,
    window="5d",
    reminders=Reminders(first="1d", every="2d", most=2),
    warnings=("1d",),
    overdue=Overdue(every="2d"),
)
"""As teams are asked in an onboarding."""


async def test_an_escalation_that_a_last_warning_keeps_back_comes_one_every_after_it() -> None:
    thursday = datetime(2026, 11, 5, 8, tzinfo=UTC)
    agenda = await plan(OPEN_END, turns={"signer": thursday}, due=thursday + timedelta(days=5))
    assert lines(agenda)[:4] == [
        "Fri 11-06 09:12 reminder-1 signer",
        "Mon 11-09 09:12 warning-1d signer",
        "Wed 11-11 09:12 escalation manager",
        "Wed 11-11 09:12 escalated signer",
    ]
    [escalation] = [action for action in agenda.actions if action.kind is ActionType.ESCALATE]
    assert escalation.reason_text.startswith("no time was left before the due date; to manager, the manager of signer")


@pytest.mark.parametrize(("day", "hour"), [(day, hour) for day in range(2, 9) for hour in (7, 11, 16)])
async def test_the_owner_of_a_decision_is_reminded_a_day_before_anybody_else_hears(day: int, hour: int) -> None:
    """Of the kind that every onboarding has, on whatever day it is asked: two days, of which some are off."""
    asked_at = datetime(2026, 11, day, hour, tzinfo=UTC)
    policy = Catalogue({}).resolve("onboarding-decision").policy
    planning_input = planning(policy, turns={"signer": asked_at}).replace(window_from=asked_at, now=asked_at)
    agenda = await PolicyPlanner(BOOK).plan(planning_input)
    [alert] = [action.at for action in agenda.actions if action.kind is ActionType.ESCALATE]
    heard = [
        action.at
        for action in agenda.actions
        if action.kind in (ActionType.REMIND, ActionType.OVERDUE) and action.at < alert
    ]
    assert heard or day == 6, "of who is asked on a Friday all the time before the due date is a weekend"
    assert all(alert >= add_duration(heard_at, "1d", ZoneInfo(AMSTERDAM)) for heard_at in heard)


async def test_what_days_off_keep_from_being_told_before_the_due_date_is_told_on_the_first_day_after_it() -> None:
    friday = datetime(2026, 11, 6, 8, tzinfo=UTC)
    two_days = OPEN_END.replace(window="2d", warnings=(), overdue=Overdue(every="1d"))
    agenda = await PolicyPlanner(BOOK).plan(planning(two_days, turns={"signer": friday}).replace(window_from=friday))
    assert find_line(agenda, "escalation") == "Mon 11-09 09:12 escalation manager"
    assert find_line(agenda, "overdue-1") == "Tue 11-10 09:12 overdue-1 signer"


async def test_without_a_number_whose_turn_comes_late_is_escalated_one_every_after_their_first_reminder() -> None:
    late = {"signer": datetime(2026, 11, 10, 9, tzinfo=UTC)}
    agenda = await plan(OPEN_END, turns=late)
    assert lines(agenda)[:2] == ["Thu 11-12 10:12 overdue-1 signer", "Mon 11-16 09:12 escalation manager"]
    counted = await plan(OPEN_END.replace(overdue=Overdue(every="2d", most=2)), turns=late)
    assert lines(counted)[:3] == [
        "Thu 11-12 10:12 overdue-1 signer",
        "Mon 11-16 09:12 overdue-2 signer",
        "Wed 11-18 09:12 escalation manager",
    ]


async def test_what_was_missed_before_the_due_date_is_made_up_for_after_it_in_open_hours() -> None:
    night = datetime(2026, 11, 14, 2, tzinfo=UTC)
    missed = planning(LATE.replace(reminders=Reminders(most=1)), due=FRIDAY).replace(now=night)
    agenda = await PolicyPlanner(Book(make_person("requester"), make_person("signer"))).plan(missed)
    [reminder] = [action for action in agenda.actions if action.stage == "reminder-1"]
    assert reminder.held_until == datetime(2026, 11, 16, 8, tzinfo=UTC)


async def test_ten_times_as_many_as_a_policy_may_ask_for_are_not_planned() -> None:
    endless = LATE.replace(hours="any", grace="700d", overdue=Overdue(every="12h"))
    calendar = await PolicyPlanner(Book(make_person("requester"), make_person("signer"))).calendar(
        planning(endless, due=FRIDAY)
    )
    assert sum(action.kind is ActionType.OVERDUE for action in calendar.actions) == OVERDUE_AT_MOST


async def test_of_many_overdue_reminders_an_agenda_has_the_next_ones() -> None:
    crowd = tuple(f"signer-{number}" for number in range(1, 101))
    planning_input = planning(
        LATE.replace(overdue=Overdue(every="1d")), signers=crowd, turns=dict.fromkeys(crowd, SINCE), due=FRIDAY
    )
    book = Book(make_person("requester"), *map(make_person, crowd))
    agenda = await PolicyPlanner(book).plan(planning_input)
    assert sum(action.kind is ActionType.OVERDUE for action in agenda.actions) == 2 * len(crowd)
    assert len(agenda.more) == len(crowd)
