"""Before anybody is asked: a request that is paused before its document is made, and one that is never converted."""

import asyncio
from datetime import UTC, datetime, timedelta

from tests.workflows.fakes import World, refusal
from tests.workflows.signature.test_endings import told_of_the_end
from tests.workflows.stage import a_request, story
from workflows.follow_up.commands import pause
from workflows.model.commands import PauseCommand, Resumption
from workflows.model.signature import ProviderEvent
from workflows.model.subject import Code, Status
from workflows.model.views import AttentionCode, NextStep
from workflows.names import PROVIDER_EVENT
from workflows.signature.state import SignatureState

DAYS = 3


def unconverted() -> World:
    """A provider that converts no document, and a plan for few days."""
    world = World()
    world.signatures.status = Status.CONVERTING
    world.planner.window, world.planner.reminders = timedelta(days=DAYS), (timedelta(hours=12),)
    return world


PAUSE = PauseCommand(actor="legal-desk", reason="The price is being negotiated.")
RESUME = Resumption(actor="legal-desk")
READY = ("ready", "customer-signer")


async def test_what_is_paused_before_it_was_begun_is_made_once_it_is_resumed() -> None:
    """As a fresh run finds it, which a pause may come before."""
    world, request, now = World(), a_request(), datetime.now(UTC)
    paused = pause(SignatureState.begin(request.brief, now), PAUSE, now)
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


async def test_a_document_that_is_never_converted_expires_when_it_is_due_and_its_reason_says_so() -> None:
    world = unconverted()
    async with story(world) as it:
        began = await it.env.get_current_time()
        await it.days_pass(0.5)
        waiting = await it.shown()
        looks = len(world.signatures.observations)
        ended = await it.handle.result()
        shown = await it.shown()
    due = began + world.planner.window
    assert waiting.due_at is not None
    assert abs(waiting.due_at - due) < timedelta(minutes=1)
    assert waiting.next is not None
    assert (waiting.next.what, waiting.next.at) == (NextStep.EXPIRE, waiting.due_at)
    assert waiting.says.startswith("Core Signature is preparing the document, nobody is asked yet; it expires ")
    assert looks < 25
    assert (ended.outcome, ended.at - waiting.due_at < timedelta(minutes=1)) == (Status.EXPIRED, True)
    assert len(world.signatures.cancelled) == 1
    [last] = [line for line in shown.timeline if line.happened == "expired"]
    assert last.why == "planned as expiry; it was never sent: Core Signature was still preparing the document"
    assert "sent" not in [line.happened for line in shown.timeline]
    assert told_of_the_end(world) == {"legal-desk"}


async def test_what_is_converted_after_days_is_due_as_if_it_had_been_sent_at_once_then() -> None:
    world = unconverted()
    async with story(world) as it:
        await it.days_pass(1)
        world.signatures.status = Status.SENT
        await it.callback("sent")
        await it.days_pass(0.001)
        sent, now = await it.shown(), await it.env.get_current_time()
        await it.days_pass(0.6)
    assert sent.due_at is not None
    assert abs(sent.due_at - (now + world.planner.window)) < timedelta(minutes=5)
    assert [one for one in world.push.stages() if one[1] == "customer-signer"] == [
        READY,
        ("reminder-1", "customer-signer"),
    ]


async def test_what_is_converted_after_days_without_a_word_is_found_within_the_hour_and_due_from_then() -> None:
    """Its callback is lost, and no sweep comes."""
    world = unconverted()
    async with story(world) as it:
        await it.days_pass(2)
        assert [one for one in world.push.stages() if one == READY] == []
        world.signatures.status = Status.SENT
        converted = await it.env.get_current_time()
        await it.until(converted + timedelta(hours=1, minutes=1))
        sent = await it.shown()
        assert world.push.stages().count(READY) == 1
    [found] = [line.at for line in sent.notifications if (line.stage, line.person) == READY]
    assert timedelta() <= found - converted <= timedelta(hours=1)
    assert sent.due_at is not None
    assert timedelta() <= found - (sent.due_at - world.planner.window) < timedelta(minutes=1)


async def test_a_paused_request_whose_document_is_never_converted_does_not_expire() -> None:
    world = unconverted()
    async with story(world) as it:
        await it.days_pass(0.5)
        await it.wish(PAUSE)
        await it.days_pass(DAYS + 1)
        standing = await it.shown()
        await it.wish(RESUME)
        assert (await it.handle.result()).outcome is Status.EXPIRED
    assert standing.status is Status.CONVERTING
    assert standing.says.startswith("Nobody is asked yet: paused by legal-desk")


