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
from tests.workflows.task.test_tasks import TaskStory, told
from workflows.model.commands import Answer, Block, Delegation, Done, NotNow, Question, Unblock
from workflows.model.receipts import OperationState
from workflows.model.subject import Status
from workflows.model.views import AttentionCode
from workflows.names import WORKFLOW_QUEUE
from workflows.task.workflow import TaskWorkflow

BUYER, OFFICE, ACCOUNTS = (in_full(f"{who}@example.org") for who in ("buyer", "office", "accounts"))
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
async def step(folder: Path, world: World, record: str = "", **changes: Any) -> AsyncIterator[TaskStory]:
    """A step that has just been started from its file, on a Monday; in the end nobody's particulars are in it."""
    desk = Desk(folder)
    given = await (await prepared(desk, of_parent=True, **STEP | changes)).store_input(desk.store)
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
            TaskWorkflow.run, given, id=given.task.workflow_id, task_queue=WORKFLOW_QUEUE
        )
        it = TaskStory(env, world, handle, glances=5_000)  # type: ignore[arg-type]
        await it.hears("ready", BUYER)
        yield it
        history = (await handle.fetch_history()).to_json()
        assert not any(word in history for word in PERSONAL)
        await corpus.record(record, handle)


async def test_a_customer_who_is_blocked_is_heard_and_the_clocks_stand_until_the_owner_answers(tmp_path: Path) -> None:
    world = World()
    async with step(tmp_path, world, record="step-blocked") as it:
        before = await it.task()
        assert [one.person for one in before.waiting_for] == [BUYER]
        await it.wish(Block(person=BUYER, because="We have no such department."))
        await it.hears("blocked-1", OWNER)
        stuck = await it.task()
        assert stuck.question is not None and stuck.question.text == "We have no such department."
        assert [one.code for one in stuck.attention] == [AttentionCode.BLOCKED]
        await it.days_pass(2)
        assert [stage for stage, person in told(world) if person == BUYER] == ["ready"]
        assert ("unanswered-1", OWNER) in told(world)
        await it.wish(Unblock(actor=OWNER, text="Any address of yours will do."))
        await it.hears("answer-1", BUYER)
        after = await it.task()
        assert [one.answer for one in after.answered] == ["Any address of yours will do."]
        assert before.due_at is not None and after.due_at is not None
        assert after.due_at - before.due_at >= timedelta(days=2)
        await it.days_pass(4)
        assert ("reminder-1", BUYER) in told(world)
        await it.wish(Done(actor=BUYER))
        assert (await it.handle.result()).outcome is Status.DONE


async def test_what_an_owner_never_clears_goes_on_as_long_after_as_the_policy_says(tmp_path: Path) -> None:
    """Nobody's silence stops a step for good; the owner's own manager has heard of it by then."""
    world = World()
    async with step(tmp_path, world, policy={"question": {"pause": "3d"}}) as it:
        await it.wish(Block(person=BUYER, because="We have no such department."))
        await it.days_pass(10)
        shown = await it.task()
        assert any(entry.what == "the clocks go on" for entry in shown.timeline)
        assert [one.code for one in shown.attention] == [AttentionCode.BLOCKED]
        assert ("reminder-1", BUYER) in told(world)


async def test_a_customer_asks_and_puts_it_off_as_anybody_does(tmp_path: Path) -> None:
    world = World()
    async with step(tmp_path, world) as it:
        await it.wish(Question(person=BUYER, text="Which address?"))
        await it.hears("question-1", OWNER)
        await it.wish(Answer(actor=OWNER, text="The one on your orders."))
        await it.hears("answer-1", BUYER)
        now = await it.env.get_current_time()
        await it.wish(NotNow(person=BUYER, until=now + timedelta(days=1)))
        await it.at_rest()
        assert (await it.task()).choices[0].reminded_at == now + timedelta(days=1)


async def test_a_customer_hands_over_to_a_named_colleague_and_to_nobody_else(tmp_path: Path) -> None:
    world = World()
    async with step(tmp_path, world, record="step-handed-over") as it:
        assert (await it.task()).colleagues == (OFFICE, ACCOUNTS)
        for stranger in (STRANGER, "signer-9"):
            refused = await it.refused(Delegation(actor=BUYER, signer=BUYER, to=stranger))
            assert refused == f"{stranger} is not one of the colleagues to whom it can be handed over"
        taken = await it.wish(Delegation(actor=BUYER, signer=BUYER, to=OFFICE))
        assert (taken.state, taken.detail) == (OperationState.DONE, f"handed over to {OFFICE}")
        await it.hears("ready", OFFICE)
        await it.hears("reassigned", BUYER)
        assert await it.refused(Delegation(actor=BUYER, signer=OFFICE, to=BUYER)) == f"{BUYER} was asked before"
        await it.wish(Delegation(actor=OFFICE, signer=OFFICE, to=ACCOUNTS))
        await it.hears("ready", ACCOUNTS)
        await it.wish(Done(actor=ACCOUNTS))
        ended = await it.handle.result()
        assert {one.person: one.state for one in ended.people} == {
            BUYER: "reassigned",
            OFFICE: "reassigned",
            ACCOUNTS: "done",
        }


async def test_whoever_runs_it_hands_over_to_anybody_there_is(tmp_path: Path) -> None:
    async with step(tmp_path, World()) as it:
        refused = await it.wish(Delegation(actor=OWNER, signer=BUYER, to="signer-9"))
        assert (refused.state, refused.detail) == (OperationState.REFUSED, '"signer-9" is not in the directory')
        await it.wish(Delegation(actor=OWNER, signer=BUYER, to=STRANGER))
        await it.hears("ready", STRANGER)


@pytest.mark.parametrize("colleagues", [None, []])
async def test_without_colleagues_it_is_as_the_policy_says(tmp_path: Path, colleagues: list[str] | None) -> None:
    async with step(tmp_path, World(), colleagues=colleagues) as it:
        shown = await it.task()
        assert (shown.colleagues, shown.choices[0].hand_over) == ((), False)
