"""Handing off once more: what may be, by a table, and what becomes of it while the request still tells others."""

from datetime import UTC, datetime, timedelta

import pytest
from temporalio.client import WorkflowUpdateFailedError

from tests.messages import english_of
from tests.workflows.fakes import World
from tests.workflows.stage import Story, a_request, start_story
from workflows.follow_up.outbox import Outbox, OutboxEntry, dead_of
from workflows.follow_up.record import amended, amendment, outbox_of, refuse_closed, refuse_of, replayed
from workflows.model.commands import Replay
from workflows.model.hand_off import (
    HandoffCall,
    HandoffLine,
    HandoffReport,
    HandoffResult,
    HandoffState,
    ImmediateHandOff,
    SettledRequest,
)
from workflows.model.policy import Target
from workflows.model.receipts import OperationState
from workflows.model.records import HandoffBatch, HandOffOrder, RecordedHandOff
from workflows.model.subject import Status, Subject
from workflows.model.views import RequestShow
from workflows.names import HAND_OFF_NOW, handoff_key, webhook_id

AT = datetime(2026, 12, 4, 9, 30, tzinfo=UTC)
FINANCE = Target(target="finance", url="https://erp.example/hooks/signed")
HR = Target(target="hr", person="hr-desk")
PENDING, DONE, DEAD = HandoffState.PENDING, HandoffState.DONE, HandoffState.DEAD


def entry(target: Target, state: HandoffState, **fields: object) -> OutboxEntry:
    due_at = AT + timedelta(minutes=5) if state is PENDING else None
    return OutboxEntry(target=target, state=state, attempts=1, at=AT, due_at=due_at).replace(**fields)


def outbox(*entries: OutboxEntry) -> Outbox:
    return Outbox(of="msa-0042", entries=entries)


TOLD = "finance was told Fri 04 Dec 2026 09:30 UTC: insist with --again"
BEING_TOLD = "finance is being told: attempt 2 is due Fri 04 Dec 2026 09:35 UTC (HTTP 503)"
DECISIONS = {
    "dead": ((entry(FINANCE, DEAD),), False, None),
    "dead, and they insist": ((entry(FINANCE, DEAD),), True, None),
    "told": ((entry(FINANCE, DONE),), False, TOLD),
    "told, and they insist": ((entry(FINANCE, DONE),), True, None),
    "being told": ((entry(FINANCE, PENDING, why="HTTP 503"),), False, BEING_TOLD),
    "being told, and they insist": ((entry(FINANCE, PENDING, why="HTTP 503"),), True, BEING_TOLD),
    "dead once, told by a replay": ((entry(FINANCE, DEAD), entry(FINANCE, DONE, replay=1)), False, TOLD),
    "dead twice": ((entry(FINANCE, DEAD), entry(FINANCE, DEAD, replay=1)), False, None),
    "told once, being replayed": (
        (entry(FINANCE, DONE), entry(FINANCE, PENDING, replay=1, why="HTTP 503")),
        True,
        BEING_TOLD,
    ),
    "a stranger": (
        (entry(HR, DONE), entry(FINANCE, DEAD)),
        False,
        "crm is none of those who are told of this end: they are hr, finance",
    ),
    "nobody": (
        (),
        False,
        "crm is none of those who are told of this end: nobody is (the key `on` of a target says of which)",
    ),
    "a person told of the ending": (
        (entry(Target(target="crm", person="crm-desk"), DEAD, notice=True),),
        False,
        "crm is none of those who are told of this end: nobody is (the key `on` of a target says of which)",
    ),
}


@pytest.mark.parametrize(("entries", "insist", "refused"), DECISIONS.values(), ids=DECISIONS)
def test_who_may_be_told_once_more(entries: tuple[OutboxEntry, ...], insist: bool, refused: str | None) -> None:
    target = "crm" if refused and refused.startswith("crm") else "finance"
    assert english_of(refuse_of(outbox(*entries), Replay(actor="ops", target=target, again=insist))) == refused


