"""Targets that hear of escalations: each once, beside the life of the request, which waits for none of them."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from tests.faults.town import eventually
from tests.workflows.fakes import FakeHandoff, World, refusal
from tests.workflows.stage import PARALLEL, Story, a_request, start_story
from tests.workflows.task.test_tasks import a_task
from workflows.follow_up.notifications import open_escalations, open_hand_off, subscribe
from workflows.follow_up.options import PROBE_FIRST
from workflows.follow_up.outbox import ESCALATIONS_AT_MOST
from workflows.follow_up.record import complete_record, hand_off_batch, handed_off
from workflows.model.commands import Delegation, ReminderCommand, Replay, Subscription
from workflows.model.hand_off import (
    EscalatedRequest,
    EscalatedTask,
    HandoffReport,
    HandoffResult,
    HandoffState,
    ImmediateHandOff,
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
        if complete_record(batch).settled is None:
            self.batches.append(batch)
            await asyncio.Event().wait()
        return await super().hand_off(batch)


async def _is_holding(anything: object) -> bool:
    return bool(anything)


async def _is_handed_off(story: Story) -> bool:
    view = await story.read_view()
    return view.status.has_ended and all(line.state is HandoffState.DONE for line in view.handoffs)


def settle(world: World) -> None:
    for person in ("customer-signer", "chief-executive"):
        world.signatures.sign(person)
    world.signatures.status = Status.SIGNED


async def test_each_target_hears_of_each_escalation_once_and_then_of_the_ending() -> None:
    world = World()
    async with start_story(world, request(), record="escalation-told") as story:
        await story.days_pass(12.5)
        view = await story.read_view()
        assert [(line.target, line.state) for line in view.handoffs] == [
            (f"{name}/escalated-{number}", HandoffState.DONE) for number in (1, 2) for name in ("erp", "crm")
        ]
        assert len({line.key for line in view.handoffs}) == 4
        await story.days_pass(2)
        settle(world)
        await story.callback()
        await story.handle.result()
        view = await story.read_view()
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
    told_events = [call.escalated for call in first.calls if call.target.name == "erp"]
    assert first.settled is None and first.record is None
    assert [
        (escalated_call.person, escalated_call.to, escalated_call.number)
        for escalated_call in told_events
        if isinstance(escalated_call, EscalatedRequest)
    ] == [
        ("customer-signer", "chair", 1),
        ("chief-executive", "chair", 2),
    ]
    assert [batch.number for batch in world.handoff.batches] == sorted(
        {batch.number for batch in world.handoff.batches}
    )


async def test_a_target_that_hangs_delays_neither_nudges_nor_the_ending_and_hears_with_it() -> None:
    world = World()
    world.handoff = HangsBeforeTheEnd()
    async with start_story(world, request(CRM)) as story:
        moving = asyncio.create_task(story.days_pass(12))
        await eventually(lambda: _is_holding(world.handoff.batches))
        assert [line.state for line in (await story.read_view()).handoffs] == 2 * [HandoffState.PENDING]
        settle(world)
        await story.callback()
        await eventually(lambda: _is_handed_off(story))
        view = await story.read_view()
        await moving
    assert view.status is Status.SIGNED
    assert [(line.state, line.attempts) for line in view.handoffs] == 2 * [(HandoffState.DONE, 1)]


async def test_who_never_heard_of_an_escalation_is_nobody_s_business_once_it_has_ended() -> None:
    world = World()
    world.handoff.closed_targets = {"crm/escalated-1"}
    async with start_story(world, request(CRM)) as story:
        await story.days_pass(12.5)
        assert [attention.code for attention in (await story.read_view()).attention] == ["handoff_dead"]
        settle(world)
        await story.callback()
        await story.handle.result()
        view = await story.read_view()
    assert {line.target: line.state for line in view.handoffs}["crm/escalated-1"] is HandoffState.DEAD
    assert (view.attention, "could not tell" in view.says) == ((), False)
    assert "undelivered" not in {stage for stage, _ in world.push.stages()}


async def test_a_target_that_never_heard_of_an_escalation_is_told_once_more_while_the_request_is_open() -> None:
    world = World()
    world.handoff.closed_targets = {"crm/escalated-1", "crm/escalated-2"}
    async with start_story(world, request(CRM)) as story:
        await story.days_pass(12.5)
        assert await read_listed_hand_off(story) == HandoffState.DEAD
        refused = await story.send_command(Replay(actor="ops", target="crm/escalated-1"))
        assert (refused.state, refused.detail) == (
            OperationState.REFUSED,
            "could not tell crm/escalated-1: workflow_closed",
        )
        world.handoff.closed_targets = set()
        receipt = await story.send_command(Replay(actor="ops", target="crm/escalated-1"))
        assert (receipt.state, receipt.detail) == (OperationState.DONE, "told crm/escalated-1")
        assert await read_listed_hand_off(story) == HandoffState.DEAD, "of the other"
        assert (await story.send_command(Replay(actor="ops", target="crm/escalated-2"))).state is OperationState.DONE
        await story.at_rest()
        view = await story.read_view()
        assert (view.status.has_ended, view.attention, await read_listed_hand_off(story)) == (False, (), None)
    assert world.handoff.calls == {"crm/escalated-1": 3, "crm/escalated-2": 2}


async def test_what_a_replay_of_an_escalation_came_to_is_said_also_when_the_request_ends_before() -> None:
    world = World()
    world.handoff.closed_targets = {"crm/escalated-1"}
    async with start_story(world, request(CRM)) as story:
        await story.days_pass(12.5)
        world.handoff.closed_targets, world.handoff.down = set(), {"crm/escalated-1"}
        command = Replay(actor="ops", target="crm/escalated-1")
        await story.handle.execute_update(REPLAY, command, id="replay-once", result_type=Receipt)
        await story.days_pass(0.01)
        settle(world)
        await story.callback()
        await story.days_pass(0.001)
        world.handoff.down = set()
        await story.handle.result()
        became = await story.handle.query(SignatureRequestWorkflow.operation, "replay-once")
        assert became is not None
        assert (became.state, became.detail) == (OperationState.DONE, "told crm/escalated-1")


@pytest.mark.long
async def test_what_was_tried_in_vain_is_found_in_lists_until_it_was_told_or_the_request_has_ended() -> None:
    world = World()
    world.handoff.down = {"crm/escalated-1"}
    async with start_story(world, request(CRM)) as story:
        assert await read_listed_hand_off(story) is None
        await story.days_pass(12.5)
        assert await read_listed_hand_off(story) == HandoffState.PENDING
        world.handoff.down = set()
        await story.handle.signal(HAND_OFF_NOW, ImmediateHandOff(target="crm"))
        await story.days_pass(0.001)
        assert await read_listed_hand_off(story) is None
    world = World()
    world.handoff.down = {"crm/escalated-1"}
    async with start_story(world, request(CRM)) as story:
        await story.days_pass(12.5)
        settle(world)
        await story.callback()
        await story.days_pass(0.001)
        assert ((await story.read_view()).status, await read_listed_hand_off(story)) == (Status.SIGNED, None)


async def read_listed_hand_off(story: Story) -> str | None:
    """What lists know of its hand-off."""
    return (await story.handle.describe()).typed_search_attributes.get(HANDOFF)


async def test_a_target_that_is_down_is_tried_again_for_three_days_while_people_are_nudged_and_is_then_dead() -> None:
    world = World()
    world.handoff.down = {"crm/escalated-1"}
    world.planner.reminders = tuple(timedelta(days=days) for days in (3, 6, 9, 13, 14))
    async with start_story(world, request(CRM)) as story:
        await story.days_pass(14.5)
        line, other_line = (await story.read_view()).handoffs
        assert (line.state, other_line.state) == (HandoffState.PENDING, HandoffState.DONE)
        assert line.attempts > 5
        assert {stage for stage, _ in world.push.stages()} >= {"reminder-4", "reminder-5"}
        await story.days_pass(3)
        view = await story.read_view()
        assert view.handoffs[0].state is HandoffState.DEAD
        assert [attention.code for attention in view.attention] == ["handoff_dead"]
        assert not view.status.has_ended
        assert [stage for stage, _ in world.push.stages() if stage == "undelivered"] == []


async def test_a_hand_off_that_cannot_be_called_at_all_stops_no_clock_and_counts() -> None:
    world = World()
    world.handoff.failures = [refusal(Code.UNREACHABLE), refusal(Code.UNREACHABLE)]
    async with start_story(world, request(CRM)) as story:
        await story.days_pass(12.5)
        view = await story.read_view()
        assert view.problem is None
        assert [(line.state, line.attempts) for line in view.handoffs] == 2 * [(HandoffState.DONE, 3)]


async def test_what_became_of_an_escalation_while_the_store_was_away_is_recorded_with_the_next_that_is_told() -> None:
    world = World()
    world.handoff.store_failures = 2
    async with start_story(world, request(CRM)) as story:
        await story.days_pass(12.5)
        assert world.handoff.made_up == []
        settle(world)
        await story.callback()
        await story.handle.result()
    [amendment] = world.handoff.made_up
    assert [(line.target, line.state) for line in amendment.handoffs] == [
        (f"crm/escalated-{number}", HandoffState.DONE) for number in (1, 2)
    ]


@pytest.mark.long
async def test_what_targets_have_heard_while_the_story_waits_to_probe_breaks_that_off_neither_nor_is_it_lost() -> None:
    world = World()
    world.handoff.gate = asyncio.Event()
    async with start_story(world, request(CRM)) as story:
        moving = asyncio.create_task(story.days_pass(12))
        await eventually(lambda: _is_holding(world.handoff.batches))
        world.push.failures = [refusal(Code.UNAUTHORISED)]
        delivery_count = len(world.push.deliveries)
        reminding = asyncio.create_task(story.send_command(ReminderCommand(actor="legal-desk", force=True)))
        await eventually(story.has_a_problem)
        await moving
        world.handoff.gate.set()
        await story.days_pass(0.1)
        await reminding
        view = await story.read_view()
        assert (view.problem, [line.state for line in view.handoffs]) == (None, 2 * [HandoffState.DONE])
        problem, mended = [
            entry.at for entry in view.timeline if entry.what in ("problem unauthorised", "problem mended")
        ]
    assert [line.attempts for line in view.handoffs] == [1, 1]
    assert len(world.push.deliveries) == delivery_count + 2
    assert mended - problem >= PROBE_FIRST


async def test_a_fresh_history_goes_on_with_those_that_were_not_reached() -> None:
    world = World()
    world.handoff.down = {"crm/escalated-2"}
    async with start_story(world, request(CRM)) as story:
        await story.days_pass(12.5)
        view_before = (await story.read_view()).handoffs[1].attempts
        async with story.nobody_works(1):
            world.handoff.down = set()
        await story.days_pass(1)
        lines = (await story.read_view()).handoffs
        assert [line.state for line in lines] == 2 * [HandoffState.DONE]
        assert lines[1].attempts == view_before + 1
    assert world.handoff.calls["crm/escalated-1"] == 1


async def test_a_hand_over_by_hand_is_no_escalation() -> None:
    world = World()
    async with start_story(world, request(CRM)) as story:
        await story.days_pass(0.1)
        await story.send_command(Delegation(actor="legal-desk", signer="customer-signer", to="chair"))
        await story.days_pass(0.1)
        assert (await story.read_view()).handoffs == ()


def escalations(count: int) -> tuple[EscalationEntry, ...]:
    return tuple(
        EscalationEntry(from_=f"signer-{number}", to="chair", reason=EscalationReason.ESCALATION, at=AT)
        for number in range(count)
    )


@pytest.mark.long
def test_however_many_escalations_there_are_only_so_many_lines_wait_or_are_remembered_and_none_is_lost() -> None:
    asked_request = request(*(CRM.replace(target=f"crm-{number}") for number in range(40)))
    memory = SignatureState.begin(asked_request.brief, AT).update_part("escalations", entries=escalations(100))
    told_targets, now = [], AT
    while True:
        memory = open_escalations(asked_request, memory, now)
        assert sum(entry.due_at is not None for entry in memory.outbox.entries) <= ESCALATIONS_AT_MOST
        assert len(memory.outbox.entries) <= 2 * ESCALATIONS_AT_MOST
        calls = hand_off_batch(asked_request.brief, None, memory, now).calls
        if not calls:
            break
        told_targets += [call.target.target for call in calls]
        results = tuple(HandoffResult(target=call.target.target, ok=True) for call in calls)
        memory = handed_off(asked_request.brief, memory, results, now)
    assert len(told_targets) == len(set(told_targets)) == 100 * 40
    assert open_escalations(asked_request, memory, now) is memory


@pytest.mark.parametrize("targets", [(), (Target(target="hr", person="hr-desk"),)])
def test_without_a_target_that_wants_it_nothing_is_opened(targets: tuple[Target, ...]) -> None:
    asked_request = a_request().replace(policy=Policy(handoff=targets))
    memory = SignatureState.begin(asked_request.brief, AT).update_part("escalations", entries=escalations(3))
    assert open_escalations(asked_request, memory, AT) is memory


def test_of_a_task_it_is_told_as_well_by_its_own_id() -> None:
    asked_request = a_task(policy=Policy(handoff=(CRM,)))
    memory = TaskState.begin(asked_request.task, AT).update_part("escalations", entries=escalations(1))
    (call,) = hand_off_batch(asked_request.task, None, open_escalations(asked_request, memory, AT), AT).calls
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
    asked_request = request(ERP)
    memory = open_escalations(
        asked_request,
        SignatureState.begin(asked_request.brief, AT).update_part("escalations", entries=escalations(1)),
        AT,
    )
    subscribed = subscribe(memory, Subscription(actor="a", workflow="w"), AT)
    assert [entry.target.target for entry in subscribed.outbox.entries] == ["erp/escalated-1"], "nothing has ended"
    ended_state = open_hand_off(asked_request, subscribed.update_part("lifecycle", status=Status.SIGNED, settled_at=AT))
    assert open_hand_off(asked_request, ended_state) == ended_state
    names = [call.target.target for call in hand_off_batch(asked_request.brief, None, ended_state, AT).calls]
    assert names[:3] == ["erp/escalated-1", "erp", "w"]


def test_the_record_has_all_targets_of_the_ending_although_escalations_fill_the_first_batch() -> None:
    targets = tuple(ERP.replace(target=f"t{number}") for number in range(ESCALATIONS_AT_MOST // 2))
    asked_request = request(*targets)
    memory = open_escalations(
        asked_request,
        SignatureState.begin(asked_request.brief, AT).update_part("escalations", entries=escalations(2)),
        AT,
    )
    ended_state = open_hand_off(asked_request, memory.update_part("lifecycle", status=Status.SIGNED, settled_at=AT))
    assert all(call.escalated for call in hand_off_batch(asked_request.brief, None, ended_state, AT).calls)
    assert ended_state.outbox.targets == targets
