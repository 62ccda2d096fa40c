"""Targets that hear of escalations: each once, beside the life of the request, which waits for none of them."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from tests.faults.town import eventually
from tests.workflows.fakes import FakeHandoff, World, refusal
from tests.workflows.stage import PARALLEL, Story, a_request, story
from tests.workflows.task.test_tasks import a_task
from workflows.follow_up.notifications import open_escalations, open_hand_off, subscribe
from workflows.follow_up.options import PROBE_FIRST
from workflows.follow_up.outbox import ESCALATIONS_AT_MOST
from workflows.follow_up.record import hand_off_batch, handed_off
from workflows.model.commands import Delegation, ReminderNow, Replay, Subscription
from workflows.model.hand_off import (
    EscalatedRequest,
    EscalatedTask,
    HandOffNow,
    HandoffReport,
    HandoffResult,
    HandoffState,
)
from workflows.model.policy import ESCALATED, Policy, Target
from workflows.model.receipts import OperationState, Receipt
from workflows.model.records import HandoffBatch
from workflows.model.schedule import EscalationReason
from workflows.model.subject import Code, Status
from workflows.model.timeline import EscalationEntry
from workflows.names import HAND_OFF_NOW, HANDOFF, REPLAY
from workflows.signature.state import SignatureInput, SignatureState
from workflows.signature.workflow import SignatureRequestWorkflow
from workflows.task.state import TaskState

AT = datetime(2026, 12, 4, 9, 30, tzinfo=UTC)
ERP = Target(target="erp", url="https://erp.example/hooks", on=(Status.SIGNED, ESCALATED))
CRM = Target(target="crm", url="https://crm.example/hooks", on=(ESCALATED,))


def request(*targets: Target) -> SignatureInput:
    return a_request(*PARALLEL, handoff=targets or (ERP, CRM))


class HangsBeforeTheEnd(FakeHandoff):
    """Its targets answer once there is an ending, and not before."""

    async def hand_off(self, batch: HandoffBatch) -> HandoffReport:
        if batch.whole().settled is None:
            self.batches.append(batch)
            await asyncio.Event().wait()
        return await super().hand_off(batch)


async def _holds(anything: object) -> bool:
    return bool(anything)


async def _ended(it: Story) -> bool:
    shown = await it.shown()
    return shown.status.ended and all(one.state is HandoffState.DONE for one in shown.handoffs)


def settle(world: World) -> None:
    for person in ("customer-signer", "chief-executive"):
        world.signatures.sign(person)
    world.signatures.status = Status.SIGNED


async def test_each_target_hears_of_each_escalation_once_and_then_of_the_ending() -> None:
    world = World()
    async with story(world, request(), record="escalation-told") as it:
        await it.days_pass(12.5)
        shown = await it.shown()
        assert [(one.target, one.state) for one in shown.handoffs] == [
            (f"{name}/escalated-{number}", HandoffState.DONE) for number in (1, 2) for name in ("erp", "crm")
        ]
        assert len({one.key for one in shown.handoffs}) == 4
        await it.days_pass(2)
        settle(world)
        await it.callback()
        await it.handle.result()
        shown = await it.shown()
    assert world.handoff.calls | {"notice:legal-desk": 0} == {
        **{f"{name}/escalated-{number}": 1 for number in (1, 2) for name in ("erp", "crm")},
        "erp": 1,
        "notice:legal-desk": 0,
        **{name: 1 for name in world.handoff.calls if name.startswith("notice:") and name != "notice:legal-desk"},
    }
    record = next(batch.record for batch in world.handoff.batches if batch.settled)
    assert record is not None and record.hand_off is not None
    assert record.hand_off.targets == (ERP,)
    assert record.hand_off.escalated == (ERP, CRM)
    first = world.handoff.batches[0]
    told = [call.escalated for call in first.calls if call.target.name == "erp"]
    assert first.settled is None and first.record is None
    assert [(one.person, one.to, one.number) for one in told if isinstance(one, EscalatedRequest)] == [
        ("customer-signer", "chair", 1),
        ("chief-executive", "chair", 2),
    ]
    assert [one.number for one in world.handoff.batches] == sorted({one.number for one in world.handoff.batches})


async def test_a_target_that_hangs_delays_neither_nudges_nor_the_ending_and_hears_with_it() -> None:
    world = World()
    world.handoff = HangsBeforeTheEnd()
    async with story(world, request(CRM)) as it:
        moving = asyncio.create_task(it.days_pass(12))
        await eventually(lambda: _holds(world.handoff.batches))
        assert [one.state for one in (await it.shown()).handoffs] == 2 * [HandoffState.PENDING]
        settle(world)
        await it.callback()
        await eventually(lambda: _ended(it))
        shown = await it.shown()
        await moving
    assert shown.status is Status.SIGNED
    assert [(one.state, one.attempts) for one in shown.handoffs] == 2 * [(HandoffState.DONE, 1)]


async def test_who_never_heard_of_an_escalation_is_nobody_s_business_once_it_has_ended() -> None:
    world = World()
    world.handoff.gone = {"crm/escalated-1"}
    async with story(world, request(CRM)) as it:
        await it.days_pass(12.5)
        assert [one.code for one in (await it.shown()).attention] == ["handoff_dead"]
        settle(world)
        await it.callback()
        await it.handle.result()
        shown = await it.shown()
    assert {line.target: line.state for line in shown.handoffs}["crm/escalated-1"] is HandoffState.DEAD
    assert (shown.attention, "could not tell" in shown.says) == ((), False)
    assert "undelivered" not in {stage for stage, _ in world.push.stages()}


async def test_a_target_that_never_heard_of_an_escalation_is_told_once_more_while_the_request_is_open() -> None:
    world = World()
    world.handoff.gone = {"crm/escalated-1", "crm/escalated-2"}
    async with story(world, request(CRM)) as it:
        await it.days_pass(12.5)
        assert await listed(it) == HandoffState.DEAD
        refused = await it.wish(Replay(actor="ops", target="crm/escalated-1"))
        assert (refused.state, refused.detail) == (
            OperationState.REFUSED,
            "could not tell crm/escalated-1: workflow_closed",
        )
        world.handoff.gone = set()
        told = await it.wish(Replay(actor="ops", target="crm/escalated-1"))
        assert (told.state, told.detail) == (OperationState.DONE, "told crm/escalated-1")
        assert await listed(it) == HandoffState.DEAD, "of the other"
        assert (await it.wish(Replay(actor="ops", target="crm/escalated-2"))).state is OperationState.DONE
        await it.at_rest()
        shown = await it.shown()
        assert (shown.status.ended, shown.attention, await listed(it)) == (False, (), None)
    assert world.handoff.calls == {"crm/escalated-1": 3, "crm/escalated-2": 2}


async def test_what_a_replay_of_an_escalation_came_to_is_said_also_when_the_request_ends_before() -> None:
    world = World()
    world.handoff.gone = {"crm/escalated-1"}
    async with story(world, request(CRM)) as it:
        await it.days_pass(12.5)
        world.handoff.gone, world.handoff.down = set(), {"crm/escalated-1"}
        wish = Replay(actor="ops", target="crm/escalated-1")
        await it.handle.execute_update(REPLAY, wish, id="replay-once", result_type=Receipt)
        await it.days_pass(0.01)
        settle(world)
        await it.callback()
        await it.days_pass(0.001)
        world.handoff.down = set()
        await it.handle.result()
        became = await it.handle.query(SignatureRequestWorkflow.operation, "replay-once")
        assert became is not None
        assert (became.state, became.detail) == (OperationState.DONE, "told crm/escalated-1")


async def test_what_was_tried_in_vain_is_found_in_lists_until_it_was_told_or_the_request_has_ended() -> None:
    world = World()
    world.handoff.down = {"crm/escalated-1"}
    async with story(world, request(CRM)) as it:
        assert await listed(it) is None
        await it.days_pass(12.5)
        assert await listed(it) == HandoffState.PENDING
        world.handoff.down = set()
        await it.handle.signal(HAND_OFF_NOW, HandOffNow(target="crm"))
        await it.days_pass(0.001)
        assert await listed(it) is None
    world = World()
    world.handoff.down = {"crm/escalated-1"}
    async with story(world, request(CRM)) as it:
        await it.days_pass(12.5)
        settle(world)
        await it.callback()
        await it.days_pass(0.001)
        assert ((await it.shown()).status, await listed(it)) == (Status.SIGNED, None)


async def listed(it: Story) -> str | None:
    """What lists know of its hand-off."""
    return (await it.handle.describe()).typed_search_attributes.get(HANDOFF)


async def test_a_target_that_is_down_is_tried_again_for_three_days_while_people_are_nudged_and_is_then_dead() -> None:
    world = World()
    world.handoff.down = {"crm/escalated-1"}
    world.planner.reminders = tuple(timedelta(days=days) for days in (3, 6, 9, 13, 14))
    async with story(world, request(CRM)) as it:
        await it.days_pass(14.5)
        line, other = (await it.shown()).handoffs
        assert (line.state, other.state) == (HandoffState.PENDING, HandoffState.DONE)
        assert line.attempts > 5
        assert {stage for stage, _ in world.push.stages()} >= {"reminder-4", "reminder-5"}
        await it.days_pass(3)
        shown = await it.shown()
        assert shown.handoffs[0].state is HandoffState.DEAD
        assert [one.code for one in shown.attention] == ["handoff_dead"]
        assert not shown.status.ended
        assert [stage for stage, _ in world.push.stages() if stage == "undelivered"] == []


async def test_a_hand_off_that_cannot_be_called_at_all_stops_no_clock_and_counts() -> None:
    world = World()
    world.handoff.failures = [refusal(Code.UNREACHABLE), refusal(Code.UNREACHABLE)]
    async with story(world, request(CRM)) as it:
        await it.days_pass(12.5)
        shown = await it.shown()
        assert shown.problem is None
        assert [(one.state, one.attempts) for one in shown.handoffs] == 2 * [(HandoffState.DONE, 3)]


async def test_what_became_of_an_escalation_while_the_store_was_away_is_recorded_with_the_next_that_is_told() -> None:
    world = World()
    world.handoff.away = 2
    async with story(world, request(CRM)) as it:
        await it.days_pass(12.5)
        assert world.handoff.made_up == []
        settle(world)
        await it.callback()
        await it.handle.result()
    [amendment] = world.handoff.made_up
    assert [(line.target, line.state) for line in amendment.handoffs] == [
        (f"crm/escalated-{number}", HandoffState.DONE) for number in (1, 2)
    ]


async def test_what_targets_have_heard_while_the_story_waits_to_probe_breaks_that_off_neither_nor_is_it_lost() -> None:
    world = World()
    world.handoff.gate = asyncio.Event()
    async with story(world, request(CRM)) as it:
        moving = asyncio.create_task(it.days_pass(12))
        await eventually(lambda: _holds(world.handoff.batches))
        world.push.failures = [refusal(Code.UNAUTHORISED)]
        before = len(world.push.deliveries)
        reminding = asyncio.create_task(it.wish(ReminderNow(actor="legal-desk", force=True)))
        await eventually(it.has_a_problem)
        await moving
        world.handoff.gate.set()
        await it.days_pass(0.1)
        await reminding
        shown = await it.shown()
        assert (shown.problem, [one.state for one in shown.handoffs]) == (None, 2 * [HandoffState.DONE])
        problem, mended = [one.at for one in shown.timeline if one.what in ("problem unauthorised", "problem mended")]
    assert [one.attempts for one in shown.handoffs] == [1, 1]
    assert len(world.push.deliveries) == before + 2
    assert mended - problem >= PROBE_FIRST


async def test_a_fresh_history_goes_on_with_those_that_were_not_reached() -> None:
    world = World()
    world.handoff.down = {"crm/escalated-2"}
    async with story(world, request(CRM)) as it:
        await it.days_pass(12.5)
        before = (await it.shown()).handoffs[1].attempts
        async with it.nobody_works(1):
            world.handoff.down = set()
        await it.days_pass(1)
        done = (await it.shown()).handoffs
        assert [one.state for one in done] == 2 * [HandoffState.DONE]
        assert done[1].attempts == before + 1
    assert world.handoff.calls["crm/escalated-1"] == 1


async def test_a_hand_over_by_hand_is_no_escalation() -> None:
    world = World()
    async with story(world, request(CRM)) as it:
        await it.days_pass(0.1)
        await it.wish(Delegation(actor="legal-desk", signer="customer-signer", to="chair"))
        await it.days_pass(0.1)
        assert (await it.shown()).handoffs == ()


def escalations(count: int) -> tuple[EscalationEntry, ...]:
    return tuple(
        EscalationEntry(from_=f"signer-{number}", to="chair", reason=EscalationReason.ESCALATION, at=AT)
        for number in range(count)
    )


def test_however_many_escalations_there_are_only_so_many_lines_wait_or_are_remembered_and_none_is_lost() -> None:
    asked = request(*(CRM.replace(target=f"crm-{number}") for number in range(40)))
    memory = SignatureState.begin(asked.brief, AT).within("escalations", entries=escalations(100))
    told, now = [], AT
    while True:
        memory = open_escalations(asked, memory, now)
        assert sum(one.due_at is not None for one in memory.outbox.entries) <= ESCALATIONS_AT_MOST
        assert len(memory.outbox.entries) <= 2 * ESCALATIONS_AT_MOST
        calls = hand_off_batch(asked.brief, None, memory, now).calls
        if not calls:
            break
        told += [call.target.target for call in calls]
        results = tuple(HandoffResult(target=call.target.target, ok=True) for call in calls)
        memory = handed_off(asked.brief, memory, results, now)
    assert len(told) == len(set(told)) == 100 * 40
    assert open_escalations(asked, memory, now) is memory


@pytest.mark.parametrize("targets", [(), (Target(target="hr", person="hr-desk"),)])
def test_without_a_target_that_wants_it_nothing_is_opened(targets: tuple[Target, ...]) -> None:
    asked = a_request().replace(policy=Policy(handoff=targets))
    memory = SignatureState.begin(asked.brief, AT).within("escalations", entries=escalations(3))
    assert open_escalations(asked, memory, AT) is memory


def test_of_a_task_it_is_told_as_well_by_its_own_id() -> None:
    asked = a_task(policy=Policy(handoff=(CRM,)))
    memory = TaskState.begin(asked.task, AT).within("escalations", entries=escalations(1))
    (call,) = hand_off_batch(asked.task, None, open_escalations(asked, memory, AT), AT).calls
    assert call.escalated == EscalatedTask(
        task="acme.account",
        kind="team-task",
        at=AT,
        number=1,
        person="signer-0",
        to="chair",
        reason=EscalationReason.ESCALATION,
    )
    assert call.target.target == "crm/escalated-1"


def test_what_is_still_to_be_told_at_the_end_is_told_with_it() -> None:
    asked = request(ERP)
    memory = open_escalations(
        asked, SignatureState.begin(asked.brief, AT).within("escalations", entries=escalations(1)), AT
    )
    came = subscribe(memory, Subscription(actor="a", workflow="w"), AT)
    assert [one.target.target for one in came.outbox.entries] == ["erp/escalated-1"], "nothing has ended"
    ended = open_hand_off(asked, came.within("lifecycle", status=Status.SIGNED, settled_at=AT))
    assert open_hand_off(asked, ended) == ended
    names = [call.target.target for call in hand_off_batch(asked.brief, None, ended, AT).calls]
    assert names[:3] == ["erp/escalated-1", "erp", "w"]


def test_the_record_has_all_targets_of_the_ending_although_escalations_fill_the_first_batch() -> None:
    many = tuple(ERP.replace(target=f"t{number}") for number in range(ESCALATIONS_AT_MOST // 2))
    asked = request(*many)
    memory = open_escalations(
        asked, SignatureState.begin(asked.brief, AT).within("escalations", entries=escalations(2)), AT
    )
    ended = open_hand_off(asked, memory.within("lifecycle", status=Status.SIGNED, settled_at=AT))
    assert all(call.escalated for call in hand_off_batch(asked.brief, None, ended, AT).calls)
    assert ended.outbox.targets == many
