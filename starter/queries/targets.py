"""State of hand-off targets, from open runs and the dead hand-offs of ended ones; replays and immediate retries."""

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Final

from temporalio.client import Client, WorkflowQueryFailedError
from temporalio.common import Priority
from temporalio.service import RPCError

from activities.errors import StoreFailure, did_you_mean
from activities.hand_off.target_health import FAILING_FROM, TargetState, enable, state_of
from activities.policies.catalogue import Catalogue
from activities.records.incidents import TARGETS, Incident
from activities.records.store import Store
from activities.temporal import executions
from starter.errors import Refusal
from starter.queries import commands
from starter.queries.commands import CommandRefused, NotRunning
from starter.queries.filters import SETTLED
from starter.temporal.connection import Context
from workflows import names
from workflows.follow_up.outbox import dead_lines, policy_name
from workflows.kinds import WorkflowName, kinds, named
from workflows.model.base import Model
from workflows.model.commands import Replay
from workflows.model.hand_off import HandoffLine, HandoffState, ImmediateHandOff
from workflows.model.policy import Target
from workflows.model.receipts import OperationState
from workflows.model.rejections import Rejection
from workflows.model.subject import Status
from workflows.names import BULK

QUERIES_AT_ONCE: Final = 20
"""Runs queried or signalled concurrently."""
_ANSWERS_WITHIN: Final = timedelta(seconds=5)
DEAD_WHILE_OPEN: Final = f"{executions.OPEN} AND {names.HANDOFF.name} = '{HandoffState.DEAD}'"
"""Query for open runs with a dead escalation target, which have no record yet."""
REPLAYS_AT_ONCE: Final = 10
"""Replays requested whose first attempt has no result yet."""
FAILING_NAMED_AT_MOST: Final = 20
"""Targets that accepted nothing, named in the answer."""
IN_VAIN_AT_MOST: Final = 20
"""Failed replays of one target, without success, after which the rest is left."""
TRIED_WITHIN: Final = timedelta(seconds=15)
"""How long each first attempt is awaited."""
PRIORITY: Final = Priority(priority_key=BULK, fairness_key="replay")
"""Behind anything a person waits for, beside campaigns."""
ASKED_AT_MOST: Final = 2_000
"""Runs queried for a list, which says if there are more."""
TARGETS_AT_MOST: Final = 1_000
"""Rows of a list: every subscriber is a target."""
NAMED_AT_MOST: Final = 20
"""Targets named in the error for an unknown one."""
Addresses = Mapping[str, Collection[str]]
"""A target's present addresses in the catalogue, by name."""


def tells() -> str:
    """The query for runs that tell targets now."""
    types = ", ".join(repr(kind.spec.workflow) for kind in kinds())
    telling = f"{names.STAGE.name} = '{SETTLED}' OR {names.HANDOFF.name} IS NOT NULL"
    return f"{executions.OPEN} AND (WorkflowType = '{names.HAND_OFF}' OR (WorkflowType IN ({types}) AND ({telling})))"


class TellingRun(Model):
    """One run's hand-offs."""

    status: Status
    handoffs: tuple[HandoffLine, ...] = ()

    @property
    def pending(self) -> tuple[HandoffLine, ...]:
        """Those it will retry by itself."""
        return tuple(line for line in self.handoffs if line.state is HandoffState.PENDING)

    @property
    def dead_while_open(self) -> tuple[HandoffLine, ...]:
        """Dead escalations; empty once it has ended, when the database has them."""
        if self.status.has_ended:
            return ()
        pending_targets = {line.target for line in self.pending}
        return tuple(line for line in dead_lines(self.handoffs) if line.target not in pending_targets)


async def chunks(client: Client, query: str | None = None) -> AsyncIterator[list[str]]:
    """Workflow ids of such runs, in chunks of `QUERIES_AT_ONCE`."""
    chunk: list[str] = []
    async for run in executions.listed(client, query or tells()):
        chunk.append(run.id)
        if len(chunk) == QUERIES_AT_ONCE:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


async def ask_run(client: Client, workflow_id: str) -> TellingRun | None:
    """One run's answer; None without a worker."""
    with suppress(RPCError, WorkflowQueryFailedError, ValueError):
        handle = client.get_workflow_handle(workflow_id)
        telling_run: TellingRun = await handle.query(names.SHOW, result_type=TellingRun, rpc_timeout=_ANSWERS_WITHIN)
        return telling_run
    return None


async def asked_each(client: Client, chunk: list[str]) -> list[TellingRun | None]:
    return list(await asyncio.gather(*(ask_run(client, workflow_id) for workflow_id in chunk)))


class ReplayResult(StrEnum):
    TOLD = "told"
    TRIED = "tried"
    """Failed once; retried by itself."""
    REFUSED = "refused"
    LEFT = "left"
    """Not requested: its target accepts nothing."""