async def test_whoever_asked_for_what_is_never_converted_hears_of_it_on_a_ladder_and_finds_it_in_the_list() -> None:
    world = unconverted()
    world.planner.window = timedelta(days=10)
    async with story(world) as it:
        await it.days_pass(0.03)
        soon = await it.shown()
        await it.days_pass(0.3)
        later = await it.shown()
        assert world.push.stages() == [("unsent-1", "legal-desk")]
        assert (await it.handle.result()).outcome is Status.EXPIRED
    assert soon.attention == ()
    assert [(one.code, one.says) for one in later.attention] == [
        (AttentionCode.NOT_ASKED, "Core Signature is preparing the document, and nobody is asked before it has")
    ]
    assert world.push.stages() == [(f"unsent-{number}", "legal-desk") for number in range(1, 5)]


async def test_what_was_sent_after_all_is_no_news_of_that_kind_any_more() -> None:
    world = unconverted()
    async with story(world) as it:
        await it.days_pass(0.1)
        world.signatures.status = Status.SENT
        await it.days_pass(0.4)
        shown = await it.shown()
    assert shown.attention == ()
    assert world.push.stages() == [("unsent-1", "legal-desk"), READY]


async def test_that_core_signature_is_away_at_a_start_is_said_at_once_and_it_is_sent_as_soon_as_it_is_back() -> None:
    world = World()
    world.signatures.failures = [refusal(Code.UNREACHABLE, retryable=True)] * 5
    async with story(world, record="away-at-the-start") as it:
        await it.days_pass(0.001)
        sent = await it.shown()
    at = {one.happened: one.at for one in reversed(sent.timeline)}
    assert list(at)[::-1][:4] == ["started", "problem", "mended", "sent"]
    assert at["problem"] - at["started"] < timedelta(seconds=5), "not after all attempts of a call"
    assert at["sent"] - at["started"] < timedelta(seconds=30), "and no later than without a word"
    assert len(world.signatures.created) == 6


async def test_of_what_a_callback_says_was_sent_people_are_told_without_a_reading() -> None:
    """The answer to the request has told who is asked, in which order: three calls until somebody is told, not four."""
    world = unconverted()
    async with story(world) as it:
        await it.days_pass(0.0001)
        world.signatures.status = Status.SENT
        await it.callback("sent")
        await it.days_pass(0.0001)
        shown = await it.shown()
        assert (shown.status, world.push.stages()) == (Status.SENT, [READY])
        assert world.signatures.observations == []
        await it.callback("sent")
        await it.days_pass(0.0001)
    assert len(world.signatures.observations) == 1, "of one that was sent already it is no news: it is read, as ever"


async def test_it_is_so_too_where_the_callback_is_faster_than_the_answer_to_the_request() -> None:
    world = unconverted()
    world.signatures.create_gate = asyncio.Event()
    async with story(world) as it:
        await world.signatures.creating.wait()
        await it.callback("sent")
        world.signatures.create_gate.set()
        await it.days_pass(0.0001)
        assert world.push.stages() == [READY]
    assert world.signatures.observations == []


async def test_what_comes_with_another_callback_or_is_not_heard_of_is_read() -> None:
    world = unconverted()
    async with story(world) as it:
        await it.days_pass(0.0001)
        world.signatures.status = Status.SENT
        joined = ProviderEvent(id="one", type="sent", at=datetime.now(UTC), also=("another",))
        await it.handle.signal(PROVIDER_EVENT, joined)
        await it.days_pass(0.0001)
        assert (world.push.stages(), len(world.signatures.observations)) == ([READY], 1)
    lost = unconverted()
    async with story(lost) as it:
        await it.days_pass(0.0001)
        lost.signatures.status = Status.SENT
        await it.days_pass(0.001)
        assert (lost.push.stages(), len(lost.signatures.observations)) == ([READY], 1)


async def test_an_old_callback_that_it_was_sent_is_not_believed_and_nobody_is_notified_of_what_is_over() -> None:
    world = unconverted()
    async with story(world) as it:
        await it.days_pass(0.0001)
        sent_at = await it.env.get_current_time()
        await it.days_pass(0.001)
        read = len(world.signatures.observations)
        world.signatures.sign("customer-signer")
        world.signatures.status = Status.SIGNED
        await it.callback("sent", at=sent_at)
        assert (await it.handle.result()).outcome is Status.SIGNED
    assert len(world.signatures.observations) > read
    assert READY not in world.push.stages()


async def test_a_document_that_fails_after_somebody_has_claimed_that_it_was_sent_fails() -> None:
    world = unconverted()
    async with story(world) as it:
        await it.days_pass(0.0001)
        await it.callback("sent")
        await it.days_pass(0.0001)
        world.signatures.status = Status.FAILED
        await it.callback("convert_error")
        assert (await it.handle.result()).outcome is Status.FAILED
