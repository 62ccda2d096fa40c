"""Stories with the real planner: people's own calendars over virtual weeks, whatever day the test runs on."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import holidays

from activities.planner import PolicyPlanner
from tests.activities.book import Book, somebody
from tests.workflows.fakes import World
from tests.workflows.stage import a_request, story
from workflows.glance import is_needless
from workflows.model import Escalation, EscalationAction, Policy, Reminders, Signer, SignerState, Status

ZONES = {"customer-signer": "America/New_York", "chief-executive": "Europe/Amsterdam", "auditor": "Asia/Tokyo"}
PEOPLE = Book(
    somebody("legal-desk"),
    *(somebody(person, zone, calendar="NL") for person, zone in ZONES.items()),
    somebody("deputy", "Europe/London"),
)
THREE = tuple(Signer(person=person, order=number) for number, person in enumerate(ZONES, 1))


def world_with(people: Book) -> World:
    """A world whose planner is the real one."""
    world = World()
    world.planner = PolicyPlanner(people)  # type: ignore[assignment]
    return world


async def test_three_signers_in_three_zones_are_reminded_in_their_own_working_hours_and_on_no_holiday() -> None:
    world = world_with(PEOPLE)
    policy = Policy(window="90d", hours="working", escalation=None, warnings=())
    async with story(world, a_request(*THREE).having(policy=policy)) as it:
        for person in ZONES:
            await it.days_pass(25)
            world.signatures.sign(person)
            if person == "auditor":
                world.signatures.status = Status.SIGNED
            await it.callback("signer_signed")
        assert (await it.handle.result()).outcome is Status.SIGNED
        shown = await it.shown()
    reminders = [n for n in shown.notifications if n.stage.startswith("reminder") and not is_needless(n)]
    assert {n.person for n in reminders} == set(ZONES)
    assert len(reminders) == 3 * 4
    off = holidays.country_holidays("NL")
    for reminder in reminders:
        there = reminder.at.astimezone(ZoneInfo(ZONES[reminder.person]))
        assert 9 <= there.hour < 18, (reminder.person, there)
        assert there.weekday() < 5, (reminder.person, there)
        assert there.date() not in off, (reminder.person, there)


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
    request = a_request(Signer(person="chief-executive", order=1)).having(policy=policy)
    async with story(world, request) as it:
        await it.days_pass(5.1 / 24)
        shown = await it.shown()
        sent = next(entry.at for entry in shown.timeline if entry.what == "sent")
        hours = [
            (n.stage, round((n.at - sent) / timedelta(hours=1), 1))
            for n in shown.notifications
            if n.stage.startswith("reminder") and n.person == "chief-executive" and not is_needless(n)
        ]
        assert hours == [("reminder-1", 1.0), ("reminder-2", 3.0)]
        assert [one.person for one in shown.waiting_for] == ["deputy"]
        world.signatures.sign("deputy", SignerState.SIGNED)
        world.signatures.status = Status.SIGNED
        await it.callback()
        assert (await it.handle.result()).outcome is Status.SIGNED
