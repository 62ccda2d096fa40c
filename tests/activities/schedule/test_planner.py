"""The planner in round-the-clock hours: exact instants in their zones, triggers, what is kept and what fails."""

from datetime import UTC, date, datetime, timedelta

import pytest
from temporalio.exceptions import ApplicationError

from activities.schedule.planner import PolicyPlanner
from tests.activities.book import BOOK, NEW_YORK, SINCE, Book, describe_dropped, lines, make_person, plan, planning
from workflows.model.policy import Escalation, Policy, Reminders
from workflows.model.schedule import ActionType, PlanningInput, Turn
from workflows.model.subject import Code, Participant, Role, Task


async def test_the_default_policy() -> None:
    agenda = await plan()
    assert agenda.due_at == datetime(2026, 12, 2, 17, tzinfo=UTC)
    assert lines(agenda) == [
        "Thu 11-05 09:12 reminder-1 signer",
        "Sun 11-08 09:12 reminder-2 signer",
        "Wed 11-11 09:12 reminder-3 signer",
        "Sat 11-14 09:12 reminder-4 signer",
        "Tue 11-17 09:12 escalation manager",
        "Tue 11-17 09:12 escalated signer",
        "Mon 11-30 17:48 warning-2d signer",
        "Tue 12-01 17:48 warning-1d signer",
        "Wed 12-02 18:00 expiry requester",
    ]
    assert [action.reason_text for action in agenda.actions] == [
        "reminder 1 of 4, 3 days after the request arrived",
        "reminder 2 of 4, every 3 days",
        "reminder 3 of 4, every 3 days",
        "reminder 4 of 4, every 3 days",
        "all 4 reminders are used up; to manager, the manager of signer",
        "manager was alerted",
        "2 days before the due date",
        "1 day before the due date",
        "the due date has passed",
    ]
    assert {action.person for action in agenda.actions[:-1]} == {"signer"}
    assert (agenda.dropped, agenda.doubt) == ((), None)


async def test_who_hears_of_an_alert_apart_from_a_warning_was_not_moved_into_working_hours() -> None:
    policy = Policy(reminders=None, warnings=("23d",), escalation=Escalation(after="7d", or_=None))
    agenda = await plan(policy, due=datetime(2026, 12, 2, 8, 40, tzinfo=UTC))
    alert_notice = next(action for action in agenda.actions if action.kind is ActionType.ESCALATED)
    assert (alert_notice.at.hour, alert_notice.reason_text) == (9, "manager was alerted; apart from other notices")


async def test_nine_o_clock_stays_nine_o_clock_when_the_clocks_change() -> None:
    agenda = await plan(turns={"signer": datetime(2027, 3, 26, 8, tzinfo=UTC)}, due=date(2027, 5, 1))
    assert [action.at.hour for action in agenda.actions[:2]] == [7, 7]
    assert lines(agenda)[:2] == ["Mon 03-29 09:12 reminder-1 signer", "Thu 04-01 09:12 reminder-2 signer"]


async def test_each_signer_hears_it_on_their_own_clock_and_in_their_own_minute() -> None:
    turn_starts = {"signer": SINCE, "second": SINCE}
    in_30_days = SINCE + timedelta(days=30)
    policy = Policy(warnings=("1d",), reminders=None)
    agenda = await plan(policy, signers=("signer", "second"), turns=turn_starts, due=in_30_days)
    warned_at = {action.person: action.at for action in agenda.actions if action.kind is ActionType.WARN}
    assert warned_at == {
        "signer": datetime(2026, 12, 1, 7, 48, tzinfo=UTC),
        "second": datetime(2026, 12, 1, 7, 52, 56, tzinfo=UTC),
    }
    due = datetime(2026, 11, 3, 7, tzinfo=UTC)
    over_the_change = await plan(
        Policy(warnings=("3d",), reminders=None, escalation=None),
        signers=("second",),
        turns={"second": datetime(2026, 10, 30, tzinfo=UTC)},
        due=due,
    )
    assert lines(over_the_change, NEW_YORK)[0] == "Sat 10-31 01:52 warning-3d second"


@pytest.mark.parametrize(
    ("due", "signers", "expected"),
    [
        (datetime(2026, 12, 11, 12, tzinfo=UTC), ("signer",), datetime(2026, 12, 11, 12, tzinfo=UTC)),
        (date(2026, 12, 11), ("signer",), datetime(2026, 12, 11, 17, tzinfo=UTC)),
        (date(2026, 12, 11), ("signer", "second"), datetime(2026, 12, 11, 23, tzinfo=UTC)),
        (date(2026, 12, 11), ("early-bird",), datetime(2026, 12, 11, 14, 30, tzinfo=UTC)),
        (None, ("second",), datetime(2026, 12, 2, 23, tzinfo=UTC)),
    ],
)
async def test_the_due_date(due: datetime | date | None, signers: tuple[str, ...], expected: datetime) -> None:
    agenda = await plan(due=due, signers=signers)
    assert agenda.due_at == expected
    assert agenda.due_at.tzinfo is UTC


