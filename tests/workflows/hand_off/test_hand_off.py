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

from activities.hand_off.people import HandOffPeople
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
from workflows.hand_off.state import ReplayInput, ReplayState
from workflows.hand_off.workflow import HandOffWorkflow
from workflows.model.commands import Replay
from workflows.model.hand_off import HandoffLine, HandoffReport, HandoffResult, HandoffState, ReplayedFacts
from workflows.model.notifications import (
    Channel,
    Delivered,
    Delivery,
    DeliveryReport,
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


def recorded(*lines: HandoffLine, batches: int = 7) -> RecordedHandOff:
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
    told: Counter[str] = field(default_factory=Counter)

    async def deliver(self, delivery: Delivery) -> DeliveryReport:
        lines = tuple(self._told(notice) for notice in delivery.notices)
        if all(line.outcome is NotificationOutcome.FAILED for line in lines):
            raise refusal(Code.UNREACHABLE)
        return DeliveryReport(delivered=lines)

    def _told(self, notice: NotificationOrder) -> Delivered:
        channel = Channel.MAIL if notice.person in self.letters else Channel.PUSH
        line = Delivered(
            key=notice.key,
            stage=notice.stage,
            person=notice.person,
            channel=channel,
            outcome=NotificationOutcome.ACCEPTED,
        )
        if notice.person in self.busy:
            return line.replace(outcome=NotificationOutcome.FAILED, why=Reason.UNREACHABLE)
        self.told[notice.person] += 1
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
        batch = batch.whole()
        assert self.directory is not None and batch.settled is not None
        people = HandOffPeople(self.push, self.directory)
        return HandoffReport(results=(await people.to_group(call, "everybody", batch, batch.settled),))


class Unreachable(FakeHandoff):
    """Its record can be read, and no batch can be called."""

    async def hand_off(self, batch: HandoffBatch) -> HandoffReport:
        raise refusal(Code.UNREACHABLE)


@dataclass
class Desk:
    """Where replays are asked for."""

    env: WorkflowEnvironment

    async def ask(self, target: str, op: str, *, again: bool = False) -> WorkflowHandle[HandOffWorkflow, ReplayedFacts]:
        begin = WithStartWorkflowOperation(
            HandOffWorkflow.run,
            ReplayInput(ended=ReplayOrder(id="msa-0042"), status=Status.SIGNED),
            id=hand_off_workflow_id("msa-0042"),
            task_queue=WORKFLOW_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        )
        client: Client = self.env.client
        wish = Replay(actor="ops", target=target, again=again)
        taken = await client.execute_update_with_start_workflow(
            REPLAY, wish, start_workflow_operation=begin, id=f"replay-{op}", result_type=Receipt
        )
        assert taken.state is OperationState.OPEN
        return await begin.workflow_handle()

    async def result(self, handle: WorkflowHandle[HandOffWorkflow, ReplayedFacts]) -> ReplayedFacts:
        """Its end, after as long as all its attempts take."""
        await self.env.sleep(timedelta(days=4))
        return await handle.result()


@asynccontextmanager
async def desk(world: World) -> AsyncIterator[Desk]:
    async with time_skipping() as env, workers(env.client, world):
        yield Desk(env)


async def became(handle: WorkflowHandle[HandOffWorkflow, ReplayedFacts], op: str) -> tuple[OperationState, str]:
    found = await handle.query(HandOffWorkflow.operation, f"replay-{op}")
    assert found is not None
    return found.state, found.detail


async def test_a_dead_target_gets_a_fresh_course_whose_lines_follow_those_of_the_record() -> None:
    world = World()
    world.handoff.record = recorded(line("finance", DEAD), line("hr", DONE, 1), line(ACME, DEAD, 1))
    world.handoff.down = {"finance"}
    async with desk(world) as it:
        handle = await it.ask("finance", "1")
        await handle.execute_update(REPLAY, Replay(actor="cs", target=ACME), id="replay-2", result_type=Receipt)
        told = await it.result(handle)
        assert await became(handle, "1") == (OperationState.REFUSED, "could not tell finance: no answer")
        assert await became(handle, "2") == (OperationState.DONE, f"told {ACME}")
        await corpus.record("handed-off-again", handle)
    assert (world.handoff.calls["finance"], world.handoff.calls["hr"], world.handoff.calls[ACME]) == (10, 0, 1)
    assert [(one.target, one.state, one.replay) for one in told.handoffs] == [
        ("finance", DEAD, 0),
        ("hr", DONE, 0),
        (ACME, DEAD, 0),
        ("finance", DEAD, 1),
        (ACME, DONE, 1),
    ]
    numbers = [batch.number for batch in world.handoff.batches]
    assert numbers == list(range(8, 8 + len(numbers)))
    assert {call.target.workflow for batch in world.handoff.batches for call in batch.calls} == {None, ACME}


async def test_what_cannot_be_replayed_is_refused_by_what_the_record_says() -> None:
    world = World()
    world.handoff.record = recorded(line("finance", DONE, 1), line("hr", PENDING, 2))
    async with desk(world) as it:
        told = await it.ask("finance", "1")
        await told.result()
        assert await became(told, "1") == (
            OperationState.REFUSED,
            "finance was told Fri 04 Dec 2026 09:30 UTC: insist with --again",
        )
        stranger = await it.ask("crm", "2")
        await stranger.result()
        assert await became(stranger, "2") == (
            OperationState.REFUSED,
            "crm is none of those who are told of this end: they are finance, hr, customer-onboarding:acme",
        )
        assert world.handoff.batches == []
        given_up = await it.ask("hr", "3")  # Its run is closed: nobody tries it any more.
        await given_up.result()
        again = await it.ask("finance", "4", again=True)
        await again.result()
        world.handoff.record = RecordedHandOff()
        forgotten = await it.ask("finance", "5")
        await forgotten.result()
        assert (await became(forgotten, "5"))[1] == "its record does not say whom it was handed off to"
    assert (world.handoff.calls["hr"], world.handoff.calls["finance"]) == (1, 1)


async def test_two_callers_at_once_are_one_run_and_one_call() -> None:
    world = World()
    world.handoff.record, world.handoff.gate = recorded(line("finance", DEAD)), asyncio.Event()
    async with desk(world) as it:
        first, second = await asyncio.gather(it.ask("finance", "1"), it.ask("finance", "2"))
        world.handoff.gate.set()
        assert first.id == second.id
        await first.result()
        for op in ("1", "2"):
            assert await became(first, op) == (OperationState.DONE, "told finance")
    assert world.handoff.calls["finance"] == 1


def test_a_wish_that_is_closed_by_the_time_it_is_decided_about_has_nobody_called_again() -> None:
    wish = Replay(actor="ops", target="finance")
    known = ReplayState().requested("1", wish, AT).recalled(recorded(line("finance", DEAD)))
    closed = known.given_up(Rejection.GIVEN_UP.to_message())
    assert [one.state for one in closed.commands.entries] == [OperationState.REFUSED]
    decided = closed.decided(AT)
    assert (decided.outbox, decided.commands, decided.asked) == (closed.outbox, closed.commands, ())
    assert len(known.decided(AT).outbox.entries) == 1 + len(known.outbox.entries)


async def test_a_store_that_is_away_is_waited_for() -> None:
    world = World()
    world.handoff.failures = [refusal(Code.UNREACHABLE), refusal(Code.UNREACHABLE)]
    world.handoff.record = recorded(line("finance", DEAD))
    async with desk(world) as it:
        handle = await it.ask("finance", "1")
        await it.result(handle)
        assert await became(handle, "1") == (OperationState.DONE, "told finance")


async def _troubled(handle: WorkflowHandle[HandOffWorkflow, ReplayedFacts]) -> bool:
    problem = (await handle.query(HandOffWorkflow.show)).problem
    return problem is not None and problem.code is Code.UNREACHABLE


async def _recording(world: World) -> bool:
    return bool(world.handoff.made_up)


async def test_cancelled_while_its_record_cannot_be_read_it_ends_and_says_before_what_is_wrong() -> None:
    world = World()
    world.handoff.record = recorded(line("finance", DEAD))
    world.handoff.failures = [refusal(Code.UNREACHABLE) for _ in range(1_000)]
    async with desk(world) as it:
        handle = await it.ask("finance", "1")
        await eventually(lambda: _troubled(handle))
        await handle.cancel()
        told = await handle.result()
        assert (await became(handle, "1"))[0] is OperationState.REFUSED
    assert (told.handoffs, world.handoff.batches) == ((), [])


async def test_cancelled_while_a_batch_is_to_be_called_again_nobody_is_called_any_more() -> None:
    world = World()
    world.handoff = Unreachable(record=recorded(line("finance", DEAD)))
    async with desk(world) as it:
        handle = await it.ask("finance", "1")
        await eventually(lambda: _troubled(handle))
        await handle.cancel()
        await handle.result()
        assert (await became(handle, "1"))[0] is OperationState.REFUSED
    assert not world.handoff.calls


async def test_cancelled_in_the_web_ui_it_gives_up_and_says_so() -> None:
    world = World()
    world.handoff.record, world.handoff.down = recorded(line("finance", DEAD)), {"finance"}
    async with desk(world) as it:
        handle = await it.ask("finance", "1")
        await it.env.sleep(60)
        await handle.cancel()
        told = await handle.result()
        assert (await became(handle, "1"))[0] is OperationState.REFUSED
    assert told.handoffs[-1].state is PENDING


async def test_what_was_told_while_the_store_was_away_is_recorded_before_it_ends() -> None:
    """A record that does not say that it was told would have it replayed without `--again`."""
    world = World()
    world.handoff.record, world.handoff.away = recorded(line("finance", DEAD)), 3
    async with desk(world) as it:
        handle = await it.ask("finance", "1")
        await it.result(handle)
        assert await became(handle, "1") == (OperationState.DONE, "told finance")
    assert world.handoff.calls["finance"] == 1
    [amendment] = world.handoff.made_up
    assert (amendment.number, [(one.target, one.state, one.replay) for one in amendment.handoffs]) == (
        8,
        [("finance", DONE, 1)],
    )


async def test_nobody_else_is_told_before_what_was_told_is_recorded() -> None:
    world = World()
    world.handoff.record, world.handoff.away = recorded(line("finance", DEAD), line("hr", DEAD)), 1
    world.handoff.down = {"finance"}
    async with desk(world) as it:
        handle = await it.ask("finance", "1")
        await it.result(handle)
    first, second, *_ = world.handoff.batches
    assert (first.unrecorded, second.unrecorded) == (None, world.handoff.made_up[0])
    assert [batch.unrecorded for batch in world.handoff.batches[2:]] == 8 * [None]
    assert world.handoff.calls["finance"] == 10


async def test_cancelled_while_the_store_is_away_what_was_told_is_recorded_if_it_can_be() -> None:
    world = World()
    world.handoff.record, world.handoff.away = recorded(line("finance", DEAD)), 2
    async with desk(world) as it:
        handle = await it.ask("finance", "1")
        await eventually(lambda: _troubled(handle))
        await handle.cancel()
        await handle.result()
    assert [one.state for amendment in world.handoff.made_up for one in amendment.handoffs] == [DONE]


async def test_a_replay_that_is_asked_for_while_one_ends_that_was_cancelled_is_told_so() -> None:
    world = World()
    world.handoff.record, world.handoff.away = recorded(line("finance", DEAD)), 2
    async with desk(world) as it:
        handle = await it.ask("finance", "1")
        await eventually(lambda: _troubled(handle))
        world.handoff.gate = asyncio.Event()
        await handle.cancel()
        await eventually(lambda: _recording(world))  # A cancellation and a replay may come in one task.
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await it.ask("hr", "2")
        world.handoff.gate.set()
        await handle.result()
    assert "is just ending: ask again" in str(refused.value.cause)


async def test_who_never_heard_of_an_escalation_hears_of_it_from_the_record() -> None:
    crm = Target(target="crm", url="https://crm.example/hooks", on=(ESCALATED,))
    first, second = (
        EscalationEntry(from_="customer-signer", to=to, reason=EscalationReason.ESCALATION, at=AT)
        for to in ("chair", "board")
    )
    world = World()
    known = recorded(line("crm/escalated-2", DEAD), line("crm/escalated-1", DONE, 1), line("finance", DONE, 1))
    assert known.order is not None
    order = known.order.replace(escalated=(crm,), escalations=(first, second))
    world.handoff.record = known.replace(order=order)
    async with desk(world) as it:
        handle = await it.ask("crm/escalated-2", "1")
        await handle.execute_update(REPLAY, Replay(actor="cs", target="crm/escalated-1"), id="replay-2")
        await it.result(handle)
        assert await became(handle, "1") == (OperationState.DONE, "told crm/escalated-2")
        assert (await became(handle, "2"))[1].endswith("insist with --again")
        world.handoff.record = known
        of_old = await it.ask("crm/escalated-2", "3")
        await of_old.result()
        assert (await became(of_old, "3"))[1] == "crm/escalated-2 cannot be told: its record does not say how"
    [call] = [call for batch in world.handoff.batches for call in batch.calls]
    assert call.target == crm.of_escalation(2)
    assert call.escalated is not None and (call.escalated.number, call.escalated.to) == (2, "board")


def a_group_of(many: int, folder: Path, push: Phones) -> World:
    """A world in which a group of so many never heard of the ending: `p-0`, `p-1` and so on."""
    folk = "\n".join(
        f"  - {{id: p-{n}, name: Some Body, email: p{n}@example.test, zone: UTC, groups: [everybody]}}"
        for n in range(many)
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
    world = a_group_of(150, tmp_path, phones)
    async with desk(world) as it:
        handle = await it.ask("all", "1")
        told = await it.result(handle)
        assert await became(handle, "1") == (OperationState.DONE, "told all")
    assert phones.told == Counter({f"p-{n}": 1 for n in range(150)})
    assert (len(world.handoff.batches), told.handoffs[-1].attempts) == (2, 1)


async def test_a_replay_that_never_reaches_one_phone_of_a_group_tells_nobody_else_again(tmp_path: Path) -> None:
    phones = Phones(busy=("p-1",), letters=("p-2",))
    world = a_group_of(3, tmp_path, phones)
    async with desk(world) as it:
        told = await it.result(await it.ask("all", "1"))
    last = told.handoffs[-1]
    assert (last.state, last.attempts, last.why) == (DONE, 10, "1 of 3 not reached: the service says unreachable")
    assert phones.told == {"p-0": 1, "p-2": 1}
