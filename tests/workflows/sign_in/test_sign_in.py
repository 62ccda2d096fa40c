"""One message for each ask, and nothing in a history that opens anything."""

from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from tests.servers import time_skipping
from tests.workflows import corpus
from workflows import names
from workflows.model.notifications import SignInOrder, SignInReport
from workflows.ports import SignInService
from workflows.sign_in.workflow import SignInWorkflow


class Messages(SignInService):
    """Remembers what was sent, unless told to fail."""

    def __init__(self) -> None:
        self.sent: list[SignInOrder] = []
        self.withdrawn: list[SignInOrder] = []
        self.fails = False

    async def send(self, order: SignInOrder) -> SignInReport:
        self.sent.append(order)
        if self.fails:
            raise ApplicationError("no", non_retryable=True)
        return SignInReport(told=1)

    async def withdraw(self, order: SignInOrder) -> SignInReport:
        self.withdrawn.append(order)
        return SignInReport(told=1)


async def test_each_ask_is_sent_once_and_no_other_waits_for_it() -> None:
    messages = Messages()
    async with time_skipping() as env:

        async def ask(ask: str) -> WorkflowHandle[Any, Any]:
            return await env.client.start_workflow(
                SignInWorkflow.run,
                SignInOrder(person="chair", ask=ask, at=await env.get_current_time()),
                id=names.sign_in_workflow_id("chair", ask),
                task_queue=names.WORKFLOW_QUEUE,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            )

        async with Worker(
            env.client,
            task_queue=names.WORKFLOW_QUEUE,
            workflows=[SignInWorkflow],
            activities=messages.activities(),
        ):
            first, repeated, second = await ask("a"), await ask("a"), await ask("b")
            assert [await handle.result() for handle in (first, repeated, second)] == [SignInReport(told=1)] * 3
            assert sorted(order.ask for order in messages.sent) == ["a", "b"]
            await corpus.record("sign-in", first)
            messages.fails = True
            third = await ask("c")
            assert await third.result() == SignInReport()
            history = (await third.fetch_history()).to_json()
            assert "/desk/in/" not in history


async def test_a_used_one_is_taken_back_at_once_also_while_its_own_workflow_runs() -> None:
    messages = Messages()
    async with time_skipping() as env:
        now = await env.get_current_time()
        async with Worker(
            env.client,
            task_queue=names.WORKFLOW_QUEUE,
            workflows=[SignInWorkflow],
            activities=messages.activities(),
        ):
            used = SignInOrder(person="chair", ask="a", at=now, used=True)
            report = await env.client.execute_workflow(
                SignInWorkflow.run,
                used,
                id=names.sign_in_used_workflow_id("chair", "a"),
                task_queue=names.WORKFLOW_QUEUE,
            )
            assert (report, messages.withdrawn, messages.sent) == (SignInReport(told=1), [used], [])


async def test_a_message_that_waited_for_a_worker_blames_no_receiver_s_clock(caplog: pytest.LogCaptureFixture) -> None:
    messages = Messages()
    async with (
        time_skipping() as env,
        Worker(
            env.client,
            task_queue=names.WORKFLOW_QUEUE,
            workflows=[SignInWorkflow],
            activities=messages.activities(),
        ),
    ):
        order = SignInOrder(person="chair", ask="a", at=await env.get_current_time())
        await env.client.execute_workflow(
            SignInWorkflow.run,
            order,
            id=names.sign_in_workflow_id("chair", "a"),
            task_queue=names.WORKFLOW_QUEUE,
            start_delay=timedelta(minutes=10),
        )
    assert messages.sent == [order]
    assert not [record for record in caplog.records if "the clock of a receiver is off" in record.getMessage()]


@pytest.mark.parametrize(("minutes", "logged_seconds"), [(-10, [-600]), (0, []), (10, [600])])
async def test_a_receiver_whose_clock_is_off_is_named_and_its_message_sent(
    minutes: int, logged_seconds: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    messages = Messages()
    async with (
        time_skipping() as env,
        Worker(
            env.client,
            task_queue=names.WORKFLOW_QUEUE,
            workflows=[SignInWorkflow],
            activities=messages.activities(),
        ),
    ):
        asked_at = await env.get_current_time() + timedelta(minutes=minutes)
        order = SignInOrder(person="chair", ask="a", at=asked_at)
        id, queue = names.sign_in_workflow_id("chair", "a"), names.WORKFLOW_QUEUE
        await env.client.execute_workflow(SignInWorkflow.run, order, id=id, task_queue=queue)
    logged_offsets = [
        vars(record)["seconds"] for record in caplog.records if "the clock of a receiver is off" in record.getMessage()
    ]
    assert messages.sent == [order]
    assert [round(offset, -1) for offset in logged_offsets] == logged_seconds
