"""What holds for every agenda: in every zone, over ten years, for every policy and calendar."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Final
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from activities.calendar.calendar import after, before, length, start_of_day
from activities.files.fields import zones
from activities.people.person import Absence, Person
from activities.schedule.open_hours import OpenHours, OpenSlot
from activities.schedule.planner import PolicyPlanner
from activities.schedule.turn import MOST_JITTER
from tests.activities.book import Book, planning, somebody
from workflows.follow_up.notification_types import numbered
from workflows.model.policy import Escalation, Overdue, Policy, Reminders
from workflows.model.schedule import ActionType, EscalationReason, PlanningInput, Schedule, ScheduledAction, Snooze

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
    return Book(somebody("requester"), signer, manager, somebody("delegate"))


def asked(policy: Policy, since: datetime) -> PlanningInput:
    return planning(policy, turns={"signer": since}).replace(window_from=since, now=since)


def of_kind(agenda: Schedule, *kinds: ActionType) -> list[ScheduledAction]:
    return [moment for moment in agenda.actions if moment.kind in kinds]


def series(agenda: Schedule, word: str) -> list[ScheduledAction]:
    """The moments of a series of stages: the reminders without the snoozes."""
    return [moment for moment in agenda.actions if moment.stage.startswith(f"{word}-")]


def assert_in_order(agenda: Schedule, since: datetime) -> None:
    """Monotone, inside the time of the request, an hour apart, reminders before warnings before what is overdue."""
    *before_the_end, end = agenda.actions
    assert (end.kind, end.at) == (ActionType.EXPIRE, agenda.over_at)
    assert all(since <= moment.at < agenda.over_at for moment in before_the_end)
    for moment in before_the_end:
        if moment.kind is ActionType.OVERDUE:
            assert moment.at > agenda.due_at
        elif moment.kind in (ActionType.REMIND, ActionType.WARN):
            assert moment.at < agenda.due_at
    assert all(since < moment.at for moment in before_the_end if moment.kind is not ActionType.ESCALATE)
    assert [moment.at for moment in agenda.actions] == sorted(moment.at for moment in agenda.actions)
    for earlier, later in pairwise(of_kind(agenda, ActionType.REMIND, ActionType.WARN, ActionType.OVERDUE)):
        assert later.at - earlier.at >= HOUR
    if (reminders := series(agenda, "reminder")) and (warnings := of_kind(agenda, ActionType.WARN)):
        assert reminders[-1].at < warnings[0].at


def assert_in_rhythm(agenda: Schedule, policy: Policy, signer: Person) -> None:
    """From the place of each reminder to that of the next it is `every` at least, on the signer's clock."""
    for word, rhythm in (("reminder", policy.reminders), ("overdue", policy.overdue)):
        found = [one for one in (*agenda.actions, *agenda.dropped) if one.stage.startswith(f"{word}-")]
        for earlier, later in pairwise(sorted(found, key=lambda one: numbered(one.stage)[1])):
            assert rhythm and later.at >= after(earlier.at, rhythm.every, signer.tz), later


def assert_nothing_disappears(agenda: Schedule, policy: Policy) -> None:
    """Each reminder and warning of the policy is planned or dropped with its reason, once."""
    stages = [moment.stage for moment in (*agenda.actions, *agenda.dropped)]
    wanted = {f"reminder-{number + 1}" for number in range(policy.reminders.most if policy.reminders else 0)}
    wanted |= {f"warning-{ahead}" for ahead in policy.warnings}
    assert {stage for stage in stages if stage.startswith(("reminder-", "warning-"))} == wanted
    assert len(stages) == len(set(stages))
    assert all(moment.suppressed is None for moment in agenda.actions)
    assert all(moment.suppressed is not None for moment in agenda.dropped)


