"""An approval, which no product file knows: started, notified, reminded, escalated, listed, shown, on the desk and on a
phone, handed off.
"""

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from temporalio.worker import Worker

import tests.kinds.approval.everywhere  # noqa: F401
from activities.hand_off.http_call import Events
from activities.keys import KeyRing
from activities.launch import launch
from activities.notifications.links import LinkUse, SigningLinks
from activities.notifications.message import compose
from activities.people.file_directory import FileDirectory
from activities.people.language import Language
from activities.people.reader import Reader
from activities.records.ended import ListFilter
from activities.records.store import Store
from starter.cli import tables
from starter.cli.app import LazyApp, register
from starter.queries import lists, lookup
from starter.temporal.connection import Context
from starter.temporal.plugin import workflows
from starter.web.acting.actions import Action
from starter.web.desk.lists import RowFormatter
from tests.faults.town import eventually
from tests.kinds.approval.commands import prepared
from tests.kinds.approval.kind import APPROVAL, Approval, ApprovalShow, EscalatedApproval, SettledApproval
from tests.kinds.approval.workflow import ApprovalInput, ApprovalWorkflow
from tests.servers import time_skipping
from tests.starter.cli.test_tables import render
from tests.starter.queries.living import desk_at
from tests.starter.queries.test_listing import open_request
from tests.starter.web.desk.office import ENGINEER, NOW, OWNER, inside, office
from tests.starter.web.desk.office import text_of as desk_text
from tests.starter.web.paging import FIRST, option_of, phone, text_of
from tests.workflows.fakes import World
from tests.workflows.stage import NO_OFFER, Story
from workflows.hand_off.workflow import HandOffWorkflow
from workflows.kinds import kinds, named
from workflows.model.commands import TaskCompletion, Waiver
from workflows.model.policy import Policy, Target
from workflows.model.records import SettledRecord
from workflows.model.subject import Participant, Role, Status
from workflows.model.views import AssigneeLine, Choices, WaitingFor
from workflows.names import WORKFLOW_QUEUE

REFERENCE = "approval:offer"
TITLE = "Offer of 12 May"
LINKS = SigningLinks("https://sign.example", KeyRing([SecretStr("0123456789abcdef0123456789abcdef")]))
CRM = Target(target="crm", url="https://crm.example/hooks", on=(Status.DONE, Status.DECLINED, "escalated"))


def approval(person: str = ENGINEER) -> ApprovalInput:
    """Of an offer, by one person."""
    assignees = (Participant(person=person, role=Role.DO),)
    task = Approval(id="offer", kind="offer", title=TITLE, requester=OWNER, people=assignees)
    return ApprovalInput(task=task, policy=Policy(expires=False, handoff=(CRM,), tell_requester=NO_OFFER))


def make_view(person: str = ENGINEER, **changes: object) -> ApprovalShow:
    """What its workflow says while it waits."""
    view = ApprovalShow(
        id="offer",
        kind="offer",
        title=TITLE,
        requester=OWNER,
        status=Status.OPEN,
        people=(AssigneeLine(person=person, state="asked"),),
        waiting_for=(WaitingFor(person=person, since=NOW - timedelta(days=4)),),
        choices=(Choices(person=person, snoozes_left=2, snooze_until=None, hand_over=False, ask=False),),
        says=f"Waiting for {person}",
    )
    return view.replace(**changes)


@asynccontextmanager
async def start_approval(world: World, folder: Path) -> AsyncIterator[Story]:
    """One on the stage, by the one start path."""
    activities = [*world.planner.activities(), *world.push.activities(), *world.handoff.activities()]
    async with (
        time_skipping() as env,
        Worker(
            env.client,
            task_queue=WORKFLOW_QUEUE,
            workflows=[ApprovalWorkflow, HandOffWorkflow],
            activities=activities,
        ),
    ):
        start = await launch.start(env.client, Store(folder.as_uri()), prepared(approval()))
        assert (start.created, start.workflow_id) == (True, REFERENCE)
        story = Story(env, world, env.client.get_workflow_handle(start.workflow_id), glances=5_000)

        async def is_asked() -> bool:
            return bool(world.push.stages())

        assert await eventually(is_asked)
        await story.at_rest()
        yield story


