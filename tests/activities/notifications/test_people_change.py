"""Stories with real people, planner, notices and Core Signature: who can be told when, also when that changes."""

from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from activities.core_signature.service import CoreSignatureService
from activities.notifications.service import NotificationService
from activities.people.file_directory import FileDirectory
from activities.records.absences import AbsenceRow
from activities.records.store import Store
from activities.schedule.planner import PolicyPlanner
from activities.schedule.turn import by_day
from deploy.sandbox.server import RunningSandbox
from tests.activities.notifications.stage import entries
from tests.workflows.fakes import World
from tests.workflows.stage import a_request, start_story
from workflows.model.absence import AbsenceNews
from workflows.model.notifications import Channel, Notification, NotificationOutcome
from workflows.model.policy import Escalation, EscalationAction, Policy, Reminders
from workflows.model.subject import Code, Participant
from workflows.names import ABSENCE
from workflows.signature.state import SignatureInput

PDF = b"%PDF-1.7\n%%EOF\n"
WEST, EAST = ZoneInfo("America/Los_Angeles"), ZoneInfo("Asia/Kolkata")
DAY = timedelta(days=1)
EVERY_TWO_DAYS = Policy(
    window="30d", hours="working", reminders=Reminders(first="2d", every="2d", most=10), escalation=None
)
DESK = "  - {id: legal-desk, name: D, email: desk@example.test, zone: UTC, devices: [{token: desk~1, platform: web}]}\n"


@pytest.fixture
def world(signatures: CoreSignatureService, notices: NotificationService, directory: FileDirectory) -> World:
    """Everything real but the hand-off."""
    world = World()
    world.signatures, world.push, world.planner = signatures, notices, PolicyPlanner(directory)  # type: ignore[assignment]
    return world


def people(folder: Path, *lines: str) -> None:
    """Write the people file, beside the requester."""
    (folder / "people.yaml").write_text("people:\n" + DESK + "".join(f"  - {{{line}}}\n" for line in lines))


def person(id: str, zone: str, more: str = "") -> str:
    return f"id: {id}, name: N, email: {id}@example.test, zone: {zone}{more}"


async def request(store: Store, policy: Policy, *signers: str) -> SignatureInput:
    asked = a_request(*(Participant(person=one, order=1) for one in signers), handoff=()).replace(policy=policy)
    document = asked.brief.document.replace(sha256=await store.files.put(PDF))
    return asked.replace(brief=asked.brief.replace(document=document))


def monday(hour: int) -> datetime:
    soon = datetime.now(WEST) + 10 * DAY
    return (soon + (7 - soon.weekday()) * DAY).replace(hour=hour, minute=0, second=0, microsecond=0)


def reminded(lines: tuple[Notification, ...], stage: str = "reminder-") -> list[Notification]:
    return [line for line in lines if line.stage.startswith(stage)]


@pytest.mark.parametrize("hours", ["working", "any"])
async def test_in_ten_days_los_angeles_and_kolkata_are_reminded_without_a_phone(
    world: World, sandbox: RunningSandbox, store: Store, tmp_path: Path, hours: str
) -> None:
    people(tmp_path, person("west", WEST.key), person("east", EAST.key))
    asked = await request(store, EVERY_TWO_DAYS.replace(hours=hours), "west", "east")
    async with start_story(world, asked, begins=monday(9)) as it:
        await it.days_pass(10)
        shown = await it.read_view()
    own = [line for line in reminded(shown.notifications) if line.outcome is not NotificationOutcome.SUPPRESSED]
    own = [line for line in own if "along" not in line.stage]
    assert {line.person for line in own} == {"west", "east"}
    assert {(line.channel, line.outcome) for line in own} == {(Channel.MAIL, NotificationOutcome.ACCEPTED)}
    assert len(own) >= 6
    for line in own:
        assert by_day(EAST if line.person == "west" else WEST).open_at(line.at), line
    assert len([mail for mail in entries(sandbox, "mail") if mail["kind"] == "resend"]) >= 2 * len(own)
    assert shown.next is not None and shown.next.what == "remind"


