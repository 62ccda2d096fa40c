"""The planner: exact instants in their zones, and properties over all zones."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from temporalio.exceptions import ApplicationError

from activities.planner import PolicyPlanner
from tests.activities.book import AMSTERDAM, BOOK, NEW_YORK, SINCE, Book, plan, planning, somebody
from workflows.model import Agenda, Code, Escalation, MomentKind, Policy, Reminders


def lines(agenda: Agenda, zone: str = AMSTERDAM) -> list[str]:
    return [
        f"{moment.at.astimezone(ZoneInfo(zone)):%m-%d %H:%M} {moment.stage} {moment.to}" for moment in agenda.moments
    ]


async def test_the_default_policy() -> None:
    agenda = await plan()
    assert agenda.due_at == datetime(2026, 12, 2, 8, tzinfo=UTC)
    assert lines(agenda) == [
        "11-05 09:00 reminder-1 signer",
        "11-08 09:00 reminder-2 signer",
        "11-11 09:00 reminder-3 signer",
        "11-14 09:00 reminder-4 signer",
        "11-17 09:00 escalation manager",
        "11-30 09:00 warning-2d signer",
        "12-01 09:00 warning-1d signer",
        "12-02 09:00 expiry requester",
    ]
    assert [moment.why for moment in agenda.moments] == [
        "reminder 1 of 4, 3 days after the request arrived",
        "reminder 2 of 4, every 3 days",
        "reminder 3 of 4, every 3 days",
        "reminder 4 of 4, every 3 days",
        "all 4 reminders are used up: to manager, the manager of signer",
        "2 days before the due date",
        "1 day before the due date",
        "the due date has passed",
    ]
    assert {moment.person for moment in agenda.moments[:-1]} == {"signer"}


async def test_nine_o_clock_stays_nine_o_clock_when_the_clocks_change() -> None:
    agenda = await plan(turns={"signer": datetime(2027, 3, 26, 8, tzinfo=UTC)}, due=date(2027, 5, 1))
    assert [moment.at.hour for moment in agenda.moments[:2]] == [7, 7]
    assert lines(agenda)[:2] == ["03-29 09:00 reminder-1 signer", "04-01 09:00 reminder-2 signer"]


async def test_each_signer_hears_it_on_their_own_clock() -> None:
    both = {"signer": SINCE, "second": SINCE}
    agenda = await plan(Policy(warnings=("1d",), reminders=None), signers=("signer", "second"), turns=both)
    at = {moment.person: moment.at for moment in agenda.moments if moment.kind is MomentKind.WARN}
    assert at == {person: datetime(2026, 12, 1, 8, tzinfo=UTC) for person in both}
    due = datetime(2026, 11, 3, 7, tzinfo=UTC)
    over_the_change = await plan(
        Policy(warnings=("3d",), reminders=None, escalation=None),
        signers=("second",),
        turns={"second": datetime(2026, 10, 30, tzinfo=UTC)},
        due=due,
    )
    assert lines(over_the_change, NEW_YORK)[0] == "10-31 02:00 warning-3d second"


@pytest.mark.parametrize(
    ("due", "signers", "expected"),
    [
        (datetime(2026, 12, 11, 12, tzinfo=UTC), ("signer",), datetime(2026, 12, 11, 12, tzinfo=UTC)),
        (date(2026, 12, 11), ("signer",), datetime(2026, 12, 11, 17, tzinfo=UTC)),
        (date(2026, 12, 11), ("signer", "second"), datetime(2026, 12, 11, 23, tzinfo=UTC)),
        (None, ("second",), datetime(2026, 12, 2, 8, tzinfo=UTC)),
    ],
)
async def test_the_due_date(due: datetime | date | None, signers: tuple[str, ...], expected: datetime) -> None:
    agenda = await plan(due=due, signers=signers)
    assert agenda.due_at == expected
    assert agenda.due_at.tzinfo is UTC


async def test_nothing_but_the_expiry_is_planned_at_or_after_the_due_date() -> None:
    agenda = await plan(Policy(escalation=Escalation(after="6d", or_=None), warnings=()), due=SINCE + timedelta(days=6))
    assert lines(agenda) == ["11-05 09:00 reminder-1 signer", "11-08 09:00 expiry requester"]


async def test_a_reminder_keeps_an_hour_from_warnings_and_its_number() -> None:
    policy = Policy(reminders=Reminders(first="1d", every="1d", most=3), warnings=("2d",), escalation=None)
    due = SINCE + timedelta(days=4, minutes=59)
    assert lines(await plan(policy, due=due)) == [
        "11-03 09:00 reminder-1 signer",
        "11-04 09:59 warning-2d signer",
        "11-05 09:00 reminder-3 signer",
        "11-06 09:59 expiry requester",
    ]


async def test_reminders_keep_an_hour_from_each_other() -> None:
    policy = Policy(reminders=Reminders(first="1h", every="30m", most=4), warnings=(), escalation=None)
    assert [moment.stage for moment in (await plan(policy)).moments] == ["reminder-1", "reminder-3", "expiry"]


async def test_a_warning_before_the_turn_is_not_planned() -> None:
    agenda = await plan(Policy(reminders=None, escalation=None), due=SINCE + timedelta(hours=36))
    assert [moment.stage for moment in agenda.moments] == ["warning-1d", "expiry"]


async def test_moments_that_were_missed_are_kept() -> None:
    late = planning().having(now=SINCE + timedelta(days=10))
    assert await PolicyPlanner(BOOK).plan(late) == await plan()


@pytest.mark.parametrize(
    ("escalation", "expected"),
    [
        (Escalation(after="2d", or_=None), "11-04 09:00 escalation manager"),
        (Escalation(after="used-up", or_="10%"), "11-05 09:00 escalation manager"),
        (Escalation(after="90%", or_="used-up"), "11-17 09:00 escalation manager"),
        (Escalation(after="20d", or_="4h"), "11-02 13:00 escalation manager"),
    ],
)
async def test_the_earlier_trigger_counts(escalation: Escalation, expected: str) -> None:
    assert expected in lines(await plan(Policy(escalation=escalation)))


async def test_used_up_without_reminders_never_comes() -> None:
    agenda = await plan(Policy(reminders=None, warnings=(), escalation=Escalation(after="used-up", or_=None)))
    assert [moment.stage for moment in agenda.moments] == ["expiry"]


async def test_no_escalation_when_the_policy_has_none() -> None:
    assert all(moment.kind is not MomentKind.ESCALATE for moment in (await plan(Policy(escalation=None))).moments)


async def test_an_unknown_person_is_a_problem_of_the_directory() -> None:
    with pytest.raises(ApplicationError, match="nobody is not in the directory") as caught:
        await plan(Policy(escalation=Escalation(alternates=("nobody",))))
    assert caught.value.type == Code.DIRECTORY
    assert not caught.value.non_retryable


async def test_what_cannot_be_planned_is_a_problem_of_planning() -> None:
    too_far = planning().having(window_from=datetime(9999, 12, 31, tzinfo=UTC))
    with pytest.raises(ApplicationError, match="cannot be planned") as caught:
        await PolicyPlanner(BOOK).plan(too_far)
    assert caught.value.type == Code.PLANNING


TEN_YEARS = (datetime(2026, 1, 1), datetime(2036, 1, 1))  # noqa: DTZ001
instants = st.datetimes(*TEN_YEARS, timezones=st.just(UTC))
spans = st.builds(lambda count, unit: f"{count}{unit}", st.integers(1, 30), st.sampled_from("hd"))
triggers = st.one_of(spans, st.integers(1, 99).map(lambda percent: f"{percent}%"), st.just("used-up"))
policies = st.builds(
    Policy,
    window=st.integers(1, 90).map(lambda days: f"{days}d"),
    reminders=st.none() | st.builds(Reminders, first=spans, every=spans, most=st.integers(1, 6)),
    warnings=st.lists(spans, max_size=3, unique=True).map(tuple),
    escalation=st.none() | st.builds(Escalation, after=triggers, or_=st.none() | triggers),
)


@settings(max_examples=200)
@given(policies, st.sampled_from(sorted(available_timezones())), instants)
async def test_every_agenda_is_in_order_and_inside_its_time(policy: Policy, zone: str, since: datetime) -> None:
    book = Book(somebody("requester"), somebody("signer", zone, manager="manager"), somebody("manager"))
    agenda = await PolicyPlanner(book).plan(planning(policy, turns={"signer": since}).having(window_from=since))
    *before_the_end, end = agenda.moments
    assert (end.kind, end.at) == (MomentKind.EXPIRE, agenda.due_at)
    assert all(since < moment.at < agenda.due_at for moment in before_the_end)
    assert [moment.at for moment in agenda.moments] == sorted(moment.at for moment in agenda.moments)
    assert len({moment.stage for moment in agenda.moments}) == len(agenda.moments)
    nudges = [moment for moment in before_the_end if moment.kind in (MomentKind.REMIND, MomentKind.WARN)]
    for earlier, later in pairwise(nudges):
        if MomentKind.REMIND in (earlier.kind, later.kind):
            assert later.at - earlier.at >= timedelta(hours=1)