def assert_nobody_is_woken(agenda: Schedule, policy: Policy, book: dict[str, Person]) -> None:
    """Reminders and escalations lie in the recipient's hours; a warning on a day off only if there was no other."""
    for moment in (*series(agenda, "reminder"), *of_kind(agenda, ActionType.OVERDUE, ActionType.ESCALATE)):
        if moment.kind is not ActionType.ESCALATE or not policy.urgent:
            hours = OpenHours.of(book[moment.to], policy)
            assert any(moment.at in slot for slot in hours.slots(hours.local_day(moment.at))), moment


def assert_warned_in_time(agenda: Schedule, policy: Policy, signer: Person, since: datetime) -> None:
    """No warning comes on a day off when there was a working day before it on which to send it."""
    hours = OpenHours.of(signer, policy)
    for warning in of_kind(agenda, ActionType.WARN) if not policy.urgent else []:
        day = hours.local_day(warning.at)
        assert hours.slots(day) or hours.last_day(day, since) is None, warning
    days = [hours.local_day(warning.at) for warning in of_kind(agenda, ActionType.WARN) if warning.stage[-1] in "dw"]
    assert len(days) == len(set(days)), "one that is counted in days a day"


def assert_nothing_is_early(agenda: Schedule, policy: Policy, signer: Person, since: datetime) -> None:
    """The minutes of the spread come on top of what the policy says."""
    if policy.reminders and (found := series(agenda, "reminder")):
        assert found[0].at >= after(since, policy.reminders.first, signer.tz), found[0]
    if policy.overdue and (found := series(agenda, "overdue")):
        assert found[0].at >= after(max(since, agenda.due_at), policy.overdue.every, signer.tz), found[0]


def assert_time_to_act(agenda: Schedule, policy: Policy, signer: Person, since: datetime) -> None:
    """After any notice there is time to act before the next step: another's escalation, the due date, the end."""
    nudges = of_kind(agenda, ActionType.REMIND, ActionType.WARN, ActionType.OVERDUE)
    for alert in of_kind(agenda, ActionType.ESCALATE):
        if alert.reason is EscalationReason.ABSENCE:
            continue
        pause = pause_of(policy, late=alert.at >= agenda.due_at)
        for nudge in nudges:
            assert nudge.at > alert.at or alert.at >= after(nudge.at, pause, signer.tz), (nudge, alert)
        if "moved earlier" in alert.why:
            assert alert.at >= after(since, pause, signer.tz), alert
    hours = OpenHours.of(signer, policy)
    for nudge in nudges if not policy.urgent else []:
        if nudge.kind is ActionType.WARN:
            asked_for = nominal(nudge, agenda, signer, hours)
            assert nudge.at <= asked_for + MOST_JITTER or open_time(hours, nudge.at, agenda.due_at) >= 2 * HOUR, nudge
            if not hours.slots(hours.local_day(asked_for)) and nudge.at < asked_for - MOST_JITTER:
                later = hours.next_slot(asked_for, agenda.due_at)
                assert later is None or open_time(hours, later.opens, agenda.due_at) < 2 * HOUR, nudge
        else:
            assert agenda.over_at - nudge.at >= HOUR, nudge


def pause_of(policy: Policy, *, late: bool) -> str:
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
        return before(agenda.due_at, ahead, signer.tz)
    return max(warning.at, start_of_day(hours.local_day(agenda.due_at), signer.tz))


def open_time(hours: OpenHours, begin: datetime, end: datetime) -> timedelta:
    """How much of their hours lies between two instants."""
    return sum((slot.closes - slot.opens for slot in hours.within(OpenSlot(begin, end))), timedelta())


def switches(zone: ZoneInfo) -> list[datetime]:
    """The days on which the clocks of a zone are changed in the first and the last of the ten years."""
    offsets = [day.astimezone(zone).utcoffset() for day in DAYS]
    return [DAYS[n] for n, (earlier, later) in enumerate(pairwise(offsets), 1) if earlier != later]