@pytest.mark.parametrize(
    ("window", "asked_at", "expected"),
    [
        ("10d", SINCE, datetime(2026, 11, 12, 17, tzinfo=UTC)),
        ("1w", datetime(2026, 11, 2, 22, 59, tzinfo=UTC), datetime(2026, 11, 9, 17, tzinfo=UTC)),
        ("1w", datetime(2026, 11, 2, 23, 1, tzinfo=UTC), datetime(2026, 11, 10, 17, tzinfo=UTC)),
        ("36h", SINCE, SINCE + timedelta(hours=36)),
        ("90m", SINCE, SINCE + timedelta(minutes=90)),
    ],
)
async def test_a_window_of_days_ends_with_the_working_day_and_one_of_hours_to_the_minute(
    window: str, asked_at: datetime, expected: datetime
) -> None:
    """The day is that of the signer's clock, also within the hour in which it is another one in UTC."""
    planning_input = planning(Policy(window=window), turns={"signer": asked_at}).replace(window_from=asked_at)
    assert (await PolicyPlanner(BOOK).plan(planning_input)).due_at == expected


_TEAM = Book(
    make_person("owner"),
    make_person("weekdays", calendar="NL"),
    make_person("sundays", "Asia/Tokyo", days="sun-thu"),
    make_person("new-york", NEW_YORK),
    make_person("saturdays", days="sat"),
)


def make_task_planning(window: str, *assignees: str, asked_at: datetime = SINCE, urgent: bool = False) -> PlanningInput:
    people = tuple(Participant(person=person, role=Role.DO) for person in assignees)
    task = Task(id="t", kind="k", title="T", requester="owner", people=people, urgent=urgent)
    turns = tuple(Turn(person=person, since=asked_at) for person in assignees)
    policy = Policy(window=window, urgent=urgent)
    return PlanningInput(subject=task, policy=policy, due=None, window_from=asked_at, turns=turns, now=asked_at)


@pytest.mark.parametrize(
    ("window", "assignees", "expected"),
    [
        ("4d", ("weekdays",), "2026-11-06T17:00Z"),
        ("5d", ("weekdays",), "2026-11-09T17:00Z"),
        ("53d", ("weekdays",), "2026-12-28T17:00Z"),
        ("5d", ("new-york",), "2026-11-09T23:00Z"),
        ("6d", ("sundays",), "2026-11-08T09:00Z"),
        ("5d", ("weekdays", "saturdays"), "2026-11-07T17:00Z"),
        ("4d", ("weekdays", "new-york", "sundays"), "2026-11-06T23:00Z"),
        ("126h", ("weekdays",), "2026-11-09T17:00Z"),
        ("36h", ("weekdays",), "2026-11-03T20:00Z"),
    ],
)
async def test_a_computed_due_date_of_a_task_is_no_day_off_of_all_its_assignees(
    window: str, assignees: tuple[str, ...], expected: str
) -> None:
    """53 days end on Christmas, a Friday; 126 hours on a Saturday."""
    agenda = await PolicyPlanner(_TEAM).plan(make_task_planning(window, *assignees))
    assert agenda.due_at == datetime.fromisoformat(expected)


async def test_a_written_due_date_and_an_urgent_task_may_end_on_a_day_off() -> None:
    saturday = datetime(2026, 11, 7, 1, tzinfo=UTC)
    planner, task = PolicyPlanner(_TEAM), make_task_planning("5d", "weekdays")
    assert (await planner.plan(task.replace(due=saturday))).due_at == saturday
    assert (await planner.plan(task.replace(due=saturday.date()))).due_at == datetime(2026, 11, 7, 17, tzinfo=UTC)
    assert (await planner.plan(make_task_planning("126h", "weekdays", urgent=True))).due_at == SINCE + timedelta(
        hours=126
    )


async def test_nothing_but_the_expiry_is_planned_at_or_after_the_due_date() -> None:
    policy = Policy(escalation=Escalation(after="2d", or_=None), warnings=(), reminders=Reminders(first="1d"))
    agenda = await plan(policy, due=SINCE + timedelta(days=1))
    assert lines(agenda) == ["Tue 11-03 09:00 expiry requester"]
    assert {line.rsplit(" ", 1)[1] for line in describe_dropped(agenda)} == {"superseded"}
    assert len(describe_dropped(agenda)) == 5


