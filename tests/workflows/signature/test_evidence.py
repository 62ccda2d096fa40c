"""What is kept at the end: the hand-off waits a minute for it and tells of it; what is missing comes beside it."""

import itertools
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from temporalio.exceptions import ApplicationError

from tests.workflows.fakes import DOCUMENT, SIGNED_PDF, SIGNING_LOG, FakeEvidence, World, refusal
from tests.workflows.stage import Story, a_request, story
from workflows.follow_up.options import EVIDENCE_LASTS
from workflows.model.commands import Problem, Replay
from workflows.model.evidence import EvidenceOrder, KeptFiles
from workflows.model.hand_off import Settled
from workflows.model.policy import EvidenceLevel, end_of_retention
from workflows.model.signature import DocumentSeen
from workflows.model.subject import Code, Status
from workflows.signature.state import EvidenceState, SignatureState
from workflows.signature.workflow import SignatureRequestWorkflow


@dataclass
class Missing(FakeEvidence):
    """The log is not ready until so many calls were made; the document is there at once."""

    ready_after: float = float("inf")

    async def keep(self, order: EvidenceOrder) -> KeptFiles:
        self.orders.append(order)
        if len(self.orders) > self.ready_after:
            return KeptFiles(document=SIGNED_PDF, signing_log=SIGNING_LOG)
        there = KeptFiles(document=SIGNED_PDF).model_dump(exclude_none=True)
        raise ApplicationError("the signing log is not ready", there, type=Code.EVIDENCE)


async def signed(it: Story) -> None:
    """Everybody has signed."""
    it.world.signatures.status = Status.SIGNED
    await it.callback()


def told(world: World) -> Settled:
    """What the first batch of the hand-off says."""
    settled = next(batch.settled for batch in world.handoff.batches if batch.calls)
    assert isinstance(settled, Settled)
    return settled


async def test_targets_hear_of_the_document_and_the_view_has_it() -> None:
    world = World()
    async with story(world) as it:
        await signed(it)
        result, shown = await it.handle.result(), await it.shown()
        details = await it.handle.query("__temporal_workflow_metadata")
    assert (result.document, result.signing_log) == (SIGNED_PDF, SIGNING_LOG)
    assert (told(world).document, told(world).derived) == (SIGNED_PDF, {"signed_sha256": SIGNED_PDF.sha256})
    assert (shown.signed_document, shown.signing_log, shown.problem) == (SIGNED_PDF, SIGNING_LOG, None)
    assert world.evidence.orders == [EvidenceOrder(document=DOCUMENT)]
    assert SIGNED_PDF.sha256 in str(details)


async def test_without_the_log_the_hand_off_goes_out_after_a_minute_and_the_log_comes_beside_it() -> None:
    world = World()
    world.evidence = Missing(ready_after=9)
    async with story(world) as it:
        await signed(it)
        await it.days_pass(90 / 86_400)
        waiting = await it.shown()
        result, shown = await it.handle.result(), await it.shown()
    assert waiting.problem and (waiting.problem.code, waiting.problem.says) == (
        Code.EVIDENCE,
        "the signing log is not ready",
    )
    assert (waiting.signed_document, "not kept yet" in waiting.says) == (SIGNED_PDF, True)
    assert {line.state for line in waiting.handoffs} == {"done"}, "nobody waits longer for it"
    assert (told(world).document, told(world).signing_log) == (SIGNED_PDF, None)
    assert result.signing_log is None, "what is told stays as it was"
    assert (shown.problem, shown.signing_log) == (None, SIGNING_LOG)


async def test_what_a_kind_keeps_for_some_years_is_asked_for_with_its_last_instant() -> None:
    world, request = World(), a_request()
    async with story(world, request.replace(policy=request.policy.replace(keep="7y"))) as it:
        await signed(it)
        ended = (await it.handle.result()).at
    [order] = world.evidence.orders
    assert order.until == end_of_retention(ended, "7y")


async def test_after_three_days_it_is_given_up_and_the_run_ends() -> None:
    world = World()
    world.evidence = Missing()
    async with story(world) as it:
        await signed(it)
        result = await it.handle.result()
        shown, closed_at = await it.shown(), (await it.handle.describe()).close_time
    assert closed_at
    over = closed_at - result.at
    assert shown.problem and shown.problem.code is Code.EVIDENCE
    assert EVIDENCE_LASTS / 2 < over <= EVIDENCE_LASTS + timedelta(hours=1)
    assert len(world.evidence.orders) < 30, "with growing pauses"
    record = next(batch.record for batch in world.handoff.batches if batch.record)
    assert record.show.problem is None, "the record is as of the settlement"


async def test_a_replay_is_taken_while_the_files_are_waited_for() -> None:
    world = World()
    world.evidence = Missing(ready_after=12)
    async with story(world) as it:
        await signed(it)
        await it.days_pass(120 / 86_400)
        again = Replay(actor="legal-desk", target="finance", again=True)
        await it.handle.execute_update(SignatureRequestWorkflow.replay, again)
        await it.days_pass(5 / 86_400)
        assert world.handoff.calls["finance"] == 2
        replayed = world.handoff.batches[-1].settled
        assert isinstance(replayed, Settled) and replayed == told(world)
        await it.handle.result()


async def test_a_fresh_history_goes_on_with_what_is_left_of_the_three_days() -> None:
    world, now = World(), datetime.now(UTC)
    world.signatures.status = Status.SIGNED
    request = a_request()
    seen = DocumentSeen(document=DOCUMENT, status=Status.SIGNED, raw="si")
    problem = Problem(code=Code.EVIDENCE, since=now, says="the signing log is not ready")
    ended = SignatureState.begin(request.brief, now).observe(seen, now)
    evidence = EvidenceState(in_time=KeptFiles(), problem=problem)
    carried = ended.within("document", evidence=evidence).carried_over()
    async with story(world, request.replace(carried=carried)) as it:
        await it.handle.result()
        shown = await it.shown()
    assert (len(world.evidence.orders), shown.problem, shown.signed_document) == (1, None, SIGNED_PDF)
    assert told(world).document is None


async def test_a_kind_that_keeps_nothing_asks_for_nothing_and_one_of_logs_for_the_log() -> None:
    for level, orders in ((EvidenceLevel.NONE, []), (EvidenceLevel.LOG, [True])):
        world, request = World(), a_request()
        async with story(world, request.replace(policy=request.policy.replace(evidence=level))) as it:
            await signed(it)
            assert (await it.handle.result()).document is None
        assert [order.log_only for order in world.evidence.orders] == orders


async def test_of_what_was_never_signed_only_what_we_know_is_kept() -> None:
    world = World()
    async with story(world) as it:
        world.signatures.status = Status.CANCELLED
        await it.callback("cancelled")
        assert (await it.handle.result()).document is None
    assert [order.document for order in world.evidence.orders] == [None]


async def test_a_worker_that_is_gone_for_a_minute_costs_the_hand_off_a_minute() -> None:
    world = World()
    world.evidence.failures = list(itertools.repeat(refusal(Code.UNREACHABLE, retryable=True), 2))
    async with story(world) as it:
        await signed(it)
        assert (await it.handle.result()).document == SIGNED_PDF
    assert len(world.evidence.orders) == 3
