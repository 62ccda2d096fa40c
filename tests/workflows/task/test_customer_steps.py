"""A customer's step: whoever stands in full in its file is asked, blocked, answered and hands over as anybody else.

The planner and the directory are the real ones, so that a customer is found wherever one is looked up.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from temporalio.worker import Worker

from activities.schedule.planner import PolicyPlanner
from tests.activities.launch.papers import Desk, in_full
from tests.activities.launch.test_task_start import prepared
from tests.servers import time_skipping
from tests.workflows import corpus
from tests.workflows.fakes import World
from tests.workflows.task.test_tasks import TaskStory, sent_stages
from workflows.model.commands import Answer, Block, Delegation, Question, SnoozeCommand, TaskCompletion, Unblock
from workflows.model.receipts import OperationState
from workflows.model.subject import Status
from workflows.model.views import AttentionCode
from workflows.names import WORKFLOW_QUEUE
from workflows.task.workflow import TaskWorkflow

BUYER, OFFICE, ACCOUNTS = (in_full(f"{local_part}@example.org") for local_part in ("buyer", "office", "accounts"))
OWNER, STRANGER = "legal-desk", "chair"
PERSONAL: Final = ("Buyer", "Back office", "example.org", "Tokyo", "buyer~")
STEP: Final[dict[str, Any]] = {
    "id": "acme.3.1",
    "title": "Tell us where the invoices go",
    "who": {
        "name": "Buyer",
        "email": "buyer@example.org",
        "zone": "Asia/Tokyo",
        "devices": [{"token": "buyer~1", "platform": "ios"}],
    },
    "colleagues": [
        {"name": "Back office", "email": "office@example.org", "zone": "Asia/Tokyo"},
        {"name": "Accounts", "email": "accounts@example.org", "zone": "Asia/Tokyo"},
    ],
    "due": None,
    "within": "10d",
}


@asynccontextmanager
async def start_step(folder: Path, world: World, record: str = "", **changes: Any) -> AsyncIterator[TaskStory]:
    """A step that has just been started from its file, on a Monday; in the end nobody's particulars are in it."""
    desk = Desk(folder)
    task_input = await (await prepared(desk, of_parent=True, **STEP | changes)).store_input(desk.store)
    planner = PolicyPlanner(desk.directory)
    activities: list[Callable[..., Any]] = [
        planner.plan,
        planner.check,
        *world.push.activities(),
        *world.handoff.activities(),
    ]
    async with (
        time_skipping() as env,
        Worker(env.client, task_queue=WORKFLOW_QUEUE, workflows=[TaskWorkflow], activities=activities),
    ):
        begins = await env.get_current_time()
        await env.sleep(datetime.combine(begins + timedelta(days=7 - begins.weekday()), time(8), UTC) - begins)
        handle = await env.client.start_workflow(
            TaskWorkflow.run, task_input, id=task_input.task.workflow_id, task_queue=WORKFLOW_QUEUE
        )
        task = TaskStory(env, world, handle, glances=5_000)  # type: ignore[arg-type]
        await task.wait_until_notified("ready", BUYER)
        yield task
        history = (await handle.fetch_history()).to_json()
        assert not any(personal_text in history for personal_text in PERSONAL)
        await corpus.record(record, handle)


async def test_a_customer_who_is_blocked_is_heard_and_the_clocks_stand_until_the_owner_answers(tmp_path: Path) -> None:
    world = World()
    async with start_step(tmp_path, world, record="step-blocked") as task:
        view_before = await task.read_task()
        assert [waiting.person for waiting in view_before.waiting_for] == [BUYER]
        await task.send_command(Block(person=BUYER, because="We have no such department."))
        await task.wait_until_notified("blocked-1", OWNER)
        stuck = await task.read_task()
        assert stuck.question is not None and stuck.question.text == "We have no such department."
        assert [attention.code for attention in stuck.attention] == [AttentionCode.BLOCKED]
        await task.days_pass(2)
        assert [stage for stage, person in sent_stages(world) if person == BUYER] == ["ready"]
        assert ("unanswered-1", OWNER) in sent_stages(world)
        await task.send_command(Unblock(actor=OWNER, text="Any address of yours will do."))
        await task.wait_until_notified("answer-1", BUYER)
        view_after = await task.read_task()
        assert [question.answer for question in view_after.answered] == ["Any address of yours will do."]
        assert view_before.due_at is not None and view_after.due_at is not None
        assert view_after.due_at - view_before.due_at >= timedelta(days=2)
        await task.days_pass(4)
        assert ("reminder-1", BUYER) in sent_stages(world)
        await task.send_command(TaskCompletion(actor=BUYER))
        assert (await task.handle.result()).outcome is Status.DONE


