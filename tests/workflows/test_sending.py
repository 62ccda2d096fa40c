"""Before anybody is asked: a request that is paused before its document is made."""

import asyncio
from datetime import UTC, datetime

from tests.workflows.fakes import World, refusal
from tests.workflows.stage import a_request, story
from workflows.follow_up.operations import pause
from workflows.model.attention import AttentionCode
from workflows.model.subject import Code, Status
from workflows.model.wishes import Pause, Resumption
from workflows.signature.progress import Progress

PAUSE = Pause(actor="legal-desk", reason="The price is being negotiated.")
RESUME = Resumption(actor="legal-desk")
READY = ("ready", "customer-signer")


async def test_what_is_paused_before_it_was_begun_is_made_once_it_is_resumed() -> None:
    """As a fresh run finds it, which a pause may come before."""
    world, request, now = World(), a_request(), datetime.now(UTC)
    paused = pause(Progress.begin(request.brief, now), PAUSE, now)
    async with story(world, request.replace(carried=paused)) as it:
        await it.days_pass(3)
        standing = await it.shown()
        assert world.signatures.created == []
        await it.wish(RESUME)
        await it.days_pass(0.01)
        sent = await it.shown()
    assert standing.says == "Nobody is asked yet: paused by legal-desk: The price is being negotiated."
    assert standing.next is not None
    assert standing.next.why == "paused by legal-desk: The price is being negotiated."
    assert [one.code for one in standing.attention] == [AttentionCode.PAUSED]
    assert (sent.status, len(world.signatures.created)) == (Status.SENT, 1)
    assert world.push.stages() == [READY]


async def test_a_pause_while_core_signature_is_away_holds_the_next_attempt_until_it_is_over() -> None:
    world = World()
    world.signatures.failures = [refusal(Code.UNREACHABLE)] * 3
    async with story(world) as it:
        await it.days_pass(0.001)
        await it.wish(PAUSE)
        tried = len(world.signatures.created)
        world.signatures.failures.clear()
        await it.days_pass(2)
        standing = await it.shown()
        assert len(world.signatures.created) == tried
        await it.wish(RESUME)
        await it.days_pass(0.01)
        sent = await it.shown()
    assert 0 < tried <= 3
    assert (standing.problem, standing.status) == (None, Status.CONVERTING)
    assert standing.says.startswith("Nobody is asked yet: paused by legal-desk")
    assert (sent.status, len(world.signatures.created)) == (Status.SENT, tried + 1)
    assert world.push.stages() == [READY]
    assert [one.happened for one in sent.timeline] == ["started", "problem", "paused", "resumed", "sent", "told"]


async def test_a_pause_breaks_off_no_document_that_is_being_made_and_nobody_is_told_before_it_is_over() -> None:
    world = World()
    world.signatures.create_gate = asyncio.Event()
    async with story(world) as it:
        await world.signatures.creating.wait()
        await it.wish(PAUSE)
        world.signatures.create_gate.set()
        await it.days_pass(2)
        standing = await it.shown()
        assert world.push.sent == []
        await it.wish(RESUME)
        await it.days_pass(0.01)
    assert (standing.status, len(world.signatures.created)) == (Status.SENT, 1)
    assert world.push.stages() == [READY]