@dataclass(frozen=True)
class DeadTarget:
    """A hand-off of an ended one that was given up at `died`."""

    what: WorkflowName
    target: str
    died: datetime

    @property
    def name(self) -> str:
        """The target's name in the policy, also for an escalation."""
        return policy_name(self.target)

    def is_wanted(self, earliest: datetime | None, target: str | None) -> bool:
        """Whether it died since, and is of this target."""
        return (earliest is None or self.died >= earliest) and target in (None, self.target, self.name)

    @property
    def op(self) -> str:
        """The `op` of its replay: one per death."""
        death = f"{self.what.workflow_id} {self.target} {self.died.isoformat()}"
        return f"dead-{hashlib.sha256(death.encode()).hexdigest()[:16]}"


class ReplayedDead(Model):
    """The answer of `handoff replay --dead`; `working` targets accepted something, `failing` ones nothing."""

    told: int = 0
    tried: int = 0
    refused: int = 0
    left: int = 0
    failing: tuple[str, ...] = ()

    @property
    def total_count(self) -> int:
        return self.told + self.tried + self.refused + self.left


async def the_dead(
    store: Store, earliest: datetime | None = None, target: str | None = None
) -> AsyncIterator[DeadTarget]:
    """Dead hand-offs of what has ended, by workflow id."""
    async for hand_off in store.hand_offs.dead(earliest, target):
        if workflow := named(hand_off.workflow_id):
            yield DeadTarget(workflow, hand_off.target, hand_off.at)


async def the_dead_while_open(
    context: Context, earliest: datetime | None = None, target: str | None = None
) -> AsyncIterator[DeadTarget]:
    """Dead escalations of open runs."""
    async for chunk in chunks(context.client, DEAD_WHILE_OPEN):
        for id, telling in zip(chunk, await asked_each(context.client, chunk), strict=True):
            if telling is None or (workflow := named(id)) is None:
                continue
            for line in telling.dead_while_open:
                dead = DeadTarget(workflow, line.target, line.at)
                if dead.is_wanted(earliest, target):
                    yield dead


async def all_dead(
    context: Context, earliest: datetime | None = None, target: str | None = None
) -> AsyncIterator[DeadTarget]:
    """Both, ended ones first."""
    async for dead in the_dead(context.store, earliest, target):
        yield dead
    async for dead in the_dead_while_open(context, earliest, target):
        yield dead


async def replay_each(
    dead: AsyncIterator[DeadTarget],
    replay_target: Callable[[DeadTarget], Awaitable[ReplayResult]],
    report_progress: Callable[[ReplayedDead], None],
) -> ReplayedDead:
    """Replay them, `REPLAYS_AT_ONCE` at a time; a target that refuses `IN_VAIN_AT_MOST` is left."""
    counts, in_vain, works = Counter[ReplayResult](), Counter[str](), set[str]()
    turn = asyncio.Lock()

    def so_far() -> ReplayedDead:
        failing = sorted(name for name in in_vain if name not in works)[:FAILING_NAMED_AT_MOST]
        return ReplayedDead(**{result.value: counts[result] for result in ReplayResult}, failing=tuple(failing))

    async def following() -> DeadTarget | None:
        async with turn:
            return await anext(dead, None)

    async def worker() -> None:
        while (dead_target := await following()) is not None:
            hopeless = dead_target.name not in works and in_vain[dead_target.name] >= IN_VAIN_AT_MOST
            result = ReplayResult.LEFT if hopeless else await replay_target(dead_target)
            counts[result] += 1
            if result is ReplayResult.TOLD:
                works.add(dead_target.name)
            elif result is ReplayResult.TRIED:
                in_vain[dead_target.name] += 1
            report_progress(so_far())

    async with asyncio.TaskGroup() as group:
        for _ in range(REPLAYS_AT_ONCE):
            group.create_task(worker())
    return so_far()


async def replay(context: Context, dead: DeadTarget, replay_command: Replay) -> ReplayResult:
    """Replay one, whatever target `replay_command` has, by its open run, else from its record, at low priority.
    One with an unreadable record is refused.
    """
    command, kind, id = replay_command.replace(target=dead.target, op=dead.op), dead.what.kind, dead.what.id
    try:
        try:
            receipt = await commands.carry_out(context.client, id, command, dead.op, kind=kind, wait=TRIED_WITHIN)
        except NotRunning:
            begin = await commands.hand_off_again(context, dead.what, PRIORITY)
            receipt = await commands.carry_out(
                context.client, id, command, dead.op, kind=kind, wait=TRIED_WITHIN, begin=begin
            )
    except CommandRefused as refused:
        return ReplayResult.TRIED if refused.message.code == Rejection.NOT_TOLD else ReplayResult.REFUSED
    except commands.NotConfirmed:
        return ReplayResult.TRIED
    except (Refusal, StoreFailure):
        return ReplayResult.REFUSED
    return ReplayResult.TOLD if receipt.state is OperationState.DONE else ReplayResult.TRIED