async def test_an_absence_entered_after_the_plan_counts_before_the_nudge(
    world: World, store: Store, tmp_path: Path
) -> None:
    phone = ", devices: [{token: finance-chief~1, platform: ios}]"
    people(tmp_path, person("west", WEST.key, phone))
    start = monday(9)
    async with start_story(world, await request(store, EVERY_TWO_DAYS, "west"), begins=start) as it:
        await it.days_pass(1)
        until = (start + 6 * DAY).date()
        away = f", absent: [{{from: {(start + DAY).date()}, until: {until}}}]"
        people(tmp_path, person("west", WEST.key, phone + away))
        await it.move_clock_to(start + 3 * DAY)
        gone = await it.read_view()
        assert reminded(gone.notifications) == []
        assert ("reminder-1 put off", "west", "absent") in [(one.what, one.who, one.why) for one in gone.timeline]
        assert gone.next is not None and gone.next.at is not None and gone.next.at.astimezone(WEST).date() > until
        await it.move_clock_to(start + 9 * DAY)
        back = await it.read_view()
    assert [line.at.astimezone(WEST).date() > until for line in reminded(back.notifications) if line.devices]


async def test_of_whoever_becomes_absent_the_delegate_is_asked_as_the_policy_says(
    world: World, store: Store, tmp_path: Path
) -> None:
    escalation = Escalation(after="20d", or_=None, action=EscalationAction.NOTIFY, to=("delegate",))
    phone, other = (f", devices: [{{token: p~{number}, platform: ios}}]" for number in (1, 2))
    deputy = person("deputy", WEST.key, other)
    people(tmp_path, person("west", WEST.key, phone), deputy)
    start = monday(9)
    policy = EVERY_TWO_DAYS.replace(escalation=escalation)
    async with start_story(world, await request(store, policy, "west"), begins=start) as it:
        await it.days_pass(1)
        away = f", delegate: deputy, absent: [{{from: {(start + DAY).date()}, until: {(start + 8 * DAY).date()}}}]"
        people(tmp_path, person("west", WEST.key, phone + away), deputy)
        await it.move_clock_to(start + 3 * DAY)
        shown = await it.read_view()
    assert [(one.from_, one.to, one.reason) for one in shown.escalations] == [("west", "deputy", "absence")]


async def test_a_new_phone_counts_at_the_next_nudge(world: World, store: Store, tmp_path: Path) -> None:
    people(tmp_path, person("west", WEST.key))
    start = monday(9)
    async with start_story(world, await request(store, EVERY_TWO_DAYS, "west"), begins=start) as it:
        await it.days_pass(1)
        people(tmp_path, person("west", WEST.key, ", devices: [{token: west~1, platform: ios}]"))
        await it.move_clock_to(start + 3 * DAY)
        shown = await it.read_view()
    [line] = reminded(shown.notifications)
    assert (line.channel, line.outcome, len(line.devices)) == (Channel.PUSH, NotificationOutcome.ACCEPTED, 1)


async def test_a_signer_who_leaves_is_a_problem_that_the_requester_hears_of_and_stops_nobody_else(
    world: World, sandbox: RunningSandbox, store: Store, tmp_path: Path
) -> None:
    phone, other = (f", devices: [{{token: finance-chief~{number}, platform: ios}}]" for number in (1, 2))
    west, east = person("west", WEST.key, phone), person("east", EAST.key, other)
    people(tmp_path, west, east)
    start = monday(9)
    async with start_story(world, await request(store, EVERY_TWO_DAYS, "west", "east"), begins=start) as it:
        await it.days_pass(1)
        people(tmp_path, east)
        await it.move_clock_to(start + 2.5 * DAY)
        gone = await it.read_view()
        people(tmp_path, west, east)
        await it.move_clock_to(start + 4 * DAY)
        back = await it.read_view()
    assert gone.problem is not None
    assert (gone.problem.code, gone.problem.says) == (Code.DIRECTORY, "west: not in the directory")
    [told] = [line for line in gone.notifications if line.stage == "missing"]
    assert (told.person, told.outcome) == ("legal-desk", NotificationOutcome.ACCEPTED)
    assert {line.person for line in reminded(gone.notifications)} == {"east"}
    assert back.problem is None
    assert {line.person for line in reminded(back.notifications)} == {"west", "east"}