def test_an_original_line_stays_and_of_many_replays_the_memory_has_the_last() -> None:
    original, ledger = entry(FINANCE, DEAD, attempts=10, why="HTTP 500"), outbox()
    ledger = outbox(original, entry(HR, DONE))
    for number in range(1, 31):
        ledger = replayed(ledger, Replay(actor="ops", target="finance"), AT)
        ledger = ledger.record((HandoffResult(target="finance", ok=False, gone=True, why="HTTP 410"),), AT)
        assert ledger.entries[-1].replay == number
    assert ledger.entries[0] == original
    assert [(entry.target.target, entry.replay) for entry in ledger.entries] == [
        ("finance", 0),
        ("hr", 0),
        ("finance", 30),
    ]
    assert {line.key for line in ledger.lines if line.target == "finance"} == {
        webhook_id(handoff_key("msa-0042", "finance"))
    }


def test_names_of_targets_that_there_are_fill_no_screen() -> None:
    ledger = outbox(*(entry(Target(target=f"target-{n:03}", person="p"), DONE) for n in range(200)))
    refused = refuse_of(ledger, Replay(actor="ops", target="crm"))
    assert refused is not None and len(refused.english.encode()) < 400


SUBJECT = Subject(id="msa-0042", kind="nda", title="NDA", requester="legal-desk", people=())
ENDED = SettledRequest(request="msa-0042", external_id="msa-0042", kind="nda", outcome=Status.SIGNED, at=AT)


@pytest.mark.parametrize(
    ("result", "dead_targets"),
    [
        (HandoffResult(target="finance", ok=True), []),
        (HandoffResult(target="finance", ok=False, gone=True, why="HTTP 410"), ["finance"]),
    ],
    ids=["told", "dead again"],
)
def test_a_replay_stands_beside_its_original_in_the_record_and_whoever_was_told_is_dead_no_more(
    result: HandoffResult, dead_targets: list[str]
) -> None:
    dead_lines = outbox(entry(FINANCE, DEAD)).dead
    call = HandoffCall(target=FINANCE, replay=1, by="ops")
    batch = HandoffBatch(subject=SUBJECT, settled=ENDED, calls=(call,), number=2)
    changed = amendment(batch, HandoffReport(results=(result,)), AT)
    view = RequestShow(id="msa-0042", kind="nda", status=Status.SIGNED, says="Signed", handoffs=dead_lines)
    whole_view = amended(view, changed)
    assert [(line.replay, line.by) for line in whole_view.handoffs] == [(0, None), (1, "ops")]
    assert [line.target for line in dead_of(whole_view.handoffs)] == dead_targets
    assert [attention.code for attention in whole_view.attention] == ["handoff_dead"][: len(dead_targets)]


def test_who_was_told_of_an_escalation_in_vain_can_be_told_by_the_many_and_needs_nobody_by_itself() -> None:
    crm = Target(target="crm/escalated-1", url="https://crm.example/hooks")
    batch = HandoffBatch(subject=SUBJECT, settled=ENDED, calls=(HandoffCall(target=crm),))
    dead = HandoffReport(results=(HandoffResult(target=crm.target, ok=False, gone=True),))
    changed = amendment(batch, dead, AT)
    view = RequestShow(id="msa-0042", kind="nda", status=Status.SIGNED, says="Signed")
    assert amended(view, changed).attention == ()
    assert [line.state for line in amended(view, changed).handoffs] == [DEAD]


def test_only_who_subscribed_by_the_record_is_signalled() -> None:
    order = HandOffOrder(subject=SUBJECT, settled=ENDED, targets=(FINANCE,))
    lines = [HandoffLine(target=name, state=DEAD, attempts=1, at=AT) for name in ("finance", "t3")]
    outbox = outbox_of(RecordedHandOff(order=order, lines=tuple(lines)))
    assert refuse_closed(outbox, Replay(actor="ops", target="finance")) is None
    message = "t3 cannot be told: its record does not say how"
    assert english_of(refuse_closed(outbox, Replay(actor="ops", target="t3", again=True))) == message
    assert {entry.target.workflow for entry in outbox.entries} == {None}


async def _refusal(story: Story, target: str, *, insist: bool = False) -> str:
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await story.send_command(Replay(actor="ops", target=target, again=insist))
    return str(refused.value.cause)