async def test_a_reminder_keeps_an_hour_from_the_first_warning_and_none_comes_after_it() -> None:
    policy = Policy(reminders=Reminders(first="1d", every="1d", most=3), warnings=("2d",), escalation=None)
    agenda = await plan(policy, due=SINCE + timedelta(days=4, minutes=59))
    assert lines(agenda) == [
        "Tue 11-03 09:12 reminder-1 signer",
        "Wed 11-04 09:47 warning-2d signer",
        "Fri 11-06 09:59 expiry requester",
    ]
    assert describe_dropped(agenda) == ["reminder-2 too_soon", "reminder-3 superseded"]


async def test_reminders_keep_an_hour_from_each_other() -> None:
    agenda = await plan(Policy(reminders=Reminders(first="1h", every="30m", most=4), warnings=(), escalation=None))
    assert lines(agenda)[:-1] == [
        "Mon 11-02 10:12 reminder-1 signer",
        "Mon 11-02 11:12 reminder-2 signer",
        "Mon 11-02 12:12 reminder-3 signer",
        "Mon 11-02 13:12 reminder-4 signer",
    ]
    assert describe_dropped(agenda) == []


async def test_a_warning_before_the_turn_is_not_sent() -> None:
    agenda = await plan(Policy(reminders=None, escalation=None), due=SINCE + timedelta(hours=36))
    assert [action.stage for action in agenda.actions] == ["warning-1d", "expiry"]
    assert describe_dropped(agenda) == ["warning-2d not_their_turn"]


async def test_the_warnings_of_a_moved_due_date_are_stages_of_their_own() -> None:
    planning_input = planning().replace(revision=1)
    stages = [action.stage for action in (await PolicyPlanner(BOOK).plan(planning_input)).actions]
    assert stages[-3:] == ["warning-2d.2", "warning-1d.2", "expiry"]
    assert "reminder-1" in stages


async def test_moments_that_were_missed_are_kept() -> None:
    late = planning().replace(now=SINCE + timedelta(days=10))
    assert await PolicyPlanner(BOOK).plan(late) == await plan()


@pytest.mark.parametrize(
    ("escalation", "expected"),
    [
        (Escalation(after="2d", or_=None), "Wed 11-04 09:12 escalation manager"),
        (Escalation(after="used-up", or_="10%"), "Sun 11-08 09:12 escalation manager"),
        (Escalation(after="90%", or_="used-up"), "Tue 11-17 09:12 escalation manager"),
        (Escalation(after="20d", or_="4h"), "Mon 11-02 13:12 escalation manager"),
    ],
)
async def test_the_earlier_trigger_counts(escalation: Escalation, expected: str) -> None:
    assert expected in lines(await plan(Policy(escalation=escalation)))


async def test_used_up_without_reminders_never_comes() -> None:
    agenda = await plan(Policy(reminders=None, warnings=(), escalation=Escalation(after="used-up", or_=None)))
    assert [action.stage for action in agenda.actions] == ["expiry"]


async def test_no_escalation_when_the_policy_has_none() -> None:
    assert all(action.kind is not ActionType.ESCALATE for action in (await plan(Policy(escalation=None))).actions)


async def test_who_could_act_for_a_signer_who_left_is_proposed_once() -> None:
    book = Book(make_person("requester"), make_person("signer"), proposed={"nobody": "bob", "gone": "bob"})
    agenda = await plan(signers=("nobody", "gone", "signer"), turns={"nobody": SINCE}, book=book)
    assert (agenda.missing, agenda.proposed) == (("nobody", "gone"), ("bob",))


async def test_an_unknown_signer_is_a_doubt_about_the_directory_and_stops_nobody_else() -> None:
    agenda = await plan(signers=("nobody", "signer"), turns={"nobody": SINCE, "signer": SINCE})
    assert (agenda.missing, agenda.doubt) == (("nobody",), "nobody: not in the directory")
    assert {action.to for action in agenda.actions if action.kind is ActionType.REMIND} == {"signer"}


async def test_nobody_is_planned_for_when_requester_and_signer_are_unknown() -> None:
    with pytest.raises(ApplicationError, match=r'"nobody" is not in the directory') as caught:
        await plan(signers=("nobody",), requester="nobody")
    assert caught.value.type == Code.DIRECTORY
    assert not caught.value.non_retryable


async def test_what_cannot_be_planned_is_a_problem_of_planning() -> None:
    too_far = planning().replace(window_from=datetime(9999, 12, 31, tzinfo=UTC))
    with pytest.raises(ApplicationError, match="cannot be planned") as caught:
        await PolicyPlanner(BOOK).plan(too_far)
    assert caught.value.type == Code.PLANNING


async def test_a_plan_that_rests_on_an_older_directory_says_so() -> None:
    book = Book(make_person("requester"), make_person("signer", manager="requester"))
    book.warning = "people.yaml:3: manager: nobody is not in this file"
    agenda = await plan(book=book)
    assert agenda.doubt == book.warning
    assert agenda.actions