async def test_who_leaves_while_nothing_is_planned_is_missed_within_a_week(
    world: World, store: Store, tmp_path: Path
) -> None:
    silent = EVERY_TWO_DAYS.replace(window="60d", reminders=None, warnings=())
    people(tmp_path, person("west", WEST.key))
    start = monday(9)
    async with start_story(world, await request(store, silent, "west"), begins=start) as it:
        await it.days_pass(1)
        people(tmp_path, person("east", EAST.key))
        await it.move_clock_to(start + 7.2 * DAY)
        shown = await it.read_view()
    assert shown.problem is not None and shown.problem.code is Code.DIRECTORY
    assert [line.person for line in shown.notifications if line.stage == "missing"] == ["legal-desk"]


async def test_of_whoever_has_left_somebody_who_can_act_is_told_as_the_policy_says(
    world: World, store: Store, tmp_path: Path
) -> None:
    escalation = Escalation(after="2d", or_=None, to=("alternates",), alternates=("deputy",))
    deputy = person("deputy", WEST.key, ", devices: [{token: d~1, platform: ios}]")
    people(tmp_path, person("west", WEST.key), deputy)
    start = monday(9)
    policy = EVERY_TWO_DAYS.replace(escalation=escalation)
    async with start_story(world, await request(store, policy, "west"), begins=start) as it:
        await it.days_pass(1)
        people(tmp_path, deputy)
        await it.move_clock_to(start + 2.1 * DAY)
        shown = await it.read_view()
    assert [(one.from_, one.to, one.reason) for one in shown.escalations] == [("west", "deputy", "escalation")]


async def test_an_absence_that_is_entered_hands_over_at_once_and_its_end_is_heard_as_well(
    world: World, store: Store, directory: FileDirectory, tmp_path: Path
) -> None:
    escalation = Escalation(after="20d", or_=None, action=EscalationAction.REASSIGN, to=("delegate",))
    phones = [f", devices: [{{token: p~{number}, platform: ios}}]" for number in range(3)]
    people(
        tmp_path, *(person(id, WEST.key, phone) for id, phone in zip(("west", "east", "deputy"), phones, strict=True))
    )
    start = monday(9)
    policy = EVERY_TWO_DAYS.replace(escalation=escalation)
    async with start_story(world, await request(store, policy, "west", "east"), begins=start) as it:
        await it.days_pass(1)
        for signer, acts in (("west", "deputy"), ("east", None)):
            span = (start, start + 20 * DAY)
            row = AbsenceRow(signer, signer, *span, acts, (), start, "boss")
            await store.absences.enter(row, lambda others: None)
        directory.absences.forget()
        for _ in range(2):
            for signer in ("west", "east", "stranger"):
                await it.handle.signal(ABSENCE, AbsenceNews(person=signer, by="boss", actor="sign-in:boss"))
        await it.handle.signal(ABSENCE, AbsenceNews(person="west", by="boss", kinds=("another-kind",)))
        await it.days_pass(0.1)
        gone = await it.read_view()
        await store.absences.end("east", "east", start)
        directory.absences.forget()
        await it.handle.signal(ABSENCE, AbsenceNews(person="east", by="east", back=True))
        await it.move_clock_to(start + 3 * DAY)
        back = await it.read_view()
    told = [(one.what, one.who, one.by) for one in gone.timeline if one.what == "away"]
    assert sorted(told) == [("away", "east", "boss"), ("away", "west", "boss")], "once each, however often it is heard"
    assert [(one.from_, one.to, one.reason) for one in gone.escalations] == [("west", "deputy", "absence")]
    assert [line for line in reminded(gone.notifications) if line.reached] == []
    assert {one.actor for one in gone.timeline if one.what == "away"} == {"sign-in:boss"}
    assert ("back", "east", "east") in [(one.what, one.who, one.by) for one in back.timeline]
    assert "east" in {line.person for line in reminded(back.notifications)}
