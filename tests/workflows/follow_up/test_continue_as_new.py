"""A request that lives long goes on in fresh runs: what the next one begins with, and what a deploy may break of it."""

from contextlib import suppress
from datetime import timedelta

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.service import RPCError

from tests.faults.floods import CROWDED, EARLY, MORE_THAN_A_RUN_TAKES, runs_of
from tests.faults.town import eventually
from tests.servers import real_server
from tests.workflows import corpus
from tests.workflows.fakes import World, refusal
from tests.workflows.stage import Story, a_request, begin, workers
from workflows.model.commands import Answer, Cancellation, Question, ReminderCommand
from workflows.model.receipts import OperationState
from workflows.model.subject import Code, Participant, Status
from workflows.signature.workflow import SignatureRequestWorkflow

pytestmark = [pytest.mark.long, pytest.mark.real_server]


async def wait_until_notified(world: World, stage: str, person: str) -> None:
    """Wait until somebody was told so."""

    async def is_notified() -> bool:
        return (stage, person) in world.push.stages()

    await eventually(is_notified)


async def wait_until_done(story: Story, id: str) -> None:
    """Wait until what was asked for is done: one who asks before is served by the reminder under way."""

    async def is_done() -> bool:
        receipt = await story.handle.query(SignatureRequestWorkflow.operation, id)
        return receipt is not None and receipt.state is OperationState.DONE

    await eventually(is_done)


async def is_called(world: World, target: str) -> bool:
    """Whether a target was called."""
    return world.handoff.calls[target] > 0


async def wait_for_run(story: Story, runs: int) -> None:
    """Wait until the request is in a run of that number."""

    async def is_fresh() -> bool:
        return len(await runs_of(story.env.client, story)) >= runs

    await eventually(is_fresh)


async def wait_until_created(story: Story) -> None:
    """Wait until the document is made: a run whose creation is under way cannot begin a fresh one."""

    async def is_created() -> bool:
        events = (await story.handle.fetch_history()).events
        return any(event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED for event in events)

    await eventually(is_created)


async def repeat(story: Story, runs: int) -> None:
    """One callback, more often than one run takes signals; and wait until there are so many runs."""
    with suppress(RPCError):  # A worker that is slower than this loop leaves the run at its limit.
        for _ in range(MORE_THAN_A_RUN_TAKES):
            await story.callback("viewed", event="one-and-the-same")
    await wait_for_run(story, runs)


async def test_however_often_one_callback_comes_while_a_signer_is_waited_for_the_next_one_is_taken() -> None:
    world = World()
    async with real_server(*CROWDED) as env, workers(env.client, world):
        story = await begin(env, world, a_request(Participant(person="customer-signer", order=1)))
        await wait_until_notified(world, "ready", "customer-signer")
        await repeat(story, 2)
        await story.callback("viewed")
        world.signatures.sign("customer-signer")
        world.signatures.status = Status.SIGNED
        with suppress(RPCError):  # A run that has just begun may have read it already.
            await story.callback("signed")
        assert (await story.handle.result(rpc_timeout=timedelta(seconds=20))).outcome is Status.SIGNED
    assert world.push.stages().count(("ready", "customer-signer")) == 1


async def test_however_often_one_callback_comes_while_the_document_is_converted_the_next_one_is_taken() -> None:
    world = World()
    world.signatures.status = Status.CONVERTING
    async with real_server(*CROWDED) as env, workers(env.client, world):
        story = await begin(env, world, a_request())
        await wait_until_created(story)
        await repeat(story, 2)
        world.signatures.status = Status.SENT
        await story.callback("sent")
        await wait_until_notified(world, "ready", "customer-signer")
    assert len(world.signatures.created) == 1


async def test_however_often_one_callback_comes_while_core_signature_is_away_every_one_is_taken() -> None:
    world = World()
    world.signatures.failures = [refusal(Code.UNREACHABLE)] * MORE_THAN_A_RUN_TAKES
    async with real_server(*CROWDED) as env, workers(env.client, world):
        story = await begin(env, world, a_request())
        await eventually(story.has_a_problem)
        await repeat(story, 2)
        world.signatures.failures.clear()
        world.signatures.never_had_it = True
        command = Cancellation(actor="legal-desk", reason="They went elsewhere.")
        await story.handle.execute_update(SignatureRequestWorkflow.cancel, command, id="cancel")
        assert (await story.handle.result(rpc_timeout=timedelta(seconds=20))).outcome is Status.CANCELLED
        runs = len(await runs_of(story.env.client, story))
    assert len(world.signatures.created) <= 2 * runs, "once or twice a run, not once a callback"


async def test_however_often_one_callback_comes_between_two_attempts_of_a_hand_off_the_pause_is_kept() -> None:
    world = World()
    world.handoff.down = {"finance"}
    world.signatures.status = Status.SIGNED
    async with real_server(*CROWDED) as env, workers(env.client, world):
        story = await begin(env, world, a_request())
        await eventually(lambda: is_called(world, "finance"))
        await repeat(story, 2)
        # The first pause is over after five seconds, the next one after five minutes.
        assert world.handoff.calls["finance"] <= 2
        assert world.handoff.calls["hr"] == 1


async def test_reminded_asked_and_signed_across_fresh_runs_and_nobody_is_told_twice() -> None:
    world = World()
    async with real_server(*EARLY) as env, workers(env.client, world):
        story = await begin(env, world, a_request())
        await wait_until_notified(world, "ready", "customer-signer")
        for number in range(1, 5):
            command = ReminderCommand(actor="legal-desk", force=True)
            await story.handle.execute_update(SignatureRequestWorkflow.remind, command, id=f"remind-{number}")
            await wait_until_done(story, f"remind-{number}")
        await wait_for_run(story, 2)

        question = Question(person="customer-signer", text="Which annex?")
        await story.handle.execute_update(SignatureRequestWorkflow.ask, question, id="ask")
        await wait_until_notified(world, "question-1", "legal-desk")
        second_reminder = ReminderCommand(actor="legal-desk", force=True)
        await story.handle.execute_update(SignatureRequestWorkflow.remind, second_reminder, id="remind-1")
        await story.handle.execute_update(
            SignatureRequestWorkflow.answer, Answer(actor="legal-desk", text="Annex B."), id="answer"
        )
        await wait_until_notified(world, "answer-1", "customer-signer")

        world.signatures.sign("customer-signer")
        await story.callback("signer_signed")
        await wait_until_notified(world, "ready", "chief-executive")
        world.signatures.sign("chief-executive")
        world.signatures.status = Status.SIGNED
        await story.callback("signed")
        assert (await story.handle.result(rpc_timeout=timedelta(seconds=20))).outcome is Status.SIGNED

        runs = await runs_of(env.client, story)
        assert [notification for notification in world.push.stages() if "manual" in notification[0]] == [
            (f"reminder-manual-{number}", "customer-signer") for number in range(1, 5)
        ]
        assert len(runs) >= 3
        assert len(world.push.stages()) == len(set(world.push.stages()))
        for number, run in enumerate(runs, 1):
            await corpus.record(f"fresh-run-{number}", env.client.get_workflow_handle(story.handle.id, run_id=run))