async def test_every_zone_over_the_changes_of_its_clocks() -> None:
    policy = Policy(hours="working", window="6d", reminders=Reminders(first="1d", every="1d", most=3))
    for number, name in enumerate(ZONES):
        signer, manager = somebody("signer", name, manager="manager"), somebody("manager", ZONES[-number])
        book = {"signer": signer, "manager": manager, "requester": somebody("requester")}
        for switch in switches(ZoneInfo(name)) or [datetime(FIRST_YEAR + number % YEARS, 6, 1, tzinfo=UTC)]:
            since = switch - timedelta(days=2, hours=number % 24)
            agenda = await PolicyPlanner(people(signer, manager)).plan(asked(policy, since))
            assert_in_order(agenda, since)
            assert_nobody_is_woken(agenda, policy, book)
            assert_nothing_disappears(agenda, policy)
            assert_warned_in_time(agenda, policy, signer, since)
            assert_nothing_is_early(agenda, policy, signer, since)
            assert_time_to_act(agenda, policy, signer, since)


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
def persons(draw: st.DrawFn, /, id: str, **more: Any) -> Person:
    """Somebody anywhere, with any working week, perhaps absent once."""
    begin = draw(st.dates(TEN_YEARS[0].date(), TEN_YEARS[1].date()))
    absence = {"from": begin.isoformat(), "until": (begin + timedelta(days=draw(st.integers(0, 60)))).isoformat()}
    return somebody(
        id,
        draw(st.sampled_from(ZONES)),
        hours=draw(clocks),
        days=draw(st.sampled_from(["mon-fri", "sun-thu", "sat", "mon,wed"])),
        calendar=draw(st.sampled_from([None, "NL", "DE-BY", "US", "JP", "SA"])),
        absent=draw(st.sampled_from([(), (Absence.model_validate(absence),)])),
        **more,
    )


@settings(max_examples=200)
@given(policies, persons("signer", manager="manager", delegate="delegate"), persons("manager"), st.data())
async def test_every_policy_and_calendar(policy: Policy, signer: Person, manager: Person, data: st.DataObject) -> None:
    begins = [begin for begin, _ in signer.absences]
    near = st.sampled_from(begins or [datetime(2027, 3, 27, tzinfo=UTC)])
    since = data.draw(instants | near.map(lambda begin: begin.astimezone(UTC) - timedelta(days=1)))
    planner = PolicyPlanner(people(signer, manager))
    agenda = await planner.plan(asked(policy, since))
    everybody = {"signer": signer, "manager": manager}
    everybody |= {id: somebody(id) for id in ("requester", "delegate")}
    assert_in_order(agenda, since)
    assert_in_rhythm(agenda, policy, signer)
    assert_nothing_disappears(agenda, policy)
    assert_nobody_is_woken(agenda, policy, everybody)
    assert_warned_in_time(agenda, policy, signer, since)
    assert_nothing_is_early(agenda, policy, signer, since)
    assert_time_to_act(agenda, policy, signer, since)
    later = asked(policy, since).replace(now=since + timedelta(seconds=1))
    assert [one.at for one in (await planner.plan(later)).actions] == [one.at for one in agenda.actions]


@given(policies, st.lists(st.integers(1, 40), min_size=1, max_size=3, unique=True).map(sorted))
async def test_no_reminder_comes_before_the_end_of_a_snooze(policy: Policy, days: list[int]) -> None:
    since = datetime(2026, 11, 2, 8, tzinfo=UTC)
    signer, manager = somebody("signer", manager="manager"), somebody("manager")
    snoozes = tuple(
        Snooze(person="signer", until=since + timedelta(days=day), number=number)
        for number, day in enumerate(days, start=1)
    )
    agenda = await PolicyPlanner(people(signer, manager)).plan(asked(policy, since).replace(snoozes=snoozes))
    assert_nothing_disappears(agenda, policy)
    assert all(moment.at >= snoozes[-1].until for moment in of_kind(agenda, ActionType.REMIND))
