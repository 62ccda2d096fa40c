"""Workflows that are told how a request ended: those of its file, and those that come later."""

import asyncio

import pytest
from temporalio.client import WorkflowUpdateFailedError

from tests.faults.town import eventually
from tests.messages import english_of
from tests.workflows.fakes import World, refusal
from tests.workflows.follow_up.test_replays import AT
from tests.workflows.stage import Story, a_request, start_story
from workflows.follow_up.notifications import SUBSCRIBERS_AT_MOST, refuse_unsubscribe
from workflows.model.commands import Subscription, Unsubscription
from workflows.model.hand_off import HandoffState
from workflows.model.policy import Policy, TellRequester
from workflows.model.subject import Code, Status
from workflows.signature.state import SignatureState
from workflows.signature.workflow import SignatureRequestWorkflow

ACME, OTHER = "customer-onboarding:acme", "customer-onboarding:other"


async def subscribe(story: Story, workflow: str) -> None:
    command = Subscription(actor="account-executive", workflow=workflow)
    await story.handle.execute_update(SignatureRequestWorkflow.subscribe, command)


async def test_who_subscribes_while_it_waits_is_told_of_the_end_once() -> None:
    world = World()
    async with start_story(world, a_request(subscribers=(OTHER,)), record="subscribed") as story:
        await story.days_pass(0.1)
        for workflow in (ACME, ACME, OTHER):
            await subscribe(story, workflow)
        world.signatures.status = Status.SIGNED
        await story.callback()
        await story.handle.result()
    assert (world.handoff.calls[ACME], world.handoff.calls[OTHER]) == (1, 1)


async def test_who_subscribes_while_others_are_still_to_be_told_is_told_at_once() -> None:
    world = World()
    world.handoff.down = {"finance"}
    async with start_story(world) as story:
        await story.days_pass(0.1)
        world.signatures.status = Status.SIGNED
        await story.callback()
        await story.days_pass(1)
        view_before = {line.target: line.attempts for line in (await story.read_view()).handoffs}
        await subscribe(story, ACME)
        await story.days_pass(0.0001)
        view = await story.read_view()
        world.handoff.down = set()
        await story.handle.result()
    lines = {line.target: line for line in view.handoffs}
    assert (lines[ACME].state, lines[ACME].attempts) == (HandoffState.DONE, 1)
    assert lines["finance"].attempts == view_before["finance"]


async def test_an_ending_that_nobody_hears_of_is_on_record_and_whoever_subscribes_meanwhile_hears_of_it() -> None:
    world, gate = World(), asyncio.Event()
    world.push.failures = [refusal(Code.UNREACHABLE)]
    world.handoff.gate = gate

    async def is_recorded() -> bool:
        return bool(world.handoff.batches)

    silent = Policy(tell_requester=TellRequester(started=False, signed=False))
    async with start_story(world, a_request().replace(policy=silent)) as story:
        world.signatures.status = Status.SIGNED
        await story.callback()
        await eventually(is_recorded)
        await subscribe(story, ACME)
        gate.set()
        await story.handle.result()
    first, second = world.handoff.batches
    assert (first.calls, first.record is not None, second.record) == ((), True, None)
    assert [call.target.target for call in second.calls] == [ACME]


@pytest.mark.long
async def test_neither_too_many_nor_the_name_of_a_target_are_taken() -> None:
    async with start_story(World()) as story:
        await story.days_pass(0.1)
        with pytest.raises(WorkflowUpdateFailedError) as refusal:
            await subscribe(story, "finance")
        for number in range(SUBSCRIBERS_AT_MOST):
            await subscribe(story, f"customer-onboarding:{number}")
        await subscribe(story, "customer-onboarding:7")
        with pytest.raises(WorkflowUpdateFailedError) as full:
            await subscribe(story, ACME)
    assert str(refusal.value.cause) == "refused: finance is the name of a target of the hand-off"
    assert str(full.value.cause) == "refused: too many have subscribed already"


async def test_who_takes_it_back_is_not_told_whoever_has_named_them_and_may_come_again() -> None:
    world = World()
    third = "customer-onboarding:third"
    async with start_story(world, a_request(subscribers=(OTHER, third)), record="unsubscribed") as story:
        await story.days_pass(0.1)
        await subscribe(story, ACME)
        for workflow in (ACME, OTHER, OTHER, third, "of-nobody"):
            await story.send_command(
                Unsubscription(actor="account-executive", workflow=workflow), op=f"away-{workflow}"
            )
        await subscribe(story, third)
        assert [entry.who for entry in (await story.read_view()).timeline if entry.what == "unsubscribed"] == [
            ACME,
            OTHER,
            third,
        ]
        world.signatures.status = Status.SIGNED
        await story.callback()
        await story.handle.result()
    assert {ACME, OTHER}.isdisjoint(world.handoff.calls)
    assert world.handoff.calls[third] == 1


def test_an_onboarding_is_not_taken_off_its_own_part() -> None:
    part = a_request(name="acme.nda", subscribers=(ACME, OTHER))
    memory = SignatureState.begin(part.brief, AT)
    assert refuse_unsubscribe(part, memory, Unsubscription(actor="a", workflow=OTHER)) is None
    message = f"{ACME} waits for this part of it: end the part, or the onboarding"
    assert english_of(refuse_unsubscribe(part, memory, Unsubscription(actor="a", workflow=ACME))) == message


async def test_once_it_has_ended_nothing_is_taken_back() -> None:
    world = World()
    world.handoff.down = {OTHER}
    async with start_story(world, a_request(subscribers=(OTHER,))) as story:
        await story.days_pass(0.1)
        world.signatures.status = Status.SIGNED
        await story.callback()
        await story.days_pass(0.1)
        with pytest.raises(WorkflowUpdateFailedError) as late:
            await story.send_command(Unsubscription(actor="account-executive", workflow=OTHER))
        assert "too late: the request is signed" in str(late.value.cause)
        world.handoff.down = set()
        await story.handle.result()
