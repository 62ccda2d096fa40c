"""What holds for every agenda: in every zone, over ten years, for every policy and calendar."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activities.calendar.calendar import add_duration, length, start_of_day, subtract_duration
from activities.files.fields import zones
from activities.people.person import Absence, Person
from activities.schedule.open_hours import OpenHours, OpenSlot
from activities.schedule.planner import PolicyPlanner
from activities.schedule.turn import MOST_JITTER
from tests.activities.book import Book, make_person, planning
from workflows.follow_up.notification_types import numbered
from workflows.model.policy import Escalation, Overdue, Policy, Reminders
from workflows.model.schedule import ActionType, EscalationReason, PlanningInput, Schedule, ScheduledAction, Snooze

pytestmark = pytest.mark.long

FIRST_YEAR: Final = 2026
YEARS: Final = 10
ZONES: Final = sorted(zones())
TEN_YEARS: Final = (datetime(FIRST_YEAR, 1, 1), datetime(FIRST_YEAR + YEARS, 1, 1))  # noqa: DTZ001
DAYS: Final = [
    datetime(year, 1, 1, 12, tzinfo=UTC) + timedelta(days=n)
    for year in (FIRST_YEAR, FIRST_YEAR + YEARS - 1)
    for n in range(365)
]
"""Of the first and the last of the ten years."""
HOUR: Final = timedelta(hours=1)


def people(signer: Person, manager: Person) -> Book:
    return Book(make_person("requester"), signer, manager, make_person("delegate"))


def make_planning(policy: Policy, turn_starts_at: datetime) -> PlanningInput:
    return planning(policy, turns={"signer": turn_starts_at}).replace(window_from=turn_starts_at, now=turn_starts_at)


def select_kinds(agenda: Schedule, *kinds: ActionType) -> list[ScheduledAction]:
    return [action for action in agenda.actions if action.kind in kinds]


def select_series(agenda: Schedule, series_name: str) -> list[ScheduledAction]:
    """The moments of a series of stages: the reminders without the snoozes."""
    return [action for action in agenda.actions if action.stage.startswith(f"{series_name}-")]


def assert_in_order(agenda: Schedule, turn_starts_at: datetime) -> None:
    """Monotone, inside the time of the request, an hour apart, reminders before warnings before what is overdue."""
    *before_the_end, end = agenda.actions
    assert (end.kind, end.at) == (ActionType.EXPIRE, agenda.over_at)
    assert all(turn_starts_at <= action.at < agenda.over_at for action in before_the_end)
    for action in before_the_end:
        if action.kind is ActionType.OVERDUE:
            assert action.at > agenda.due_at
        elif action.kind in (ActionType.REMIND, ActionType.WARN):
            assert action.at < agenda.due_at
    assert all(turn_starts_at < action.at for action in before_the_end if action.kind is not ActionType.ESCALATE)
    assert [action.at for action in agenda.actions] == sorted(action.at for action in agenda.actions)
    for earlier, later in pairwise(select_kinds(agenda, ActionType.REMIND, ActionType.WARN, ActionType.OVERDUE)):
        assert later.at - earlier.at >= HOUR
    if (reminders := select_series(agenda, "reminder")) and (warnings := select_kinds(agenda, ActionType.WARN)):
        assert reminders[-1].at < warnings[0].at


def assert_in_rhythm(agenda: Schedule, policy: Policy, signer: Person) -> None:
    """From the place of each reminder to that of the next it is `every` at least, on the signer's clock."""
    for series_name, rhythm in (("reminder", policy.reminders), ("overdue", policy.overdue)):
        series_actions = [
            action for action in (*agenda.actions, *agenda.dropped) if action.stage.startswith(f"{series_name}-")
        ]
        for earlier, later in pairwise(sorted(series_actions, key=lambda action: numbered(action.stage)[1])):
            assert rhythm and later.at >= add_duration(earlier.at, rhythm.every, signer.tz), later


def assert_nothing_disappears(agenda: Schedule, policy: Policy) -> None:
    """Each reminder and warning of the policy is planned or dropped with its reason, once."""
    stages = [action.stage for action in (*agenda.actions, *agenda.dropped)]
    expected_stages = {f"reminder-{number + 1}" for number in range(policy.reminders.most if policy.reminders else 0)}
    expected_stages |= {f"warning-{ahead}" for ahead in policy.warnings}
    assert {stage for stage in stages if stage.startswith(("reminder-", "warning-"))} == expected_stages
    assert len(stages) == len(set(stages))
    assert all(action.suppressed is None for action in agenda.actions)
    assert all(action.suppressed is not None for action in agenda.dropped)


def assert_nobody_is_woken(agenda: Schedule, policy: Policy, book: dict[str, Person]) -> None:
    """Reminders and escalations lie in the recipient's hours; a warning on a day off only if there was no other."""
    for action in (*select_series(agenda, "reminder"), *select_kinds(agenda, ActionType.OVERDUE, ActionType.ESCALATE)):
        if action.kind is not ActionType.ESCALATE or not policy.urgent:
            hours = OpenHours.for_person(book[action.to], policy)
            assert any(action.at in slot for slot in hours.slots(hours.local_day(action.at))), action


