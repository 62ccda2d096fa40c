"""Handing off once more: what may be, by a table, and what becomes of it while the request still tells others."""

from datetime import UTC, datetime, timedelta

import pytest
from temporalio.client import WorkflowUpdateFailedError

from tests.messages import english_of
from tests.workflows.fakes import World
from tests.workflows.stage import Story, a_request, story
from workflows.follow_up.outbox import Outbox, OutboxEntry, dead_of
from workflows.follow_up.record import amended, amendment, outbox_of, refuse_closed, refuse_of, replayed
from workflows.model.commands import Replay
from workflows.model.hand_off import (
    HandoffCall,
    HandoffLine,
    HandOffNow,
    HandoffReport,
    HandoffResult,
    HandoffState,
    Settled,
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


def entry(target: Target, state: HandoffState, **more: object) -> OutboxEntry:
    due_at = AT + timedelta(minutes=5) if state is PENDING else None
    return OutboxEntry(target=target, state=state, attempts=1, at=AT, due_at=due_at).replace(**more)


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


@pytest.mark.parametrize(("entries", "again", "refused"), DECISIONS.values(), ids=DECISIONS)
def test_who_may_be_told_once_more(entries: tuple[OutboxEntry, ...], again: bool, refused: str | None) -> None:
    target = "crm" if refused and refused.startswith("crm") else "finance"
    assert english_of(refuse_of(outbox(*entries), Replay(actor="ops", target=target, again=again))) == refused


def test_an_original_line_stays_and_of_many_replays_the_memory_has_the_last() -> None:
    original, known = entry(FINANCE, DEAD, attempts=10, why="HTTP 500"), outbox()
    known = outbox(original, entry(HR, DONE))
    for number in range(1, 31):
        known = replayed(known, Replay(actor="ops", target="finance"), AT)
        known = known.record((HandoffResult(target="finance", ok=False, gone=True, why="HTTP 410"),), AT)
        assert known.entries[-1].replay == number
    assert known.entries[0] == original
    assert [(one.target.target, one.replay) for one in known.entries] == [("finance", 0), ("hr", 0), ("finance", 30)]
    assert {line.key for line in known.lines if line.target == "finance"} == {
        webhook_id(handoff_key("msa-0042", "finance"))
    }


def test_names_of_targets_that_there_are_fill_no_screen() -> None:
    many = outbox(*(entry(Target(target=f"target-{n:03}", person="p"), DONE) for n in range(200)))
    refused = refuse_of(many, Replay(actor="ops", target="crm"))
    assert refused is not None and len(refused.english.encode()) < 400


SUBJECT = Subject(id="msa-0042", kind="nda", title="NDA", requester="legal-desk", people=())
ENDED = Settled(request="msa-0042", external_id="msa-0042", kind="nda", outcome=Status.SIGNED, at=AT)


@pytest.mark.parametrize(
    ("result", "left"),
    [
        (HandoffResult(target="finance", ok=True), []),
        (HandoffResult(target="finance", ok=False, gone=True, why="HTTP 410"), ["finance"]),
    ],
    ids=["told", "dead again"],
)
def test_a_replay_stands_beside_its_original_in_the_record_and_whoever_was_told_is_dead_no_more(
    result: HandoffResult, left: list[str]
) -> None:
    before = outbox(entry(FINANCE, DEAD)).dead
    call = HandoffCall(target=FINANCE, replay=1, by="ops")
    batch = HandoffBatch(subject=SUBJECT, settled=ENDED, calls=(call,), number=2)
    changed = amendment(batch, HandoffReport(results=(result,)), AT)
    shown = RequestShow(id="msa-0042", kind="nda", status=Status.SIGNED, says="Signed", handoffs=before)
    whole = amended(shown, changed)
    assert [(line.replay, line.by) for line in whole.handoffs] == [(0, None), (1, "ops")]
    assert [line.target for line in dead_of(whole.handoffs)] == left
    assert [one.code for one in whole.attention] == ["handoff_dead"][: len(left)]


def test_who_was_told_of_an_escalation_in_vain_can_be_told_by_the_many_and_needs_nobody_by_itself() -> None:
    crm = Target(target="crm/escalated-1", url="https://crm.example/hooks")
    batch = HandoffBatch(subject=SUBJECT, settled=ENDED, calls=(HandoffCall(target=crm),))
    dead = HandoffReport(results=(HandoffResult(target=crm.target, ok=False, gone=True),))
    changed = amendment(batch, dead, AT)
    shown = RequestShow(id="msa-0042", kind="nda", status=Status.SIGNED, says="Signed")
    assert amended(shown, changed).attention == ()
    assert [line.state for line in amended(shown, changed).handoffs] == [DEAD]


def test_only_who_subscribed_by_the_record_is_signalled() -> None:
    known = HandOffOrder(subject=SUBJECT, settled=ENDED, targets=(FINANCE,))
    lines = [HandoffLine(target=name, state=DEAD, attempts=1, at=AT) for name in ("finance", "t3")]
    outbox = outbox_of(RecordedHandOff(order=known, lines=tuple(lines)))
    assert refuse_closed(outbox, Replay(actor="ops", target="finance")) is None
    says = "t3 cannot be told: its record does not say how"
    assert english_of(refuse_closed(outbox, Replay(actor="ops", target="t3", again=True))) == says
    assert {one.target.workflow for one in outbox.entries} == {None}


async def _refusal(it: Story, target: str, *, again: bool = False) -> str:
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await it.wish(Replay(actor="ops", target=target, again=again))
    return str(refused.value.cause)


async def test_a_dead_target_is_told_once_more_while_another_is_still_tried() -> None:
    world = World()
    world.handoff.down, world.handoff.gone = {"finance"}, {"customer-onboarding:acme"}
    async with story(world, a_request(subscribers=("customer-onboarding:acme",)), record="replayed") as it:
        await it.days_pass(0.1)
        assert "nothing is handed off before the end: the request is sent" in await _refusal(it, "finance")
        world.signatures.status = Status.SIGNED
        await it.callback()
        await it.days_pass(0.5)
        assert "finance is being told: attempt" in await _refusal(it, "finance")
        assert "hr was told" in await _refusal(it, "hr")
        world.handoff.gone = set()
        taken = await it.wish(Replay(actor="ops", target="customer-onboarding:acme"), op="replay-1")
        assert (taken.state, taken.detail) == (OperationState.DONE, "told customer-onboarding:acme")
        again = await it.wish(Replay(actor="ops", target="hr", again=True))
        assert again.state is OperationState.DONE
        before = world.handoff.calls["finance"]
        world.handoff.down = set()
        await it.handle.result()
        shown = await it.shown()
    assert (world.handoff.calls["hr"], world.handoff.calls["customer-onboarding:acme"]) == (2, 2)
    assert world.handoff.calls["finance"] == before + 1
    lines = [(line.target, line.state, line.replay, line.by) for line in shown.handoffs]
    assert ("customer-onboarding:acme", DEAD, 0, None) in lines
    assert ("customer-onboarding:acme", DONE, 1, "ops") in lines
    assert shown.attention == ()
    assert ("replay asked for", "hr", "by ops") in [(one.what, one.who, one.because) for one in shown.timeline]
    finance = next(line for line in shown.handoffs if line.target == "finance")
    assert finance.key == webhook_id("msa-0042/handoff/finance")


async def test_a_pending_target_says_when_it_is_tried_again_and_what_it_last_answered() -> None:
    world = World()
    world.handoff.down = {"finance"}
    async with story(world) as it:
        await it.days_pass(0.1)
        world.signatures.status = Status.SIGNED
        await it.callback()
        await it.days_pass(0.2)
        finance = next(line for line in (await it.shown()).handoffs if line.target == "finance")
        now = await it.env.get_current_time()
    assert (finance.state, finance.why) == (PENDING, "no answer")
    assert finance.due_at is not None and finance.due_at > now


async def test_what_would_be_tried_later_is_tried_at_once_when_somebody_says_so() -> None:
    world = World()
    world.handoff.down = {"finance"}
    async with story(world) as it:
        await it.days_pass(0.1)
        world.signatures.status = Status.SIGNED
        await it.callback()
        await it.days_pass(0.2)
        tried = world.handoff.calls["finance"]
        await it.handle.signal(HAND_OFF_NOW, HandOffNow(target="hr"))
        await it.at_rest()
        assert world.handoff.calls["finance"] == tried
        world.handoff.down = set()
        before = await it.env.get_current_time()
        await it.handle.signal(HAND_OFF_NOW, HandOffNow(target="finance"))
        await it.handle.result()
        shown = await it.shown()
    finance = next(line for line in shown.handoffs if line.target == "finance")
    assert (finance.state, finance.attempts) == (DONE, tried + 1)
    assert finance.at - before < timedelta(minutes=1)


async def test_what_the_store_did_not_take_of_the_last_batch_is_recorded_before_the_run_closes() -> None:
    world = World()
    world.handoff.away = 3
    async with story(world) as it:
        await it.days_pass(0.1)
        world.signatures.status = Status.SIGNED
        await it.callback()
        await it.days_pass(0.1)
        await it.handle.result()
    first, last = [batch for batch in world.handoff.batches if batch.settled]
    [amendment] = world.handoff.made_up
    assert (amendment.number, {line.state for line in amendment.handoffs}) == (first.number, {DONE})
    assert {line.target for line in amendment.handoffs} == {"hr", "finance", "operations", "customer-success"}
    assert (last.calls, last.record) == ((), None)
    assert set(world.handoff.calls.values()) == {1}