async def test_a_person_is_asked_reminded_escalated_and_says_no_which_is_handed_off(tmp_path: Path) -> None:
    world = World()
    async with start_approval(world, tmp_path) as story:
        await story.days_pass(4)
        await story.days_pass(9)
        stages = world.push.stages()
        assert stages[:2] == [("ready", ENGINEER), ("reminder-1", ENGINEER)]
        assert ("escalation", "chair") in stages
        view = await story.handle.query("show", result_type=ApprovalShow)
        assert [waiting.person for waiting in view.waiting_for] == [ENGINEER]
        receipt = await story.send_command(Waiver(actor=ENGINEER, reason="It is too dear."))
        assert receipt.status is Status.DECLINED
        settlement = await story.handle.result()
        assert SettledApproval.model_validate(settlement).by == ENGINEER
    calls = [call for batch in world.handoff.batches for call in batch.calls if call.target.name == "crm"]
    assert [type(call.escalated) for call in calls] == [EscalatedApproval, type(None)]
    facts = world.handoff.batches[-1].settled
    assert isinstance(facts, SettledApproval) and (facts.approval, facts.outcome) == ("offer", Status.DECLINED)


async def test_it_is_started_once_and_its_words_lead_to_its_page(tmp_path: Path) -> None:
    world = World()
    async with start_approval(world, tmp_path) as story:
        repeated = await launch.start(story.env.client, Store(tmp_path.as_uri()), prepared(approval()))
        assert not repeated.created
        await story.send_command(TaskCompletion(actor=ENGINEER))
        await story.handle.result()
    delivery = world.push.deliveries[0]
    notice = delivery.notices[0]
    message = compose(delivery, notice, Reader.unknown(Language.english()), LINKS)
    assert (message.title, message.request) == (f"To approve: {TITLE}", "offer")
    assert "/approval/" in message.link
    assert LINKS.open(message.link.rpartition("/")[2]).use is LinkUse.DO


async def test_its_end_is_an_event_of_its_own_and_its_record_is_read_as_what_it_is(tmp_path: Path) -> None:
    facts = SettledApproval(approval="offer", kind="offer", outcome=Status.DONE, at=NOW, by=ENGINEER)
    people = tmp_path / "people.yaml"
    people.write_text("people: []\n")
    store = Store((tmp_path / "store").as_uri())
    body = await Events(FileDirectory(people, store), store).body(CRM, "msg_1", approval().subject, facts, NOW)
    assert (body["type"], body["data"]["approval"], body["data"]["by"]) == ("approval.settled", "offer", ENGINEER)
    record = SettledRecord(fingerprint="f" * 64, run_id="r", show=make_view(), settled=facts)
    read = SettledRecord.model_validate_json(record.model_dump_json())
    assert (read.show, read.settled) == (make_view(), facts)
    assert read.model_dump(mode="json")["show"]["type"] == "approval"


@pytest.mark.real_server
async def test_it_is_listed_and_shown_by_its_own_words(dev_server: str, tmp_path: Path) -> None:
    context: Context = await desk_at(dev_server, tmp_path)
    await open_request(context, "offer", kind="offer", person=(ENGINEER,), status=Status.OPEN, follow_up_kind=APPROVAL)
    list_query = ListFilter(types=(APPROVAL.spec.prefix,))

    async def is_listed() -> bool:
        return (await lists.page(context, list_query)).total == 1

    assert await eventually(is_listed)
    listed = render(None, tables.of_list((await lists.page(context, list_query)).lines, APPROVAL))
    assert all(text_part in listed for text_part in ("approval", "title", "owner", "offer", ENGINEER))
    view = await lookup.show_of(APPROVAL, context, "offer")
    assert isinstance(view, ApprovalShow) and view.partial
    printed = render(None, tables.of_shown(make_view()))
    assert all(text_part in printed for text_part in (f"Waiting for {ENGINEER}", TITLE, "asked"))