def assert_warned_in_time(agenda: Schedule, policy: Policy, signer: Person, turn_starts_at: datetime) -> None:
    """No warning comes on a day off when there was a working day before it on which to send it."""
    hours = OpenHours.for_person(signer, policy)
    for warning in select_kinds(agenda, ActionType.WARN) if not policy.urgent else []:
        day = hours.local_day(warning.at)
        assert hours.slots(day) or hours.last_day(day, turn_starts_at) is None, warning
    days = [
        hours.local_day(warning.at) for warning in select_kinds(agenda, ActionType.WARN) if warning.stage[-1] in "dw"
    ]
    assert len(days) == len(set(days)), "one that is counted in days a day"


def assert_nothing_is_early(agenda: Schedule, policy: Policy, signer: Person, turn_starts_at: datetime) -> None:
    """The minutes of the spread come on top of what the policy says."""
    if policy.reminders and (reminders := select_series(agenda, "reminder")):
        assert reminders[0].at >= add_duration(turn_starts_at, policy.reminders.first, signer.tz), reminders[0]
    if policy.overdue and (reminders := select_series(agenda, "overdue")):
        assert reminders[0].at >= add_duration(max(turn_starts_at, agenda.due_at), policy.overdue.every, signer.tz), (
            reminders[0]
        )


def assert_time_to_act(agenda: Schedule, policy: Policy, signer: Person, turn_starts_at: datetime) -> None:
    """After any notice there is time to act before the next step: another's escalation, the due date, the end."""
    nudges = select_kinds(agenda, ActionType.REMIND, ActionType.WARN, ActionType.OVERDUE)
    for alert in select_kinds(agenda, ActionType.ESCALATE):
        if alert.reason is EscalationReason.ABSENCE:
            continue
        pause = find_pause(policy, late=alert.at >= agenda.due_at)
        for nudge in nudges:
            assert nudge.at > alert.at or alert.at >= add_duration(nudge.at, pause, signer.tz), (nudge, alert)
        if "moved earlier" in alert.reason_text:
            assert alert.at >= add_duration(turn_starts_at, pause, signer.tz), alert
    hours = OpenHours.for_person(signer, policy)
    for nudge in nudges if not policy.urgent else []:
        if nudge.kind is ActionType.WARN:
            asked_for = nominal(nudge, agenda, signer, hours)
            assert nudge.at <= asked_for + MOST_JITTER or open_time(hours, nudge.at, agenda.due_at) >= 2 * HOUR, nudge
            if not hours.slots(hours.local_day(asked_for)) and nudge.at < asked_for - MOST_JITTER:
                later = hours.next_slot(asked_for, agenda.due_at)
                assert later is None or open_time(hours, later.opens, agenda.due_at) < 2 * HOUR, nudge
        else:
            assert agenda.over_at - nudge.at >= HOUR, nudge


def find_pause(policy: Policy, *, late: bool) -> str:
    """One `every`, for what is urgent one `first`."""
    if late and policy.overdue:
        return policy.overdue.every
    if policy.reminders:
        return policy.reminders.first if policy.urgent else policy.reminders.every
    return "2h"


def nominal(warning: ScheduledAction, agenda: Schedule, signer: Person, hours: OpenHours) -> datetime:
    """When a warning comes by the policy alone."""
    ahead = warning.stage.removeprefix("warning-")
    if ahead != "0d":
        return subtract_duration(agenda.due_at, ahead, signer.tz)
    return max(warning.at, start_of_day(hours.local_day(agenda.due_at), signer.tz))


def open_time(hours: OpenHours, begin: datetime, end: datetime) -> timedelta:
    """How much of their hours lies between two instants."""
    return sum((slot.closes - slot.opens for slot in hours.find_parts(OpenSlot(begin, end))), timedelta())


def switches(zone: ZoneInfo) -> list[datetime]:
    """The days on which the clocks of a zone are changed in the first and the last of the ten years."""
    offsets = [day.astimezone(zone).utcoffset() for day in DAYS]
    return [DAYS[n] for n, (earlier, later) in enumerate(pairwise(offsets), 1) if earlier != later]


async def test_every_zone_over_the_changes_of_its_clocks() -> None:
    policy = Policy(hours="working", window="6d", reminders=Reminders(first="1d", every="1d", most=3))
    for number, name in enumerate(ZONES):
        signer, manager = make_person("signer", name, manager="manager"), make_person("manager", ZONES[-number])
        book = {"signer": signer, "manager": manager, "requester": make_person("requester")}
        for switch in switches(ZoneInfo(name)) or [datetime(FIRST_YEAR + number % YEARS, 6, 1, tzinfo=UTC)]:
            turn_starts_at = switch - timedelta(days=2, hours=number % 24)
            agenda = await PolicyPlanner(people(signer, manager)).plan(make_planning(policy, turn_starts_at))
            assert_in_order(agenda, turn_starts_at)
            assert_nobody_is_woken(agenda, policy, book)
            assert_nothing_disappears(agenda, policy)
            assert_warned_in_time(agenda, policy, signer, turn_starts_at)
            assert_nothing_is_early(agenda, policy, signer, turn_starts_at)
            assert_time_to_act(agenda, policy, signer, turn_starts_at)