async def test_what_an_owner_never_clears_goes_on_as_long_after_as_the_policy_says(tmp_path: Path) -> None:
    """Nobody's silence stops a step for good; the owner's own manager has heard of it by then."""
    world = World()
    async with start_step(tmp_path, world, policy={"question": {"pause": "3d"}}) as task:
        await task.send_command(Block(person=BUYER, because="We have no such department."))
        await task.days_pass(10)
        view = await task.read_task()
        assert any(entry.what == "the clocks go on" for entry in view.timeline)
        assert [attention.code for attention in view.attention] == [AttentionCode.BLOCKED]
        assert ("reminder-1", BUYER) in sent_stages(world)


async def test_a_customer_asks_and_puts_it_off_as_anybody_does(tmp_path: Path) -> None:
    world = World()
    async with start_step(tmp_path, world) as task:
        await task.send_command(Question(person=BUYER, text="Which address?"))
        await task.wait_until_notified("question-1", OWNER)
        await task.send_command(Answer(actor=OWNER, text="The one on your orders."))
        await task.wait_until_notified("answer-1", BUYER)
        now = await task.env.get_current_time()
        await task.send_command(SnoozeCommand(person=BUYER, until=now + timedelta(days=1)))
        await task.at_rest()
        assert (await task.read_task()).choices[0].reminded_at == now + timedelta(days=1)


@pytest.mark.long
async def test_a_customer_hands_over_to_a_named_colleague_and_to_nobody_else(tmp_path: Path) -> None:
    world = World()
    async with start_step(tmp_path, world, record="step-handed-over") as task:
        assert (await task.read_task()).colleagues == (OFFICE, ACCOUNTS)
        for stranger in (STRANGER, "signer-9"):
            refused = await task.read_refusal(Delegation(actor=BUYER, signer=BUYER, to=stranger))
            assert refused == f"{stranger} is not one of the colleagues to whom it can be handed over"
        receipt = await task.send_command(Delegation(actor=BUYER, signer=BUYER, to=OFFICE))
        assert (receipt.state, receipt.detail) == (OperationState.DONE, f"handed over to {OFFICE}")
        await task.wait_until_notified("ready", OFFICE)
        await task.wait_until_notified("reassigned", BUYER)
        assert await task.read_refusal(Delegation(actor=BUYER, signer=OFFICE, to=BUYER)) == f"{BUYER} was asked before"
        await task.send_command(Delegation(actor=OFFICE, signer=OFFICE, to=ACCOUNTS))
        await task.wait_until_notified("ready", ACCOUNTS)
        await task.send_command(TaskCompletion(actor=ACCOUNTS))
        settlement = await task.handle.result()
        assert {person.person: person.state for person in settlement.people} == {
            BUYER: "reassigned",
            OFFICE: "reassigned",
            ACCOUNTS: "done",
        }


async def test_whoever_runs_it_hands_over_to_anybody_there_is(tmp_path: Path) -> None:
    async with start_step(tmp_path, World()) as task:
        refused = await task.send_command(Delegation(actor=OWNER, signer=BUYER, to="signer-9"))
        assert (refused.state, refused.detail) == (OperationState.REFUSED, '"signer-9" is not in the directory')
        await task.send_command(Delegation(actor=OWNER, signer=BUYER, to=STRANGER))
        await task.wait_until_notified("ready", STRANGER)


@pytest.mark.parametrize("colleagues", [None, []])
async def test_without_colleagues_it_is_as_the_policy_says(tmp_path: Path, colleagues: list[str] | None) -> None:
    async with start_step(tmp_path, World(), colleagues=colleagues) as task:
        view = await task.read_task()
        assert (view.colleagues, view.choices[0].hand_over) == ((), False)