def test_the_command_the_worker_and_the_registry_know_it() -> None:
    app = LazyApp(name="countersign")
    register(app)
    assert {"show", "list", "approve", "decline", "remind"} <= app["approval"].resolved_commands().keys()
    assert ApprovalWorkflow in workflows()
    assert APPROVAL in kinds() and named(REFERENCE) == (APPROVAL, "offer")


@pytest.mark.long
def test_a_package_brings_it_by_an_entry_point(tmp_path: Path) -> None:
    package = tmp_path / "approval-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: approval\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text("[countersign.kinds]\napproval = tests.kinds.approval.everywhere\n")
    path = os.pathsep.join((str(tmp_path), str(Path(__file__).parents[2])))
    arguments = [sys.executable, "-m", "starter", "approval", "--help"]
    env = {**os.environ, "PYTHONPATH": path}
    completed = subprocess.run(arguments, env=env, capture_output=True, text=True, check=True)  # noqa: S603
    assert "One approval: look at it" in completed.stdout and "decline" in completed.stdout


async def test_the_desk_has_its_page_and_takes_a_no(tmp_path: Path) -> None:
    async with office(tmp_path) as desk:
        desk.views[REFERENCE] = make_view()
        owner = await desk.come_in(OWNER)
        text = desk_text(await owner.get("/desk/approvals/offer"))
        for text_part in (TITLE, "Waiting for Engineer.", "Who decides", "Say yes", "Say no"):
            assert text_part in text
        page = await owner.get("/desk/approvals/offer/waive")
        answer = await owner.press(page, text="Not this year.")
        assert inside(answer).endswith("/desk/approvals/offer?done=waive")
        [(reference, command, _)] = desk.commands
        assert (reference, command.model_copy(update={"op": None})) == (
            REFERENCE,
            Waiver(actor=OWNER, reason="Not this year."),
        )


async def test_it_is_a_row_of_the_lists_of_the_desk() -> None:
    async def named_so(id: str, _: str | None) -> str:
        return id.title()

    async def label(kind: str, _: Language) -> str:
        return kind.title()

    line = lists.RequestLine(
        id="offer", kind="offer", status="open", document=TITLE, waiting_for=(ENGINEER,), workflow_id=REFERENCE
    )
    reader = RowFormatter(Reader.unknown(Language.english()), named_so, label, NOW)
    row = await reader.row(line)
    assert (row.path, row.title, row.waiting_for) == ("approvals/offer", TITLE, ENGINEER.title())
    assert (await reader.row(line, titled=False)).title == "An approval"


async def test_the_page_on_a_phone_asks_for_yes_or_no(tmp_path: Path) -> None:
    async with phone(tmp_path) as phone_app:
        phone_app.views[REFERENCE] = make_view(FIRST, requester="legal-desk")
        link = phone_app.link(FIRST, LinkUse.DO, REFERENCE)
        assert link.startswith("/approval/")
        page = (await phone_app.open(link)).text
        assert "Your approval is needed" in text_of(page) and TITLE in text_of(page)
        assert "Say no" in text_of(page) and option_of(page, Action.WAIVE)
        await phone_app.press(link)
        await phone_app.post_option(link, Action.WAIVE, text="It is too dear.")
        assert [command for command, _ in phone_app.recorder.commands] == [
            TaskCompletion(actor=FIRST),
            Waiver(actor=FIRST, reason="It is too dear."),
        ]
        phone_app.views[REFERENCE] = make_view(FIRST, status=Status.DECLINED, choices=())
        assert "This approval has ended" in text_of((await phone_app.open(link)).text)