instants = st.datetimes(*TEN_YEARS, timezones=st.just(UTC))
spans = st.builds(lambda count, unit: f"{count}{unit}", st.integers(1, 30), st.sampled_from("hd"))
triggers = st.one_of(spans, st.integers(1, 99).map(lambda percent: f"{percent}%"), st.just("used-up"))
clocks = st.sampled_from(["09:00-18:00", "07:00-15:30", "00:00-06:00", "22:00-23:59", "02:10-02:50"])
policies = st.builds(
    Policy,
    window=st.integers(1, 60).map(lambda days: f"{days}d"),
    hours=st.sampled_from(["working", "working", "any", "10:00-16:00"]),
    urgent=st.sampled_from([False, False, True]),
    reminders=st.none() | st.builds(Reminders, first=spans, every=spans, most=st.integers(1, 6)),
    warnings=st.lists(spans | st.just("0d"), max_size=3, unique_by=length).map(tuple),
    grace=st.sampled_from(["0d", "0d", "5h", "1d", "1w", "30d"]),
    overdue=st.none() | st.builds(Overdue, every=spans, most=st.none() | st.integers(1, 5), escalate=st.booleans()),
    escalation=st.none() | st.builds(Escalation, after=triggers, or_=st.none() | triggers),
)


@st.composite
def persons(draw: st.DrawFn, /, id: str, **fields: Any) -> Person:
    """Somebody anywhere, with any working week, perhaps absent once."""
    begin = draw(st.dates(TEN_YEARS[0].date(), TEN_YEARS[1].date()))
    absence = {"from": begin.isoformat(), "until": (begin + timedelta(days=draw(st.integers(0, 60)))).isoformat()}
    return make_person(
        id,
        draw(st.sampled_from(ZONES)),
        hours=draw(clocks),
        days=draw(st.sampled_from(["mon-fri", "sun-thu", "sat", "mon,wed"])),
        calendar=draw(st.sampled_from([None, "NL", "DE-BY", "US", "JP", "SA"])),
        absent=draw(st.sampled_from([(), (Absence.model_validate(absence),)])),
        **fields,
    )


@settings(max_examples=200)
@given(policies, persons("signer", manager="manager", delegate="delegate"), persons("manager"), st.data())
async def test_every_policy_and_calendar(policy: Policy, signer: Person, manager: Person, data: st.DataObject) -> None:
    begins = [begin for begin, _ in signer.absences]
    near_absences = st.sampled_from(begins or [datetime(2027, 3, 27, tzinfo=UTC)])
    turn_starts_at = data.draw(instants | near_absences.map(lambda begin: begin.astimezone(UTC) - timedelta(days=1)))
    planner = PolicyPlanner(people(signer, manager))
    agenda = await planner.plan(make_planning(policy, turn_starts_at))
    everybody = {"signer": signer, "manager": manager}
    everybody |= {id: make_person(id) for id in ("requester", "delegate")}
    assert_in_order(agenda, turn_starts_at)
    assert_in_rhythm(agenda, policy, signer)
    assert_nothing_disappears(agenda, policy)
    assert_nobody_is_woken(agenda, policy, everybody)
    assert_warned_in_time(agenda, policy, signer, turn_starts_at)
    assert_nothing_is_early(agenda, policy, signer, turn_starts_at)
    assert_time_to_act(agenda, policy, signer, turn_starts_at)
    later = make_planning(policy, turn_starts_at).replace(now=turn_starts_at + timedelta(seconds=1))
    assert [action.at for action in (await planner.plan(later)).actions] == [action.at for action in agenda.actions]


@given(policies, st.lists(st.integers(1, 40), min_size=1, max_size=3, unique=True).map(sorted))
async def test_no_reminder_comes_before_the_end_of_a_snooze(policy: Policy, days: list[int]) -> None:
    turn_starts_at = datetime(2026, 11, 2, 8, tzinfo=UTC)
    signer, manager = make_person("signer", manager="manager"), make_person("manager")
    snoozes = tuple(
        Snooze(person="signer", until=turn_starts_at + timedelta(days=day), number=number)
        for number, day in enumerate(days, start=1)
    )
    agenda = await PolicyPlanner(people(signer, manager)).plan(
        make_planning(policy, turn_starts_at).replace(snoozes=snoozes)
    )
    assert_nothing_disappears(agenda, policy)
    assert all(reminder.at >= snoozes[-1].until for reminder in select_kinds(agenda, ActionType.REMIND))
