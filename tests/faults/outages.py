"""A long outage of everything outside, on the real server with both limits of a history lowered."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError

from starter.queries import commands as command_queries
from starter.queries import fast_forward
from tests.faults.floods import runs_of
from tests.faults.town import eventually
from tests.servers import PUNCTUAL_TIMERS, real_server
from tests.workflows.fakes import World, refusal
from tests.workflows.stage import Story, a_request, begin, workers
from workflows import names
from workflows.model.commands import UPDATES, AnyCommand, Cancellation, Delegation, Extension, ReminderCommand
from workflows.model.receipts import OperationState, Receipt
from workflows.model.signature import SignerState
from workflows.model.subject import Code, Status

ACTOR: Final = "legal-desk"
DEPUTY: Final = "customer-deputy"
EXTENSIONS: Final = 12
"""More than the server admits in flight."""
SUGGESTED_AT: Final = 100
ENDED_AT: Final = 700
"""Events at which the server suggests a fresh run, and at which it terminates the workflow."""
_LIMITS: Final = (
    "--dynamic-config-value",
    f"limit.historyCount.suggestContinueAsNew={SUGGESTED_AT}",
    "--dynamic-config-value",
    f"limit.historyCount.error={ENDED_AT}",
)
_AT_ONCE: Final = timedelta()
_STEP: Final = timedelta(hours=4)
_PROBED: Final = timedelta(minutes=16)


@dataclass(frozen=True)
class Survived:
    """What became of the request: its runs, how they ended, and what was done once everything was back."""

    events: int
    longest: int
    endings: Sequence[WorkflowExecutionStatus | None]
    receipts: Sequence[Receipt]
    outcomes: Sequence[Receipt]
    reminded: int
    handed_over: int
    due_at: datetime | None
    wanted_due: datetime
    cancelled: Receipt
    cancellations: int


async def outage(events: int) -> Survived:
    """Every kind of update is pending while nothing outside answers, until the histories have this many events.

    The first outage ends with all but `cancel` pending, the second one with `cancel`.
    """
    world = World()
    async with real_server(*_LIMITS, *PUNCTUAL_TIMERS) as env, workers(env.client, world):
        story = await begin(env, world, a_request())
        await eventually(lambda: _is_told(world))
        due = datetime.now(UTC).replace(microsecond=0) + timedelta(days=400)
        commands = _make_commands(due)
        _nothing_answers(world)
        receipts = [await _send_command(env.client, story, command, number) for number, command in enumerate(commands)]
        event_count = await _outlast(env.client, story, events // 2)
        _everything_answers(world)
        await fast_forward.forward(env.client, story.handle.id, _PROBED)
        outcomes = [await _outcome(story, command, number) for number, command in enumerate(commands)]
        view = await story.read_view()
        _nothing_answers(world)
        cancellation = Cancellation(actor=ACTOR, reason="no longer needed")
        cancelled = await _send_command(env.client, story, cancellation, 0)
        event_count = await _outlast(env.client, story, event_count + events // 2)
        _everything_answers(world)
        await fast_forward.forward(env.client, story.handle.id, _PROBED)
        assert (await story.handle.result()).outcome is Status.CANCELLED
        described = [
            await env.client.get_workflow_handle(story.handle.id, run_id=run).describe()
            for run in await runs_of(env.client, story)
        ]
        return Survived(
            events=event_count,
            longest=max(description.history_length for description in described),
            endings=[description.status for description in described],
            receipts=[*receipts, cancelled],
            outcomes=outcomes,
            reminded=[stage for stage, _ in world.push.stages()].count("reminder-manual-1"),
            handed_over=sum(signer.state is SignerState.REASSIGNED for signer in world.signatures.signers),
            due_at=view.due_at,
            wanted_due=due + timedelta(hours=EXTENSIONS - 1),
            cancelled=await _outcome(story, cancellation, 0),
            cancellations=[entry.what for entry in (await story.read_view()).timeline].count(Status.CANCELLED),
        )


def _make_commands(due: datetime) -> Sequence[AnyCommand]:
    return (
        Delegation(actor=ACTOR, signer="customer-signer", to=DEPUTY),
        ReminderCommand(actor=ACTOR, force=True),
        ReminderCommand(actor=ACTOR, force=True),
        *(Extension(actor=ACTOR, due=due + timedelta(hours=number)) for number in range(EXTENSIONS)),
    )


def _nothing_answers(world: World) -> None:
    for fake in (world.signatures, world.push, world.planner):
        fake.failures = [refusal(Code.UNAUTHORISED) for _ in range(10_000)]


def _everything_answers(world: World) -> None:
    for fake in (world.signatures, world.push, world.planner):
        fake.failures = []


async def _send_command(client: Client, story: Story, command: AnyCommand, number: int) -> Receipt:
    return await command_queries.carry_out(client, "msa-0042", command, f"op-{number}", wait=_AT_ONCE)


async def _outcome(story: Story, command: AnyCommand, number: int) -> Receipt:
    """What became of a command; the clock may be there before the last call has answered."""

    async def probe() -> Receipt | None:
        try:
            receipt: Receipt | None = await story.handle.query(
                names.OPERATION, f"{UPDATES[type(command)]}-op-{number}", result_type=Receipt
            )
        except RPCError:
            return None  # a run that has just begun has no task yet
        return receipt if receipt and receipt.state is not OperationState.OPEN else None

    return await eventually(probe)


async def _outlast(client: Client, story: Story, events: int) -> int:
    """Let time pass until the histories of all runs have this many events; how many they have."""
    while True:
        await fast_forward.forward(client, story.handle.id, _STEP)
        runs = await runs_of(client, story)
        handles = [client.get_workflow_handle(story.handle.id, run_id=run) for run in runs]
        event_count = sum([(await handle.describe()).history_length for handle in handles])
        if event_count >= events:
            return event_count


async def _is_told(world: World) -> bool:
    return bool(world.push.sent)
