"""Stories with the real planner: people's own calendars over virtual weeks, whatever day the test runs on."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import holidays
import pytest

from activities.calendar.calendar import public_holidays
from activities.schedule.planner import PolicyPlanner
from tests.activities.book import Book, make_person
from tests.servers import time_skipping
from tests.workflows.fakes import World, refusal
from tests.workflows.stage import NO_OFFER, a_request, begin, start_story, workers
from tests.workflows.test_replay import replay
from workflows.follow_up.view import is_needless
from workflows.model.commands import Extension, PauseCommand, Resumption
from workflows.model.notifications import NotificationOutcome
from workflows.model.policy import Escalation, EscalationAction, Policy, Reminders
from workflows.model.signature import SignerState
from workflows.model.subject import Code, Participant, Status
from workflows.signature.state import SignatureInput

ZONES = {"customer-signer": "America/New_York", "chief-executive": "Europe/Amsterdam", "auditor": "Asia/Tokyo"}
PEOPLE = Book(
    make_person("legal-desk"),
    *(make_person(person, zone, calendar="NL") for person, zone in ZONES.items()),
    make_person("deputy", "Europe/London"),
)
THREE = tuple(Participant(person=person, order=number) for number, person in enumerate(ZONES, 1))


def world_with(people: Book) -> World:
    """A world whose planner is the real one."""
    world = World()
    world.planner = PolicyPlanner(people)  # type: ignore[assignment]
    return world


HERE = ZoneInfo("Europe/Amsterdam")
DAY = timedelta(days=1)
RHYTHM = Policy(
    tell_requester=NO_OFFER, hours="working", reminders=Reminders(first="3d", every="3d", most=4), escalation=None
)


def good_friday() -> date:
    """The next one before which there are two weeks left: a Friday off, and so is the Monday after it."""
    soon = datetime.now(HERE).date() + 15 * DAY
    years = (public_holidays("NL", year) for year in (soon.year, soon.year + 1))
    return next(day for year in years for day, name in sorted(year.items()) if name == "Good Friday" and day >= soon)


def instant_on(day: date, clock: int, minute: int = 0) -> datetime:
    """An instant on the clocks of Amsterdam."""
    return datetime.combine(day, time(clock, minute), HERE)


def over_easter() -> SignatureInput:
    """A request for one signer, due on Easter Monday."""
    request = a_request(Participant(person="chief-executive", order=1))
    return request.replace(policy=RHYTHM, due=good_friday() + 3 * DAY)


async def test_over_easter_the_last_warning_comes_on_maundy_thursday_and_nothing_on_the_days_off() -> None:
    world, friday = world_with(PEOPLE), good_friday()
    async with start_story(world, over_easter(), begins=instant_on(friday - 11 * DAY, 9, 30)) as story:
        assert (await story.handle.result()).outcome is Status.EXPIRED
        view = await story.read_view()
    nudges = [line for line in view.notifications if line.stage != "settled"]
    sent = [f"{n.at.astimezone(HERE):%a %d %Hh} {n.stage}" for n in nudges if n.outcome is NotificationOutcome.ACCEPTED]
    assert sent == [
        f"{friday - 11 * DAY:%a %d} 09h ready",
        f"{friday - 8 * DAY:%a %d} 09h reminder-1",
        f"{friday - 4 * DAY:%a %d} 09h reminder-2",
        f"{friday - 1 * DAY:%a %d} 09h warning-1d",
    ]
    left_out = {line.stage: line.why for line in nudges if line.outcome is NotificationOutcome.SUPPRESSED}
    assert left_out == {"reminder-3": "too_soon", "reminder-4": "quiet_hours", "warning-2d": "too_soon"}
    assert view.due_at == instant_on(friday + 3 * DAY, 18)
    [expired] = [entry.at for entry in view.timeline if entry.what == "expired"]
    assert timedelta() <= expired - instant_on(friday + 3 * DAY, 18) < timedelta(minutes=1)


@pytest.mark.long
async def test_a_last_warning_that_could_not_be_sent_before_easter_holds_the_expiry_until_it_was() -> None:
    world, friday = world_with(PEOPLE), good_friday()
    async with start_story(world, over_easter(), begins=instant_on(friday - 11 * DAY, 9, 30)) as story:
        await story.move_clock_to(instant_on(friday - DAY, 8))
        world.push.failures = [refusal(Code.UNREACHABLE, wait=timedelta(hours=1)) for _ in range(1_000)]
        await story.move_clock_to(instant_on(friday + 4 * DAY, 10))
        waiting = await story.read_view()
        assert (waiting.status, waiting.problem is not None) == (Status.SENT, True)
        world.push.failures = []
        assert (await story.handle.result()).outcome is Status.EXPIRED
        view = await story.read_view()
    [warned] = [line.at for line in view.notifications if line.stage == "warning-1d"]
    [expired] = [entry.at for entry in view.timeline if entry.what == "expired"]
    assert instant_on(friday + 4 * DAY, 10) <= warned <= instant_on(friday + 4 * DAY, 11, 1)
    assert expired >= warned


async def test_a_pause_over_a_weekend_moves_the_reminder_and_the_due_date_by_its_length() -> None:
    world, london = world_with(PEOPLE), ZoneInfo("Europe/London")
    wednesday = datetime.now(london).replace(hour=10, minute=0, second=0, microsecond=0)
    wednesday += (14 + 2 - wednesday.weekday()) * DAY
    request = a_request(Participant(person="deputy", order=1)).replace(policy=RHYTHM)
    async with start_story(world, request, begins=wednesday) as story:
        await story.move_clock_to((wednesday + 2 * DAY).replace(hour=17))
        view_before = await story.read_view()
        await story.send_command(PauseCommand(actor="legal-desk", reason="weekend"))
        await story.move_clock_to((wednesday + 5 * DAY).replace(hour=8))
        paused = await story.read_view()
        assert paused.says == "Waiting for deputy; reminders are paused: paused by legal-desk: weekend"
        await story.send_command(Resumption(actor="legal-desk"))
        await story.move_clock_to((wednesday + 6 * DAY).replace(hour=8, minute=59))
        assert world.push.stages() == [("ready", "deputy")]
        await story.move_clock_to((wednesday + 6 * DAY).replace(hour=9, minute=20))
        view_after = await story.read_view()
    # Saturday 10:00 and the 63 hours make Tuesday 01:00, when nobody is told anything.
    assert view_before.next is not None and view_before.next.at is not None
    assert f"{view_before.next.at.astimezone(london):%a %H}" == "Mon 09"
    assert world.push.stages() == [("ready", "deputy"), ("reminder-1", "deputy")]
    assert view_before.due_at is not None and view_after.due_at is not None
    # From Wednesday 10:00 and the 63 hours, which make Saturday 01:00; the window ends with the working day.
    moved_by = view_after.due_at.astimezone(london).date() - view_before.due_at.astimezone(london).date()
    assert (moved_by, f"{view_after.due_at.astimezone(london):%H:%M}") == (3 * DAY, "18:00")


@pytest.mark.long
async def test_three_signers_in_three_zones_are_reminded_in_their_own_working_hours_and_on_no_holiday() -> None:
    world = world_with(PEOPLE)
    policy = Policy(tell_requester=NO_OFFER, window="90d", hours="working", escalation=None, warnings=())
    async with start_story(world, a_request(*THREE).replace(policy=policy)) as story:
        for person in ZONES:
            await story.days_pass(25)
            world.signatures.sign(person)
            if person == "auditor":
                world.signatures.status = Status.SIGNED
            await story.callback("signer_signed")
        assert (await story.handle.result()).outcome is Status.SIGNED
        view = await story.read_view()
    reminders = [n for n in view.notifications if n.stage.startswith("reminder") and not is_needless(n)]
    assert {n.person for n in reminders} == set(ZONES)
    assert len(reminders) == 3 * 4
    holidays_of_zone = holidays.country_holidays("NL")
    told_reminders = [line for line in reminders if line.outcome is NotificationOutcome.ACCEPTED]
    assert told_reminders == reminders, "days off use none up"
    for reminder in told_reminders:
        local_time = reminder.at.astimezone(ZoneInfo(ZONES[reminder.person]))
        assert 9 <= local_time.hour < 18, (reminder.person, local_time)
        assert local_time.weekday() < 5, (reminder.person, local_time)
        assert local_time.date() not in holidays_of_zone, (reminder.person, local_time)


async def test_an_urgent_approval_is_reminded_and_handed_over_within_hours_at_any_time_of_day() -> None:
    world = world_with(PEOPLE)
    policy = Policy(
        window="12h",
        hours="any",
        urgent=True,
        reminders=Reminders(first="1h", every="2h", most=2),
        warnings=(),
        escalation=Escalation(
            after="5h", or_=None, action=EscalationAction.REASSIGN, to=("alternates",), alternates=("deputy",)
        ),
    )
    request = a_request(Participant(person="chief-executive", order=1)).replace(policy=policy)
    async with start_story(world, request) as story:
        await story.days_pass(5.1 / 24)
        view = await story.read_view()
        sent = next(entry.at for entry in view.timeline if entry.what == "sent")
        hours = [
            (n.stage, round((n.at - sent) / timedelta(hours=1), 1))
            for n in view.notifications
            if n.stage.startswith("reminder") and n.person == "chief-executive" and not is_needless(n)
        ]
        assert hours == [("reminder-1", 1.0), ("reminder-2", 3.0)]
        assert [waiting.person for waiting in view.waiting_for] == ["deputy"]
        world.signatures.sign("deputy", SignerState.SIGNED)
        world.signatures.status = Status.SIGNED
        await story.callback()
        assert (await story.handle.result()).outcome is Status.SIGNED


@pytest.mark.long
async def test_rules_of_zones_and_holidays_that_a_deploy_changes_count_for_what_is_planned_from_then_on() -> None:
    """What was planned stays as it was recorded: no history is read by other rules than it was written by."""
    world, friday = world_with(PEOPLE), good_friday()
    changed = Book(make_person("legal-desk"), make_person("chief-executive", "Europe/Helsinki", calendar="NL"))
    async with time_skipping() as env:
        await env.sleep(instant_on(friday - 11 * DAY, 9, 30) - await env.get_current_time())
        async with workers(env.client, world, max_cached_workflows=0):
            story = await begin(env, world, over_easter())
            await story.move_clock_to(instant_on(friday - 8 * DAY, 12))
            view_before = await story.read_view()
        world.planner = PolicyPlanner(changed)  # type: ignore[assignment]
        async with workers(env.client, world, max_cached_workflows=0):
            assert (await story.read_view()).due_at == view_before.due_at
            await story.move_clock_to(instant_on(friday - 4 * DAY, 12))
            await story.send_command(Extension(actor="legal-desk", due=friday + 10 * DAY))
            await story.move_clock_to(instant_on(friday, 12))
            view = await story.read_view()
        assert await replay([await story.handle.fetch_history()]) == []
    sent = [
        f"{n.at.astimezone(HERE):%a %d %Hh} {n.stage}"
        for n in view.notifications
        if n.outcome is NotificationOutcome.ACCEPTED
    ]
    assert sent == [
        f"{friday - 11 * DAY:%a %d} 09h ready",
        f"{friday - 8 * DAY:%a %d} 09h reminder-1",
        f"{friday - 4 * DAY:%a %d} 09h reminder-2",
        f"{friday - 1 * DAY:%a %d} 08h reminder-3",
    ]
    assert (view_before.due_at, view.due_at) == (instant_on(friday + 3 * DAY, 18), instant_on(friday + 10 * DAY, 17))