class TargetLine(Model):
    """Counts of waiting, repeatedly `failing` and dead hand-offs. `since` is the oldest, `next` the next retry, `why`
    the last error.
    """

    target: str
    state: TargetState = TargetState.WORKING
    waiting: int = 0
    failing: int = 0
    dead: int = 0
    since: datetime | None = None
    next: datetime | None = None
    why: str | None = None

    def waits(self, line: HandoffLine) -> "TargetLine":
        """With one more that waits."""
        return self.replace(
            waiting=self.waiting + 1,
            failing=self.failing + (line.attempts >= FAILING_FROM),
            since=_earlier(self.since, line.at),
            next=_earlier(self.next, line.due_at),
            why=line.why or self.why,
        )

    def is_as(self, incident: Incident) -> "TargetLine":
        """With the condition at one address: the worst counts."""
        state = max(self.state, state_of(incident), key=list(TargetState).index)
        return self.replace(state=state, since=_earlier(self.since, incident.since), why=self.why or incident.why)

    def died(self, died_at: datetime, count: int = 1) -> "TargetLine":
        """With more dead, the first of them then."""
        return self.replace(dead=self.dead + count, since=_earlier(self.since, died_at))


class Targets(Model):
    """Targets with waiting or dead hand-offs, most dead first; `unseen` runs were not queried."""

    targets: tuple[TargetLine, ...] = ()
    unseen: int = 0


async def standing(
    context: Context, of_catalogue: Addresses, report_progress: Callable[[int], None] = lambda _: None
) -> Targets:
    """The state of every such target. An address that left the catalogue counts while anything waits for it."""
    line_by_target: dict[str, TargetLine] = {}
    asked_count = unseen = 0
    async for chunk in chunks(context.client):
        asked_ids = chunk[: max(0, ASKED_AT_MOST - asked_count)]
        asked_count, unseen = asked_count + len(asked_ids), unseen + len(chunk) - len(asked_ids)
        for telling in filter(None, await asked_each(context.client, asked_ids)):
            for line in telling.pending:
                _update_line(line_by_target, line.target, partial(TargetLine.waits, line=line))
            for line in telling.dead_while_open:
                _update_line(line_by_target, line.target, partial(TargetLine.died, died_at=line.at))
        report_progress(asked_count)
    for dead in await context.store.hand_offs.dead_counts():
        _update_line(line_by_target, dead.name, partial(TargetLine.died, died_at=dead.since, count=dead.dead))
    for target_address, incident in await context.store.incidents.open(TARGETS):
        waits = target_address.name in line_by_target and line_by_target[target_address.name].waiting
        if waits or target_address.address in of_catalogue.get(target_address.name, (target_address.address,)):
            _update_line(line_by_target, target_address.name, partial(TargetLine.is_as, incident=incident))
    rows = sorted(line_by_target.values(), key=lambda row: (-row.dead, -row.waiting, row.target))
    return Targets(targets=tuple(rows), unseen=unseen)


async def refuse_unknown(context: Context, target: str, of_catalogue: Addresses) -> None:
    """`Refusal` for a target that neither catalogue nor runs know, with similar names."""
    name, known_names = policy_name(target), set(of_catalogue)
    if name in known_names:
        return
    targets = await standing(context, of_catalogue)
    known_names |= {row.target for row in targets.targets}
    if name not in known_names and not targets.unseen:
        examples = ", ".join(sorted(known_names)[:NAMED_AT_MOST])
        helps = did_you_mean(name, sorted(known_names)) or (f"; there are {examples}" if examples else "")
        raise Refusal(f"no target is called {target}{helps}")


async def hurry(context: Context, target: str | None, report_progress: Callable[[int], None] = lambda _: None) -> int:
    """Retry a target, or all, now; the number of runs signalled. A named one is enabled if it was disabled."""
    signalled_count = 0
    if target is not None:
        await enable(context.store.incidents, target, datetime.now(UTC))
    async for chunk in chunks(context.client):
        signalled_count += sum(
            await asyncio.gather(*(_signal(context.client, workflow_id, target) for workflow_id in chunk))
        )
        report_progress(signalled_count)
    return signalled_count


def targets_of(catalogue: Catalogue) -> list[Target]:
    """All targets, each once."""
    resolved = (catalogue.resolve(kind).policy for kind in catalogue.kinds)
    return list({_way(target): target for policy in resolved for target in policy.handoff}.values())


async def _signal(client: Client, workflow_id: str, target: str | None) -> bool:
    """Whether a run was signalled; one that does not wait for the target is left alone."""
    telling = await ask_run(client, workflow_id) if target is not None else None
    if telling is not None and not any(target in (line.target, policy_name(line.target)) for line in telling.pending):
        return False
    with suppress(RPCError):  # It has ended meanwhile.
        await client.get_workflow_handle(workflow_id).signal(names.HAND_OFF_NOW, ImmediateHandOff(target=target))
        return True
    return False


def _update_line(line_by_target: dict[str, TargetLine], name: str, change: Callable[[TargetLine], TargetLine]) -> None:
    name = policy_name(name)
    if name not in line_by_target and len(line_by_target) >= TARGETS_AT_MOST:
        name = "…"
    line_by_target[name] = change(line_by_target.get(name, TargetLine(target=name)))


def _earlier(first: datetime | None, second: datetime | None) -> datetime | None:
    return min((instant for instant in (first, second) if instant is not None), default=None)


def _way(target: Target) -> str:
    return target.model_dump_json(exclude={"on", "personal"})