async def test_a_dead_target_is_told_once_more_while_another_is_still_tried() -> None:
    world = World()
    world.handoff.down, world.handoff.closed_targets = {"finance"}, {"customer-onboarding:acme"}
    async with start_story(world, a_request(subscribers=("customer-onboarding:acme",)), record="replayed") as story:
        await story.days_pass(0.1)
        assert "nothing is handed off before the end: the request is sent" in await _refusal(story, "finance")
        world.signatures.status = Status.SIGNED
        await story.callback()
        await story.days_pass(0.5)
        assert "finance is being told: attempt" in await _refusal(story, "finance")
        assert "hr was told" in await _refusal(story, "hr")
        world.handoff.closed_targets = set()
        receipt = await story.send_command(Replay(actor="ops", target="customer-onboarding:acme"), op="replay-1")
        assert (receipt.state, receipt.detail) == (OperationState.DONE, "told customer-onboarding:acme")
        hr_receipt = await story.send_command(Replay(actor="ops", target="hr", again=True))
        assert hr_receipt.state is OperationState.DONE
        call_count = world.handoff.calls["finance"]
        world.handoff.down = set()
        await story.handle.result()
        view = await story.read_view()
    assert (world.handoff.calls["hr"], world.handoff.calls["customer-onboarding:acme"]) == (2, 2)
    assert world.handoff.calls["finance"] == call_count + 1
    lines = [(line.target, line.state, line.replay, line.by) for line in view.handoffs]
    assert ("customer-onboarding:acme", DEAD, 0, None) in lines
    assert ("customer-onboarding:acme", DONE, 1, "ops") in lines
    assert view.attention == ()
    assert ("replay asked for", "hr", "by ops") in [(entry.what, entry.who, entry.because) for entry in view.timeline]
    finance = next(line for line in view.handoffs if line.target == "finance")
    assert finance.key == webhook_id("msa-0042/handoff/finance")


async def test_a_pending_target_says_when_it_is_tried_again_and_what_it_last_answered() -> None:
    world = World()
    world.handoff.down = {"finance"}
    async with start_story(world) as story:
        await story.days_pass(0.1)
        world.signatures.status = Status.SIGNED
        await story.callback()
        await story.days_pass(0.2)
        finance = next(line for line in (await story.read_view()).handoffs if line.target == "finance")
        now = await story.env.get_current_time()
    assert (finance.state, finance.why) == (PENDING, "no answer")
    assert finance.due_at is not None and finance.due_at > now


async def test_what_would_be_tried_later_is_tried_at_once_when_somebody_says_so() -> None:
    world = World()
    world.handoff.down = {"finance"}
    async with start_story(world) as story:
        await story.days_pass(0.1)
        world.signatures.status = Status.SIGNED
        await story.callback()
        await story.days_pass(0.2)
        call_count = world.handoff.calls["finance"]
        await story.handle.signal(HAND_OFF_NOW, ImmediateHandOff(target="hr"))
        await story.at_rest()
        assert world.handoff.calls["finance"] == call_count
        world.handoff.down = set()
        replayed_at = await story.env.get_current_time()
        await story.handle.signal(HAND_OFF_NOW, ImmediateHandOff(target="finance"))
        await story.handle.result()
        view = await story.read_view()
    finance = next(line for line in view.handoffs if line.target == "finance")
    assert (finance.state, finance.attempts) == (DONE, call_count + 1)
    assert finance.at - replayed_at < timedelta(minutes=1)


async def test_what_the_store_did_not_take_of_the_last_batch_is_recorded_before_the_run_closes() -> None:
    world = World()
    world.handoff.store_failures = 3
    async with start_story(world) as story:
        await story.days_pass(0.1)
        world.signatures.status = Status.SIGNED
        await story.callback()
        await story.days_pass(0.1)
        await story.handle.result()
    first, last = [batch for batch in world.handoff.batches if batch.settled]
    [amendment] = world.handoff.made_up
    assert (amendment.number, {line.state for line in amendment.handoffs}) == (first.number, {DONE})
    assert {line.target for line in amendment.handoffs} == {"hr", "finance", "operations", "customer-success"}
    assert (last.calls, last.record) == ((), None)
    assert set(world.handoff.calls.values()) == {1}
