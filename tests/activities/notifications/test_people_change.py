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


def person(id: str, zone: str, fields: str = "") -> str:
    return f"id: {id}, name: N, email: {id}@example.test, zone: {zone}{fields}"


async def request(store: Store, policy: Policy, *signers: str) -> SignatureInput:
    signature_input = a_request(*(Participant(person=signer, order=1) for signer in signers), handoff=()).replace(
        policy=policy
    )
    document = signature_input.brief.document.replace(sha256=await store.files.put(PDF))
    return signature_input.replace(brief=signature_input.brief.replace(document=document))


def monday(hour: int) -> datetime:
    soon = datetime.now(WEST) + 10 * DAY
    return (soon + (7 - soon.weekday()) * DAY).replace(hour=hour, minute=0, second=0, microsecond=0)


def list_reminders(lines: tuple[Notification, ...], stage: str = "reminder-") -> list[Notification]:
    return [line for line in lines if line.stage.startswith(stage)]


@pytest.mark.long
@pytest.mark.parametrize("hours", ["working", "any"])
async def test_in_ten_days_los_angeles_and_kolkata_are_reminded_without_a_phone(
    world: World, sandbox: RunningSandbox, store: Store, tmp_path: Path, hours: str
) -> None:
    people(tmp_path, person("west", WEST.key), person("east", EAST.key))
    signature_input = await request(store, EVERY_TWO_DAYS.replace(hours=hours), "west", "east")
    async with start_story(world, signature_input, begins=monday(9)) as request_story:
        await request_story.days_pass(10)
        view = await request_story.read_view()
    own_reminders = [
        line for line in list_reminders(view.notifications) if line.outcome is not NotificationOutcome.SUPPRESSED
    ]
    own_reminders = [line for line in own_reminders if "along" not in line.stage]
    assert {line.person for line in own_reminders} == {"west", "east"}
    assert {(line.channel, line.outcome) for line in own_reminders} == {(Channel.MAIL, NotificationOutcome.ACCEPTED)}
    assert len(own_reminders) >= 6
    for line in own_reminders:
        assert by_day(EAST if line.person == "west" else WEST).open_at(line.at), line
    assert len([mail for mail in entries(sandbox, "mail") if mail["kind"] == "resend"]) >= 2 * len(own_reminders)
    assert view.next is not None and view.next.what == "remind"


async def test_an_absence_entered_after_the_plan_counts_before_the_nudge(
    world: World, store: Store, tmp_path: Path
) -> None:
    phone = ", devices: [{token: finance-chief~1, platform: ios}]"
    people(tmp_path, person("west", WEST.key, phone))
    start = monday(9)
    async with start_story(world, await request(store, EVERY_TWO_DAYS, "west"), begins=start) as request_story:
        await request_story.days_pass(1)
        absent_until = (start + 6 * DAY).date()
        absence = f", absent: [{{from: {(start + DAY).date()}, until: {absent_until}}}]"
        people(tmp_path, person("west", WEST.key, phone + absence))
        await request_story.move_clock_to(start + 3 * DAY)
        view_while_absent = await request_story.read_view()
        assert list_reminders(view_while_absent.notifications) == []
        assert ("reminder-1 put off", "west", "absent") in [
            (entry.what, entry.who, entry.why) for entry in view_while_absent.timeline
        ]
        assert (
            view_while_absent.next is not None
            and view_while_absent.next.at is not None
            and view_while_absent.next.at.astimezone(WEST).date() > absent_until
        )
        await request_story.move_clock_to(start + 9 * DAY)
        back = await request_story.read_view()
    assert [
        line.at.astimezone(WEST).date() > absent_until for line in list_reminders(back.notifications) if line.devices
    ]


@pytest.mark.long
async def test_of_whoever_becomes_absent_the_delegate_is_asked_as_the_policy_says(
    world: World, store: Store, tmp_path: Path
) -> None:
    escalation = Escalation(after="20d", or_=None, action=EscalationAction.NOTIFY, to=("delegate",))
    phone, other_phone = (f", devices: [{{token: p~{number}, platform: ios}}]" for number in (1, 2))
    deputy = person("deputy", WEST.key, other_phone)
    people(tmp_path, person("west", WEST.key, phone), deputy)
    start = monday(9)
    policy = EVERY_TWO_DAYS.replace(escalation=escalation)
    async with start_story(world, await request(store, policy, "west"), begins=start) as request_story:
        await request_story.days_pass(1)
        absence = f", delegate: deputy, absent: [{{from: {(start + DAY).date()}, until: {(start + 8 * DAY).date()}}}]"
        people(tmp_path, person("west", WEST.key, phone + absence), deputy)
        await request_story.move_clock_to(start + 3 * DAY)
        view = await request_story.read_view()
    assert [
        (escalation_entry.from_, escalation_entry.to, escalation_entry.reason) for escalation_entry in view.escalations
    ] == [("west", "deputy", "absence")]


async def test_a_new_phone_counts_at_the_next_nudge(world: World, store: Store, tmp_path: Path) -> None:
    people(tmp_path, person("west", WEST.key))
    start = monday(9)
    async with start_story(world, await request(store, EVERY_TWO_DAYS, "west"), begins=start) as request_story:
        await request_story.days_pass(1)
        people(tmp_path, person("west", WEST.key, ", devices: [{token: west~1, platform: ios}]"))
        await request_story.move_clock_to(start + 3 * DAY)
        view = await request_story.read_view()
    [line] = list_reminders(view.notifications)
    assert (line.channel, line.outcome, len(line.devices)) == (Channel.PUSH, NotificationOutcome.ACCEPTED, 1)


