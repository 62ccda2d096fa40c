"""Replaying the dead: one after the other out of the index, paced, and harmless to repeat.

Each is the replay that an operator would ask for by hand, under an `op` of its own, so that a second run joins the
first. Of the index the ids are in memory, and of entries those in flight.
"""

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from temporalio.common import Priority

from activities.store.failures import StoreFailure
from activities.store.home import StoragePrefix
from activities.store.store import Store
from starter import wishes
from starter.context import Context
from starter.error_types import Refusal
from starter.hand_offs import tellers
from starter.wishes import CommandRefused, NotRunning
from workflows.kinds import Kind, WorkflowName, named
from workflows.model.base import Model
from workflows.model.operations import OperationState
from workflows.model.policy import Target
from workflows.model.records import DeadHandOffs
from workflows.model.wishes import Replay
from workflows.names import BULK

REPLAYS_AT_ONCE: Final = 10
"""Replays in flight: asked for, and neither told nor failed once."""
READ_AT_ONCE: Final = 20
"""Entries of the index that are read at the same time."""
IN_VAIN_AT_MOST: Final = 20
"""Replays to one target without any success after which the rest of it is left: it does not work yet."""
TRIED_WITHIN: Final = timedelta(seconds=15)
"""How long the first attempt of each is watched."""
PRIORITY: Final = Priority(priority_key=BULK, fairness_key="replay")
"""Behind whatever somebody waits for, and beside campaigns, not behind them."""


class ReplayResult(StrEnum):
    """What came of one."""

    TOLD = "told"
    TRIED = "tried"
    """Not told yet; it is tried again by itself."""
    REFUSED = "refused"
    LEFT = "left"
    """Not asked for: its target takes nothing."""


@dataclass(frozen=True)
class DeadTarget:
    """A target of something that has ended, which never heard of it; `died` is when it was given up."""

    what: WorkflowName
    target: str
    died: datetime

    @property
    def name(self) -> str:
        """The target as the policy has it, also where it was to hear of an escalation."""
        return Target(target=self.target).name

    def is_wanted(self, since: datetime | None, target: str | None) -> bool:
        """Whether it died since, and is of this target, or of its escalation."""
        return (since is None or self.died >= since) and target in (None, self.target, self.name)

    @property
    def op(self) -> str:
        """The name of its replay: of one death there is one."""
        death = f"{self.what.workflow_id} {self.target} {self.died.isoformat()}"
        return f"dead-{hashlib.sha256(death.encode()).hexdigest()[:16]}"


class ReplayedDead(Model):
    """The answer of `handoff replay --dead`; `working` are the targets that took something, `failing` the others."""

    told: int = 0
    tried: int = 0
    refused: int = 0
    left: int = 0
    failing: tuple[str, ...] = ()

    @property
    def seen(self) -> int:
        """How many were looked at."""
        return self.told + self.tried + self.refused + self.left


async def the_dead(store: Store, since: datetime | None = None, target: str | None = None) -> AsyncIterator[DeadTarget]:
    """What the index names, kind by kind, of a target or all, as far as they died since."""
    for kind in Kind:
        ids = await store.hand_offs.dead(kind.names.prefix)
        for first in range(0, len(ids), READ_AT_ONCE):
            chunk = [WorkflowName(kind, id) for id in ids[first : first + READ_AT_ONCE]]
            contents = await asyncio.gather(
                *(store.hand_offs.read_dead(StoragePrefix.of(one.workflow_id)) for one in chunk)
            )
            for what, content in zip(chunk, contents, strict=True):
                for line in DeadHandOffs.model_validate_json(content).handoffs if content else ():
                    found = DeadTarget(what, line.target, line.at)
                    if found.is_wanted(since, target):
                        yield found


async def the_dead_while_open(
    context: Context, since: datetime | None = None, target: str | None = None
) -> AsyncIterator[DeadTarget]:
    """The same of what goes on: escalations that a target never heard of."""
    async for chunk in tellers.chunks(context.client, tellers.DEAD_WHILE_OPEN):
        for id, telling in zip(chunk, await tellers.asked_each(context.client, chunk), strict=True):
            if telling is None or (what := named(id)) is None:
                continue
            for line in telling.dead_while_open:
                found = DeadTarget(what, line.target, line.at)
                if found.is_wanted(since, target):
                    yield found


async def all_dead(
    context: Context, since: datetime | None = None, target: str | None = None
) -> AsyncIterator[DeadTarget]:
    """Both, what has ended first."""
    async for found in the_dead(context.store, since, target):
        yield found
    async for found in the_dead_while_open(context, since, target):
        yield found


async def replay_each(
    dead: AsyncIterator[DeadTarget],
    one: Callable[[DeadTarget], Awaitable[ReplayResult]],
    seen: Callable[[ReplayedDead], None],
) -> ReplayedDead:
    """Replay them, `REPLAYS_AT_ONCE` at the same time; a target that takes nothing of `IN_VAIN_AT_MOST` is left
    alone.
    """
    counts, in_vain, works = Counter[ReplayResult](), Counter[str](), set[str]()
    turn = asyncio.Lock()

    def so_far() -> ReplayedDead:
        failing = sorted(name for name in in_vain if name not in works)[:READ_AT_ONCE]
        return ReplayedDead(**{came.value: counts[came] for came in ReplayResult}, failing=tuple(failing))

    async def following() -> DeadTarget | None:
        async with turn:
            return await anext(dead, None)

    async def worker() -> None:
        while (found := await following()) is not None:
            hopeless = found.name not in works and in_vain[found.name] >= IN_VAIN_AT_MOST
            came = ReplayResult.LEFT if hopeless else await one(found)
            counts[came] += 1
            if came is ReplayResult.TOLD:
                works.add(found.name)
            elif came is ReplayResult.TRIED:
                in_vain[found.name] += 1
            seen(so_far())

    async with asyncio.TaskGroup() as group:
        for _ in range(REPLAYS_AT_ONCE):
            group.create_task(worker())
    return so_far()


async def replay(context: Context, dead: DeadTarget, actor: str) -> ReplayResult:
    """Have one replayed by whatever lives of it, else from its record, behind everything else.

    One whose record cannot be read is refused, and holds up no other.
    """
    wish, kind, id = Replay(actor=actor, target=dead.target, op=dead.op), dead.what.kind, dead.what.id
    try:
        try:
            taken = await wishes.carry_out(context.client, id, wish, dead.op, kind=kind, wait=TRIED_WITHIN)
        except NotRunning:
            begin = await wishes.hand_off_again(context, dead.what, PRIORITY)
            taken = await wishes.carry_out(context.client, id, wish, dead.op, kind=kind, wait=TRIED_WITHIN, begin=begin)
    except CommandRefused as refused:
        return ReplayResult.TRIED if str(refused).startswith("could not tell") else ReplayResult.REFUSED
    except wishes.NotConfirmed:
        return ReplayResult.TRIED
    except (Refusal, StoreFailure):
        return ReplayResult.REFUSED
    return ReplayResult.TOLD if taken.state is OperationState.DONE else ReplayResult.TRIED
