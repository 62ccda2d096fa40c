"""A stage for many: what one call does not get to follows at once, and news takes priority in between."""

import asyncio
from collections import Counter
from datetime import timedelta

import pytest

from tests.workflows.fakes import World
from tests.workflows.stage import a_request, start_story
from workflows.follow_up.notifier import AT_MOST
from workflows.follow_up.outbox import AT_MOST as TARGETS_AT_MOST
from workflows.model.notifications import NotificationOutcome
from workflows.model.policy import Target
from workflows.model.signature import SignerState
from workflows.model.subject import Code, Participant, Status

MANY = [f"signer-of-{number:03}" for number in range(100)]
CROWD = a_request(*(Participant(person=person, order=1) for person in MANY))


async def test_a_hundred_slow_signers_get_one_push_each_without_a_pause() -> None:
    world = World()
    world.push.at_most = 30
    async with start_story(world, CROWD) as story:
        await story.days_pass(0.1)
        view = await story.read_view()
    assert Counter(world.push.stages()) == {("ready", person): 1 for person in MANY}
    assert [len(delivery.notices) for delivery in world.push.deliveries] == [100, 70, 40, 10]
    lines = [line.at for line in view.notifications if line.stage == "ready"]
    assert len(lines) == 100
    assert max(lines) - min(lines) < timedelta(seconds=4), "nobody waited for the pause of phones left open"


@pytest.mark.long
async def test_no_call_has_more_recipients_than_one_may_have() -> None:
    world = World()
    crowd = a_request(*(Participant(person=f"signer-of-{n:04}", order=1) for n in range(AT_MOST * 3 + 1)))
    async with start_story(world, crowd) as story:
        await story.days_pass(0.1)
    assert [len(delivery.notices) for delivery in world.push.deliveries] == [AT_MOST, AT_MOST, AT_MOST, 1]
    assert [delivery.others_told for delivery in world.push.deliveries] == [False, True, True, True]
    assert len(set(world.push.stages())) == len(world.push.sent) == AT_MOST * 3 + 1


async def test_the_next_signer_who_could_not_be_looked_up_with_the_first_is_asked_all_the_same() -> None:
    world = World()
    async with start_story(world) as story:
        await story.days_pass(0.01)
        world.push.not_found = ["chief-executive"] * 1_000
        world.signatures.sign("customer-signer", SignerState.SIGNED)
        await story.callback("signer_signed")
        await story.days_pass(0.01)
        outage_view = await story.read_view()
        world.push.not_found.clear()
        await story.days_pass(0.05)
        back = await story.read_view()
    assert outage_view.problem is not None
    assert outage_view.problem.code is Code.UNREACHABLE
    assert "chief-executive" not in [line.person for line in outage_view.notifications], "who was not told has no line"
    outcomes = [line.outcome for line in back.notifications if line.person == "chief-executive"]
    assert (outcomes, back.problem) == ([NotificationOutcome.ACCEPTED], None)
    assert world.push.stages()[1:] == [("withdrawal", "customer-signer"), ("ready", "chief-executive")]


@pytest.mark.long
async def test_nobody_else_is_asked_once_the_document_has_ended() -> None:
    world = World()
    world.push.at_most, world.push.gate = 30, asyncio.Event()
    async with start_story(world, CROWD) as story:
        await world.push.delivering.wait()
        world.signatures.status = Status.DECLINED
        await story.callback("declined")
        await story.at_rest()
        world.push.gate.set()
        assert (await story.handle.result()).outcome is Status.DECLINED
    assert len(world.push.sent) <= 30


@pytest.mark.long
async def test_a_thousand_targets_are_called_batch_by_batch_once_each() -> None:
    world = World()
    targets = tuple(Target(target=f"t-{number}", person="hr-desk") for number in range(10 * TARGETS_AT_MOST))
    async with start_story(world, a_request(handoff=targets)) as story:
        world.signatures.status = Status.SIGNED
        await story.callback("signed")
        await story.handle.result()
    first, *other_batches = world.handoff.batches
    assert first.record is not None
    assert [batch.record for batch in other_batches] == [None] * len(other_batches), "the record travels once"
    assert {len(batch.calls) for batch in world.handoff.batches} <= {TARGETS_AT_MOST, 1}
    assert set(world.handoff.calls.values()) == {1}
    assert len(world.handoff.calls) == len(targets) + 1