@pytest.mark.long
async def test_a_signer_who_leaves_is_a_problem_that_the_requester_hears_of_and_stops_nobody_else(
    world: World, sandbox: RunningSandbox, store: Store, tmp_path: Path
) -> None:
    phone, other_phone = (f", devices: [{{token: finance-chief~{number}, platform: ios}}]" for number in (1, 2))
    west, east = person("west", WEST.key, phone), person("east", EAST.key, other_phone)
    people(tmp_path, west, east)
    start = monday(9)
    async with start_story(world, await request(store, EVERY_TWO_DAYS, "west", "east"), begins=start) as request_story:
        await request_story.days_pass(1)
        people(tmp_path, east)
        await request_story.move_clock_to(start + 2.5 * DAY)
        view_while_missing = await request_story.read_view()
        people(tmp_path, west, east)
        await request_story.move_clock_to(start + 4 * DAY)
        back = await request_story.read_view()
    assert view_while_missing.problem is not None
    assert (view_while_missing.problem.code, view_while_missing.problem.says) == (
        Code.DIRECTORY,
        "west: not in the directory",
    )
    [missing_line] = [line for line in view_while_missing.notifications if line.stage == "missing"]
    assert (missing_line.person, missing_line.outcome) == ("legal-desk", NotificationOutcome.ACCEPTED)
    assert {line.person for line in list_reminders(view_while_missing.notifications)} == {"east"}
    assert back.problem is None
    assert {line.person for line in list_reminders(back.notifications)} == {"west", "east"}


@pytest.mark.long
async def test_who_leaves_while_nothing_is_planned_is_missed_within_a_week(
    world: World, store: Store, tmp_path: Path
) -> None:
    silent = EVERY_TWO_DAYS.replace(window="60d", reminders=None, warnings=())
    people(tmp_path, person("west", WEST.key))
    start = monday(9)
    async with start_story(world, await request(store, silent, "west"), begins=start) as request_story:
        await request_story.days_pass(1)
        people(tmp_path, person("east", EAST.key))
        await request_story.move_clock_to(start + 7.2 * DAY)
        view = await request_story.read_view()
    assert view.problem is not None and view.problem.code is Code.DIRECTORY
    assert [line.person for line in view.notifications if line.stage == "missing"] == ["legal-desk"]


@pytest.mark.long
async def test_of_whoever_has_left_somebody_who_can_act_is_told_as_the_policy_says(
    world: World, store: Store, tmp_path: Path
) -> None:
    escalation = Escalation(after="2d", or_=None, to=("alternates",), alternates=("deputy",))
    deputy = person("deputy", WEST.key, ", devices: [{token: d~1, platform: ios}]")
    people(tmp_path, person("west", WEST.key), deputy)
    start = monday(9)
    policy = EVERY_TWO_DAYS.replace(escalation=escalation)
    async with start_story(world, await request(store, policy, "west"), begins=start) as request_story:
        await request_story.days_pass(1)
        people(tmp_path, deputy)
        await request_story.move_clock_to(start + 2.1 * DAY)
        view = await request_story.read_view()
    assert [(entry.from_, entry.to, entry.reason) for entry in view.escalations] == [("west", "deputy", "escalation")]


@pytest.mark.long
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
    async with start_story(world, await request(store, policy, "west", "east"), begins=start) as request_story:
        await request_story.days_pass(1)
        for signer, acts in (("west", "deputy"), ("east", None)):
            span = (start, start + 20 * DAY)
            row = AbsenceRow(signer, signer, *span, acts, (), start, "boss")
            await store.absences.enter(row, lambda other_absences: None)
        directory.absences.mark_stale()
        for _ in range(2):
            for signer in ("west", "east", "stranger"):
                await request_story.handle.signal(ABSENCE, AbsenceNews(person=signer, by="boss", actor="sign-in:boss"))
        await request_story.handle.signal(ABSENCE, AbsenceNews(person="west", by="boss", kinds=("another-kind",)))
        await request_story.days_pass(0.1)
        view_while_absent = await request_story.read_view()
        await store.absences.end("east", "east", start)
        directory.absences.mark_stale()
        await request_story.handle.signal(ABSENCE, AbsenceNews(person="east", by="east", back=True))
        await request_story.move_clock_to(start + 3 * DAY)
        back = await request_story.read_view()
    absence_entries = [
        (entry.what, entry.who, entry.by) for entry in view_while_absent.timeline if entry.what == "away"
    ]
    assert sorted(absence_entries) == [("away", "east", "boss"), ("away", "west", "boss")], (
        "once each, however often it is heard"
    )
    assert [(entry.from_, entry.to, entry.reason) for entry in view_while_absent.escalations] == [
        ("west", "deputy", "absence")
    ]
    assert [line for line in list_reminders(view_while_absent.notifications) if line.reached] == []
    assert {entry.actor for entry in view_while_absent.timeline if entry.what == "away"} == {"sign-in:boss"}
    assert ("back", "east", "east") in [(entry.what, entry.who, entry.by) for entry in back.timeline]
    assert "east" in {line.person for line in list_reminders(back.notifications)}
