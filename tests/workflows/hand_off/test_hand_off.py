"""What has ended and is closed is handed off once more from its record, by one workflow whoever asks."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.client import Client, WithStartWorkflowOperation, WorkflowHandle, WorkflowUpdateFailedError
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.testing import WorkflowEnvironment

from activities.hand_off.people import HandOffNotifier
from activities.people.directory import Directory
from activities.people.file_directory import FileDirectory
from activities.records.store import Store
from tests.faults.town import eventually
from tests.servers import time_skipping
from tests.workflows import corpus
from tests.workflows.fakes import FakeHandoff, World, refusal
from tests.workflows.follow_up.test_replays import AT, DEAD, DONE, ENDED, FINANCE, HR, PENDING, SUBJECT
from tests.workflows.stage import workers
from workflows.follow_up.outbox import subscriber
from workflows.follow_up.record import complete_record
from workflows.hand_off.state import ReplayInput, ReplayState
from workflows.hand_off.workflow import HandOffWorkflow
from workflows.model.commands import Replay
from workflows.model.hand_off import HandoffLine, HandoffReport, HandoffResult, HandoffState, ReplayedFacts
from workflows.model.notifications import (
    Channel,
    Delivery,
    DeliveryReport,
    DeliveryResult,
    NotificationOrder,
    NotificationOutcome,
)
from workflows.model.policy import ESCALATED, Target
from workflows.model.receipts import OperationState, Receipt
from workflows.model.records import HandoffBatch, HandOffOrder, RecordedHandOff, ReplayOrder
from workflows.model.rejections import Rejection
from workflows.model.schedule import EscalationReason, Reason
from workflows.model.subject import Code, Status
from workflows.model.timeline import EscalationEntry
from workflows.names import REPLAY, WORKFLOW_QUEUE, hand_off_workflow_id
from workflows.ports import PushService

ACME = "customer-onboarding:acme"


def line(target: str, state: HandoffState, attempts: int = 10) -> HandoffLine:
    return HandoffLine(target=target, state=state, attempts=attempts, at=AT)


def make_record(*lines: HandoffLine, batches: int = 7) -> RecordedHandOff:
    """What the store has of a request with two targets, and of whoever subscribed."""
    return RecordedHandOff(
        order=HandOffOrder(subject=SUBJECT, settled=ENDED, targets=(FINANCE, HR, subscriber(ACME))),
        lines=lines,
        batches=batches,
    )


@dataclass
class Phones(PushService):
    """Take everything, but those of `busy`; some people have none and get a letter."""

    busy: Collection[str] = ()
    letters: Collection[str] = ()
    notice_counts: Counter[str] = field(default_factory=Counter)

    async def deliver(self, delivery: Delivery) -> DeliveryReport:
        lines = tuple(self._deliver_notice(notice) for notice in delivery.notices)
        if all(line.outcome is NotificationOutcome.FAILED for line in lines):
            raise refusal(Code.UNREACHABLE)
        return DeliveryReport(delivered=lines)

    def _deliver_notice(self, notice: NotificationOrder) -> DeliveryResult:
        channel = Channel.MAIL if notice.person in self.letters else Channel.PUSH
        line = DeliveryResult(
            key=notice.key,
            stage=notice.stage,
            person=notice.person,
            channel=channel,
            outcome=NotificationOutcome.ACCEPTED,
        )
        if notice.person in self.busy:
            return line.replace(outcome=NotificationOutcome.FAILED, why=Reason.UNREACHABLE)
        self.notice_counts[notice.person] += 1
        return line


@dataclass
class OneGroup(FakeHandoff):
    """Its one target is a group, whose members are told as the real one tells them; it ends if that does not."""

    push: Phones = field(default_factory=Phones)
    directory: Directory | None = None

    async def hand_off(self, batch: HandoffBatch) -> HandoffReport:
        self.batches.append(batch)
        [call] = batch.calls
        if len(self.batches) > 20:
            return HandoffReport(results=(HandoffResult(target=call.target.target, ok=True),))
        batch = complete_record(batch)
        assert self.directory is not None and batch.settled is not None
        people = HandOffNotifier(self.push, self.directory)
        return HandoffReport(results=(await people.to_group(call, "everybody", batch, batch.settled),))


class Unreachable(FakeHandoff):
    """Its record can be read, and no batch can be called."""

    async def hand_off(self, batch: HandoffBatch) -> HandoffReport:
        raise refusal(Code.UNREACHABLE)


@dataclass
class Desk:
    """Where replays are asked for."""

    env: WorkflowEnvironment

    async def ask(
        self, target: str, op: str, *, insist: bool = False
    ) -> WorkflowHandle[HandOffWorkflow, ReplayedFacts]:
        begin = WithStartWorkflowOperation(
            HandOffWorkflow.run,
            ReplayInput(ended=ReplayOrder(id="msa-0042"), status=Status.SIGNED),
            id=hand_off_workflow_id("msa-0042"),
            task_queue=WORKFLOW_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        )
        client: Client = self.env.client
        command = Replay(actor="ops", target=target, again=insist)
        receipt = await client.execute_update_with_start_workflow(
            REPLAY, command, start_workflow_operation=begin, id=f"replay-{op}", result_type=Receipt
        )
        assert receipt.state is OperationState.OPEN
        return await begin.workflow_handle()

    async def result(self, handle: WorkflowHandle[HandOffWorkflow, ReplayedFacts]) -> ReplayedFacts:
        """Its end, after as long as all its attempts take."""
        await self.env.sleep(timedelta(days=4))
        return await handle.result()


@asynccontextmanager
async def open_desk(world: World) -> AsyncIterator[Desk]:
    async with time_skipping() as env, workers(env.client, world):
        yield Desk(env)


async def read_operation(handle: WorkflowHandle[HandOffWorkflow, ReplayedFacts], op: str) -> tuple[OperationState, str]:
    operation = await handle.query(HandOffWorkflow.operation, f"replay-{op}")
    assert operation is not None
    return operation.state, operation.detail


@pytest.mark.long
async def test_a_dead_target_gets_a_fresh_course_whose_lines_follow_those_of_the_record() -> None:
    world = World()
    world.handoff.record = make_record(line("finance", DEAD), line("hr", DONE, 1), line(ACME, DEAD, 1))
    world.handoff.down = {"finance"}
    async with open_desk(world) as desk:
        handle = await desk.ask("finance", "1")
        await handle.execute_update(REPLAY, Replay(actor="cs", target=ACME), id="replay-2", result_type=Receipt)
        facts = await desk.result(handle)
        assert await read_operation(handle, "1") == (OperationState.REFUSED, "could not tell finance: no answer")
        assert await read_operation(handle, "2") == (OperationState.DONE, f"told {ACME}")
        await corpus.record("handed-off-again", handle)
    assert (world.handoff.calls["finance"], world.handoff.calls["hr"], world.handoff.calls[ACME]) == (10, 0, 1)
    assert [(line.target, line.state, line.replay) for line in facts.handoffs] == [
        ("finance", DEAD, 0),
        ("hr", DONE, 0),
        (ACME, DEAD, 0),
        ("finance", DEAD, 1),
        (ACME, DONE, 1),
    ]
    numbers = [batch.number for batch in world.handoff.batches]
    assert numbers == list(range(8, 8 + len(numbers)))
    assert {call.target.workflow for batch in world.handoff.batches for call in batch.calls} == {None, ACME}


@pytest.mark.long
async def test_what_cannot_be_replayed_is_refused_by_what_the_record_says() -> None:
    world = World()
    world.handoff.record = make_record(line("finance", DONE, 1), line("hr", PENDING, 2))
    async with open_desk(world) as desk:
        told_replay = await desk.ask("finance", "1")
        await told_replay.result()
        assert await read_operation(told_replay, "1") == (
            OperationState.REFUSED,
            "finance was told Fri 04 Dec 2026 09:30 UTC: insist with --again",
        )
        stranger = await desk.ask("crm", "2")
        await stranger.result()
        assert await read_operation(stranger, "2") == (
            OperationState.REFUSED,
            "crm is none of those who are told of this end: they are finance, hr, customer-onboarding:acme",
        )
        assert world.handoff.batches == []
        given_up = await desk.ask("hr", "3")  # Its run is closed: nobody tries it any more.
        await given_up.result()
        repeated_replay = await desk.ask("finance", "4", insist=True)
        await repeated_replay.result()
        world.handoff.record = RecordedHandOff()
        forgotten = await desk.ask("finance", "5")
        await forgotten.result()
        assert (await read_operation(forgotten, "5"))[1] == "its record does not say whom it was handed off to"
    assert (world.handoff.calls["hr"], world.handoff.calls["finance"]) == (1, 1)


@pytest.mark.long
async def test_two_callers_at_once_are_one_run_and_one_call() -> None:
    world = World()
    world.handoff.record, world.handoff.gate = make_record(line("finance", DEAD)), asyncio.Event()
    async with open_desk(world) as desk:
        first, second = await asyncio.gather(desk.ask("finance", "1"), desk.ask("finance", "2"))
        world.handoff.gate.set()
        assert first.id == second.id
        await first.result()
        for op in ("1", "2"):
            assert await read_operation(first, op) == (OperationState.DONE, "told finance")
    assert world.handoff.calls["finance"] == 1


def test_a_command_that_is_closed_by_the_time_it_is_decided_about_has_nobody_called_again() -> None:
    command = Replay(actor="ops", target="finance")
    state = ReplayState().requested("1", command, AT).recalled(make_record(line("finance", DEAD)))
    closed = state.given_up(Rejection.GIVEN_UP.to_message())
    assert [entry.state for entry in closed.commands.entries] == [OperationState.REFUSED]
    decided = closed.decided(AT)
    assert (decided.outbox, decided.commands, decided.asked) == (closed.outbox, closed.commands, ())
    assert len(state.decided(AT).outbox.entries) == 1 + len(state.outbox.entries)


@pytest.mark.long
async def test_a_store_that_is_away_is_waited_for() -> None:
    world = World()
    world.handoff.failures = [refusal(Code.UNREACHABLE), refusal(Code.UNREACHABLE)]
    world.handoff.record = make_record(line("finance", DEAD))
    async with open_desk(world) as desk:
        handle = await desk.ask("finance", "1")
        await desk.result(handle)
        assert await read_operation(handle, "1") == (OperationState.DONE, "told finance")


async def _has_problem(handle: WorkflowHandle[HandOffWorkflow, ReplayedFacts]) -> bool:
    problem = (await handle.query(HandOffWorkflow.show)).problem
    return problem is not None and problem.code is Code.UNREACHABLE


async def _is_recording(world: World) -> bool:
    return bool(world.handoff.made_up)


async def test_cancelled_while_its_record_cannot_be_read_it_ends_and_says_before_what_is_wrong() -> None:
    world = World()
    world.handoff.record = make_record(line("finance", DEAD))
    world.handoff.failures = [refusal(Code.UNREACHABLE) for _ in range(1_000)]
    async with open_desk(world) as desk:
        handle = await desk.ask("finance", "1")
        await eventually(lambda: _has_problem(handle))
        await handle.cancel()
        facts = await handle.result()
        assert (await read_operation(handle, "1"))[0] is OperationState.REFUSED
    assert (facts.handoffs, world.handoff.batches) == ((), [])


@pytest.mark.long
async def test_cancelled_while_a_batch_is_to_be_called_again_nobody_is_called_any_more() -> None:
    world = World()
    world.handoff = Unreachable(record=make_record(line("finance", DEAD)))
    async with open_desk(world) as desk:
        handle = await desk.ask("finance", "1")
        await eventually(lambda: _has_problem(handle))
        await handle.cancel()
        await handle.result()
        assert (await read_operation(handle, "1"))[0] is OperationState.REFUSED
    assert not world.handoff.calls


@pytest.mark.long
async def test_cancelled_in_the_web_ui_it_gives_up_and_says_so() -> None:
    world = World()
    world.handoff.record, world.handoff.down = make_record(line("finance", DEAD)), {"finance"}
    async with open_desk(world) as desk:
        handle = await desk.ask("finance", "1")
        await desk.env.sleep(60)
        await handle.cancel()
        facts = await handle.result()
        assert (await read_operation(handle, "1"))[0] is OperationState.REFUSED
    assert facts.handoffs[-1].state is PENDING


async def test_what_was_told_while_the_store_was_away_is_recorded_before_it_ends() -> None:
    """A record that does not say that it was told would have it replayed without `--again`."""
    world = World()
    world.handoff.record, world.handoff.store_failures = make_record(line("finance", DEAD)), 3
    async with open_desk(world) as desk:
        handle = await desk.ask("finance", "1")
        await desk.result(handle)
        assert await read_operation(handle, "1") == (OperationState.DONE, "told finance")
    assert world.handoff.calls["finance"] == 1
    [amendment] = world.handoff.made_up
    assert (amendment.number, [(line.target, line.state, line.replay) for line in amendment.handoffs]) == (
        8,
        [("finance", DONE, 1)],
    )


@pytest.mark.long
async def test_nobody_else_is_told_before_what_was_told_is_recorded() -> None:
    world = World()
    world.handoff.record, world.handoff.store_failures = make_record(line("finance", DEAD), line("hr", DEAD)), 1
    world.handoff.down = {"finance"}
    async with open_desk(world) as desk:
        handle = await desk.ask("finance", "1")
        await desk.result(handle)
    first, second, *_ = world.handoff.batches
    assert (first.unrecorded, second.unrecorded) == (None, world.handoff.made_up[0])
    assert [batch.unrecorded for batch in world.handoff.batches[2:]] == 8 * [None]
    assert world.handoff.calls["finance"] == 10


@pytest.mark.long
async def test_cancelled_while_the_store_is_away_what_was_told_is_recorded_if_it_can_be() -> None:
    world = World()
    world.handoff.record, world.handoff.store_failures = make_record(line("finance", DEAD)), 2
    async with open_desk(world) as desk:
        handle = await desk.ask("finance", "1")
        await eventually(lambda: _has_problem(handle))
        await handle.cancel()
        await handle.result()
    assert [line.state for amendment in world.handoff.made_up for line in amendment.handoffs] == [DONE]


@pytest.mark.long
async def test_a_replay_that_is_asked_for_while_one_ends_that_was_cancelled_is_told_so() -> None:
    world = World()
    world.handoff.record, world.handoff.store_failures = make_record(line("finance", DEAD)), 2
    async with open_desk(world) as desk:
        handle = await desk.ask("finance", "1")
        await eventually(lambda: _has_problem(handle))
        world.handoff.gate = asyncio.Event()
        await handle.cancel()
        await eventually(lambda: _is_recording(world))  # A cancellation and a replay may come in one task.
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await desk.ask("hr", "2")
        world.handoff.gate.set()
        await handle.result()
    assert "is just ending: ask again" in str(refused.value.cause)


@pytest.mark.long
async def test_who_never_heard_of_an_escalation_hears_of_it_from_the_record() -> None:
    crm = Target(target="crm", url="https://crm.example/hooks", on=(ESCALATED,))
    first, second = (
        EscalationEntry(from_="customer-signer", to=recipient, reason=EscalationReason.ESCALATION, at=AT)
        for recipient in ("chair", "board")
    )
    world = World()
    recorded_hand_off = make_record(
        line("crm/escalated-2", DEAD), line("crm/escalated-1", DONE, 1), line("finance", DONE, 1)
    )
    assert recorded_hand_off.order is not None
    order = recorded_hand_off.order.replace(escalated=(crm,), escalations=(first, second))
    world.handoff.record = recorded_hand_off.replace(order=order)
    async with open_desk(world) as desk:
        handle = await desk.ask("crm/escalated-2", "1")
        await handle.execute_update(REPLAY, Replay(actor="cs", target="crm/escalated-1"), id="replay-2")
        await desk.result(handle)
        assert await read_operation(handle, "1") == (OperationState.DONE, "told crm/escalated-2")
        assert (await read_operation(handle, "2"))[1].endswith("insist with --again")
        world.handoff.record = recorded_hand_off
        of_old = await desk.ask("crm/escalated-2", "3")
        await of_old.result()
        assert (await read_operation(of_old, "3"))[1] == "crm/escalated-2 cannot be told: its record does not say how"
    [call] = [call for batch in world.handoff.batches for call in batch.calls]
    assert call.target == crm.of_escalation(2)
    assert call.escalated is not None and (call.escalated.number, call.escalated.to) == (2, "board")


def make_group_world(member_count: int, folder: Path, push: Phones) -> World:
    """A world in which a group of so many never heard of the ending: `p-0`, `p-1` and so on."""
    folk = "\n".join(
        f"  - {{id: p-{n}, name: Some Body, email: p{n}@example.test, zone: UTC, groups: [everybody]}}"
        for n in range(member_count)
    )
    (folder / "people.yaml").write_text(f"people:\n{folk}\n")
    group = Target(target="all", group="everybody")
    order = HandOffOrder(subject=SUBJECT, settled=ENDED, targets=(group,))
    record = RecordedHandOff(order=order, lines=(line("all", DEAD),), batches=7)
    directory = FileDirectory(folder / "people.yaml", Store((folder / "store").as_uri()))
    world = World()
    world.handoff = OneGroup(record=record, push=push, directory=directory)
    return world


async def test_a_replay_tells_each_of_a_large_group_once(tmp_path: Path) -> None:
    phones = Phones()
    world = make_group_world(150, tmp_path, phones)
    async with open_desk(world) as desk:
        handle = await desk.ask("all", "1")
        facts = await desk.result(handle)
        assert await read_operation(handle, "1") == (OperationState.DONE, "told all")
    assert phones.notice_counts == Counter({f"p-{n}": 1 for n in range(150)})
    assert (len(world.handoff.batches), facts.handoffs[-1].attempts) == (2, 1)


@pytest.mark.long
async def test_a_replay_that_never_reaches_one_phone_of_a_group_tells_nobody_else_again(tmp_path: Path) -> None:
    phones = Phones(busy=("p-1",), letters=("p-2",))
    world = make_group_world(3, tmp_path, phones)
    async with open_desk(world) as desk:
        facts = await desk.result(await desk.ask("all", "1"))
    last = facts.handoffs[-1]
    assert (last.state, last.attempts, last.why) == (DONE, 10, "1 of 3 not reached: the service says unreachable")
    assert phones.notice_counts == {"p-0": 1, "p-2": 1}
