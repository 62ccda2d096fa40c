"""Before anybody is asked: a request that is paused before its document is made, and one that is never converted."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from tests.workflows.fakes import World, refusal
from tests.workflows.signature.test_endings import told_of_the_end
from tests.workflows.stage import a_request, start_story
from workflows.follow_up.commands import pause
from workflows.model.commands import PauseCommand, Resumption
from workflows.model.signature import ProviderEvent
from workflows.model.subject import Code, Status
from workflows.model.views import AttentionCode, NextStep
from workflows.names import PROVIDER_EVENT
from workflows.signature.state import SignatureState

DAYS = 3


def make_unconverted_world() -> World:
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
    async with start_story(world, request.replace(carried=paused)) as story:
        await story.days_pass(3)
        standing = await story.read_view()
        assert world.signatures.created == []
        await story.send_command(RESUME)
        await story.days_pass(0.01)
        sent = await story.read_view()
    assert standing.says == "Nobody is asked yet: paused by legal-desk: The price is being negotiated."
    assert standing.next is not None
    assert standing.next.why == "paused by legal-desk: The price is being negotiated."
    assert [attention.code for attention in standing.attention] == [AttentionCode.PAUSED]
    assert (sent.status, len(world.signatures.created)) == (Status.SENT, 1)
    assert world.push.stages() == [READY]


async def test_a_pause_while_core_signature_is_away_holds_the_next_attempt_until_it_is_over() -> None:
    world = World()
    world.signatures.failures = [refusal(Code.UNREACHABLE)] * 3
    async with start_story(world) as story:
        await story.days_pass(0.001)
        await story.send_command(PAUSE)
        attempt_count = len(world.signatures.created)
        world.signatures.failures.clear()
        await story.days_pass(2)
        standing = await story.read_view()
        assert len(world.signatures.created) == attempt_count
        await story.send_command(RESUME)
        await story.days_pass(0.01)
        sent = await story.read_view()
    assert 0 < attempt_count <= 3
    assert (standing.problem, standing.status) == (None, Status.CONVERTING)
    assert standing.says.startswith("Nobody is asked yet: paused by legal-desk")
    assert (sent.status, len(world.signatures.created)) == (Status.SENT, attempt_count + 1)
    assert world.push.stages() == [READY]
    assert [entry.happened for entry in sent.timeline] == ["started", "problem", "paused", "resumed", "sent", "told"]


@pytest.mark.long
async def test_a_pause_breaks_off_no_document_that_is_being_made_and_nobody_is_told_before_it_is_over() -> None:
    world = World()
    world.signatures.create_gate = asyncio.Event()
    async with start_story(world) as story:
        await world.signatures.creating.wait()
        await story.send_command(PAUSE)
        world.signatures.create_gate.set()
        await story.days_pass(2)
        standing = await story.read_view()
        assert world.push.sent == []
        await story.send_command(RESUME)
        await story.days_pass(0.01)
    assert (standing.status, len(world.signatures.created)) == (Status.SENT, 1)
    assert world.push.stages() == [READY]


@pytest.mark.long
async def test_a_document_that_is_never_converted_expires_when_it_is_due_and_its_reason_says_so() -> None:
    world = make_unconverted_world()
    async with start_story(world) as story:
        began = await story.env.get_current_time()
        await story.days_pass(0.5)
        waiting = await story.read_view()
        looks = len(world.signatures.observations)
        settlement = await story.handle.result()
        view = await story.read_view()
    due = began + world.planner.window
    assert waiting.due_at is not None
    assert abs(waiting.due_at - due) < timedelta(minutes=1)
    assert waiting.next is not None
    assert (waiting.next.what, waiting.next.at) == (NextStep.EXPIRE, waiting.due_at)
    assert waiting.says.startswith("Core Signature is preparing the document, nobody is asked yet; it expires ")
    assert looks < 25
    assert (settlement.outcome, settlement.at - waiting.due_at < timedelta(minutes=1)) == (Status.EXPIRED, True)
    assert len(world.signatures.cancelled) == 1
    [last] = [line for line in view.timeline if line.happened == "expired"]
    assert last.why == "planned as expiry; it was never sent: Core Signature was still preparing the document"
    assert "sent" not in [line.happened for line in view.timeline]
    assert told_of_the_end(world) == {"legal-desk"}


@pytest.mark.long
async def test_what_is_converted_after_days_is_due_as_if_it_had_been_sent_at_once_then() -> None:
    world = make_unconverted_world()
    async with start_story(world) as story:
        await story.days_pass(1)
        world.signatures.status = Status.SENT
        await story.callback("sent")
        await story.days_pass(0.001)
        sent, now = await story.read_view(), await story.env.get_current_time()
        await story.days_pass(0.6)
    assert sent.due_at is not None
    assert abs(sent.due_at - (now + world.planner.window)) < timedelta(minutes=5)
    assert [notification for notification in world.push.stages() if notification[1] == "customer-signer"] == [
        READY,
        ("reminder-1", "customer-signer"),
    ]


@pytest.mark.long
async def test_what_is_converted_after_days_without_a_word_is_found_within_the_hour_and_due_from_then() -> None:
    """Its callback is lost, and no sweep comes."""
    world = make_unconverted_world()
    async with start_story(world) as story:
        await story.days_pass(2)
        assert [notification for notification in world.push.stages() if notification == READY] == []
        world.signatures.status = Status.SENT
        converted = await story.env.get_current_time()
        await story.move_clock_to(converted + timedelta(hours=1, minutes=1))
        sent = await story.read_view()
        assert world.push.stages().count(READY) == 1
    [found_at] = [line.at for line in sent.notifications if (line.stage, line.person) == READY]
    assert timedelta() <= found_at - converted <= timedelta(hours=1)
    assert sent.due_at is not None
    assert timedelta() <= found_at - (sent.due_at - world.planner.window) < timedelta(minutes=1)


@pytest.mark.long
async def test_a_paused_request_whose_document_is_never_converted_does_not_expire() -> None:
    world = make_unconverted_world()
    async with start_story(world) as story:
        await story.days_pass(0.5)
        await story.send_command(PAUSE)
        await story.days_pass(DAYS + 1)
        standing = await story.read_view()
        await story.send_command(RESUME)
        assert (await story.handle.result()).outcome is Status.EXPIRED
    assert standing.status is Status.CONVERTING
    assert standing.says.startswith("Nobody is asked yet: paused by legal-desk")


@pytest.mark.long
async def test_whoever_asked_for_what_is_never_converted_hears_of_it_on_a_ladder_and_finds_it_in_the_list() -> None:
    world = make_unconverted_world()
    world.planner.window = timedelta(days=10)
    async with start_story(world) as story:
        await story.days_pass(0.03)
        soon = await story.read_view()
        await story.days_pass(0.3)
        later = await story.read_view()
        assert world.push.stages() == [("unsent-1", "legal-desk")]
        assert (await story.handle.result()).outcome is Status.EXPIRED
    assert soon.attention == ()
    assert [(attention.code, attention.says) for attention in later.attention] == [
        (AttentionCode.NOT_ASKED, "Core Signature is preparing the document, and nobody is asked before it has")
    ]
    assert world.push.stages() == [(f"unsent-{number}", "legal-desk") for number in range(1, 5)]


@pytest.mark.long
async def test_what_was_sent_after_all_is_no_news_of_that_kind_any_more() -> None:
    world = make_unconverted_world()
    async with start_story(world) as story:
        await story.days_pass(0.1)
        world.signatures.status = Status.SENT
        await story.days_pass(0.4)
        view = await story.read_view()
    assert view.attention == ()
    assert world.push.stages() == [("unsent-1", "legal-desk"), READY]


async def test_that_core_signature_is_away_at_a_start_is_said_at_once_and_it_is_sent_as_soon_as_it_is_back() -> None:
    world = World()
    world.signatures.failures = [refusal(Code.UNREACHABLE, retryable=True)] * 5
    async with start_story(world, record="away-at-the-start") as story:
        await story.days_pass(0.001)
        sent = await story.read_view()
    at_by_event = {entry.happened: entry.at for entry in reversed(sent.timeline)}
    assert list(at_by_event)[::-1][:4] == ["started", "problem", "mended", "sent"]
    assert at_by_event["problem"] - at_by_event["started"] < timedelta(seconds=5), "not after all attempts of a call"
    assert at_by_event["sent"] - at_by_event["started"] < timedelta(seconds=30), "and no later than without a word"
    assert len(world.signatures.created) == 6


async def test_of_what_a_callback_says_was_sent_people_are_told_without_a_reading() -> None:
    """The answer to the request has told who is asked, in which order: three calls until somebody is told, not four."""
    world = make_unconverted_world()
    async with start_story(world) as story:
        await story.days_pass(0.0001)
        world.signatures.status = Status.SENT
        await story.callback("sent")
        await story.days_pass(0.0001)
        view = await story.read_view()
        assert (view.status, world.push.stages()) == (Status.SENT, [READY])
        assert world.signatures.observations == []
        await story.callback("sent")
        await story.days_pass(0.0001)
    assert len(world.signatures.observations) == 1, "of one that was sent already it is no news: it is read, as ever"


async def test_it_is_so_too_where_the_callback_is_faster_than_the_answer_to_the_request() -> None:
    world = make_unconverted_world()
    world.signatures.create_gate = asyncio.Event()
    async with start_story(world) as story:
        await world.signatures.creating.wait()
        await story.callback("sent")
        world.signatures.create_gate.set()
        await story.days_pass(0.0001)
        assert world.push.stages() == [READY]
    assert world.signatures.observations == []


@pytest.mark.long
async def test_what_comes_with_another_callback_or_is_not_heard_of_is_read() -> None:
    world = make_unconverted_world()
    async with start_story(world) as story:
        await story.days_pass(0.0001)
        world.signatures.status = Status.SENT
        joined = ProviderEvent(id="one", type="sent", at=datetime.now(UTC), also=("another",))
        await story.handle.signal(PROVIDER_EVENT, joined)
        await story.days_pass(0.0001)
        assert (world.push.stages(), len(world.signatures.observations)) == ([READY], 1)
    lost = make_unconverted_world()
    async with start_story(lost) as story:
        await story.days_pass(0.0001)
        lost.signatures.status = Status.SENT
        await story.days_pass(0.001)
        assert (lost.push.stages(), len(lost.signatures.observations)) == ([READY], 1)


async def test_an_old_callback_that_it_was_sent_is_not_believed_and_nobody_is_notified_of_what_is_over() -> None:
    world = make_unconverted_world()
    async with start_story(world) as story:
        await story.days_pass(0.0001)
        sent_at = await story.env.get_current_time()
        await story.days_pass(0.001)
        read = len(world.signatures.observations)
        world.signatures.sign("customer-signer")
        world.signatures.status = Status.SIGNED
        await story.callback("sent", happened_at=sent_at)
        assert (await story.handle.result()).outcome is Status.SIGNED
    assert len(world.signatures.observations) > read
    assert READY not in world.push.stages()


async def test_a_document_that_fails_after_somebody_has_claimed_that_it_was_sent_fails() -> None:
    world = make_unconverted_world()
    async with start_story(world) as story:
        await story.days_pass(0.0001)
        await story.callback("sent")
        await story.days_pass(0.0001)
        world.signatures.status = Status.FAILED
        await story.callback("convert_error")
        assert (await story.handle.result()).outcome is Status.FAILED
