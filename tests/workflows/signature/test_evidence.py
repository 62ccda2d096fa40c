"""What is kept at the end: the hand-off waits a minute for it and tells of it; what is missing comes beside it."""

import itertools
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.exceptions import ApplicationError

from tests.workflows.fakes import DOCUMENT, SIGNED_PDF, SIGNING_LOG, FakeEvidence, World, refusal
from tests.workflows.stage import Story, a_request, start_story
from workflows.follow_up.options import EVIDENCE_LASTS
from workflows.model.commands import Problem, Replay
from workflows.model.evidence import EvidenceOrder, KeptFiles
from workflows.model.hand_off import SettledRequest
from workflows.model.policy import EvidenceLevel, end_of_retention
from workflows.model.signature import ReportedDocument
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
        partial_files = KeptFiles(document=SIGNED_PDF).model_dump(exclude_none=True)
        raise ApplicationError("the signing log is not ready", partial_files, type=Code.EVIDENCE)


async def sign_by_all(story: Story) -> None:
    """Everybody has signed."""
    story.world.signatures.status = Status.SIGNED
    await story.callback()


def first_settlement(world: World) -> SettledRequest:
    """What the first batch of the hand-off says."""
    settled = next(batch.settled for batch in world.handoff.batches if batch.calls)
    assert isinstance(settled, SettledRequest)
    return settled


async def test_targets_hear_of_the_document_and_the_view_has_it() -> None:
    world = World()
    async with start_story(world) as story:
        await sign_by_all(story)
        result, view = await story.handle.result(), await story.read_view()
        details = await story.handle.query("__temporal_workflow_metadata")
    assert (result.document, result.signing_log) == (SIGNED_PDF, SIGNING_LOG)
    assert (first_settlement(world).document, first_settlement(world).derived) == (
        SIGNED_PDF,
        {"signed_sha256": SIGNED_PDF.sha256},
    )
    assert (view.signed_document, view.signing_log, view.problem) == (SIGNED_PDF, SIGNING_LOG, None)
    assert world.evidence.orders == [EvidenceOrder(document=DOCUMENT)]
    assert SIGNED_PDF.sha256 in str(details)


@pytest.mark.long
async def test_without_the_log_the_hand_off_goes_out_after_a_minute_and_the_log_comes_beside_it() -> None:
    world = World()
    world.evidence = Missing(ready_after=9)
    async with start_story(world) as story:
        await sign_by_all(story)
        await story.days_pass(90 / 86_400)
        waiting = await story.read_view()
        result, view = await story.handle.result(), await story.read_view()
    assert waiting.problem and (waiting.problem.code, waiting.problem.says) == (
        Code.EVIDENCE,
        "the signing log is not ready",
    )
    assert (waiting.signed_document, "not kept yet" in waiting.says) == (SIGNED_PDF, True)
    assert {line.state for line in waiting.handoffs} == {"done"}, "nobody waits longer for it"
    assert (first_settlement(world).document, first_settlement(world).signing_log) == (SIGNED_PDF, None)
    assert result.signing_log is None, "what is told stays as it was"
    assert (view.problem, view.signing_log) == (None, SIGNING_LOG)


async def test_what_a_kind_keeps_for_some_years_is_asked_for_with_its_last_instant() -> None:
    world, request = World(), a_request()
    async with start_story(world, request.replace(policy=request.policy.replace(keep="7y"))) as story:
        await sign_by_all(story)
        settlement = (await story.handle.result()).at
    [order] = world.evidence.orders
    assert order.until == end_of_retention(settlement, "7y")


async def test_after_three_days_it_is_given_up_and_the_run_ends() -> None:
    world = World()
    world.evidence = Missing()
    async with start_story(world) as story:
        await sign_by_all(story)
        result = await story.handle.result()
        view, closed_at = await story.read_view(), (await story.handle.describe()).close_time
    assert closed_at
    waited = closed_at - result.at
    assert view.problem and view.problem.code is Code.EVIDENCE
    assert EVIDENCE_LASTS / 2 < waited <= EVIDENCE_LASTS + timedelta(hours=1)
    assert len(world.evidence.orders) < 30, "with growing pauses"
    record = next(batch.record for batch in world.handoff.batches if batch.record)
    assert record.show.problem is None, "the record is as of the settlement"


async def test_a_replay_is_taken_while_the_files_are_waited_for() -> None:
    world = World()
    world.evidence = Missing(ready_after=12)
    async with start_story(world) as story:
        await sign_by_all(story)
        await story.days_pass(120 / 86_400)
        insistent_replay = Replay(actor="legal-desk", target="finance", again=True)
        await story.handle.execute_update(SignatureRequestWorkflow.replay, insistent_replay)
        await story.days_pass(5 / 86_400)
        assert world.handoff.calls["finance"] == 2
        replayed = world.handoff.batches[-1].settled
        assert isinstance(replayed, SettledRequest) and replayed == first_settlement(world)
        await story.handle.result()


async def test_a_fresh_history_goes_on_with_what_is_left_of_the_three_days() -> None:
    world, now = World(), datetime.now(UTC)
    world.signatures.status = Status.SIGNED
    request = a_request()
    signed_document = ReportedDocument(document=DOCUMENT, status=Status.SIGNED, raw="si")
    problem = Problem(code=Code.EVIDENCE, since=now, says="the signing log is not ready")
    state = SignatureState.begin(request.brief, now).observe(signed_document, now)
    evidence = EvidenceState(in_time=KeptFiles(), problem=problem)
    carried = state.update_part("document", evidence=evidence).carried_over()
    async with start_story(world, request.replace(carried=carried)) as story:
        await story.handle.result()
        view = await story.read_view()
    assert (len(world.evidence.orders), view.problem, view.signed_document) == (1, None, SIGNED_PDF)
    assert first_settlement(world).document is None


@pytest.mark.long
async def test_a_kind_that_keeps_nothing_asks_for_nothing_and_one_of_logs_for_the_log() -> None:
    for level, orders in ((EvidenceLevel.NONE, []), (EvidenceLevel.LOG, [True])):
        world, request = World(), a_request()
        async with start_story(world, request.replace(policy=request.policy.replace(evidence=level))) as story:
            await sign_by_all(story)
            assert (await story.handle.result()).document is None
        assert [order.log_only for order in world.evidence.orders] == orders


async def test_of_what_was_never_signed_only_what_we_know_is_kept() -> None:
    world = World()
    async with start_story(world) as story:
        world.signatures.status = Status.CANCELLED
        await story.callback("cancelled")
        assert (await story.handle.result()).document is None
    assert [order.document for order in world.evidence.orders] == [None]


async def test_a_worker_that_is_gone_for_a_minute_costs_the_hand_off_a_minute() -> None:
    world = World()
    world.evidence.failures = list(itertools.repeat(refusal(Code.UNREACHABLE, retryable=True), 2))
    async with start_story(world) as story:
        await sign_by_all(story)
        assert (await story.handle.result()).document == SIGNED_PDF
    assert len(world.evidence.orders) == 3
