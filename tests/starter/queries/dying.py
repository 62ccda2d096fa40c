"""Dead hand-offs, as they would have been left, and a replay of them without a server."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import partial

from sqlalchemy import Connection

from activities.records.hand_offs import keep_lines
from activities.records.settled import write_record
from activities.records.store import Store
from starter.queries.targets import DeadTarget, ReplayedDead, ReplayResult, replay_each, the_dead
from workflows.kinds import Kind
from workflows.model.hand_off import HandoffLine, HandoffState

LONG_AGO = datetime(2026, 11, 1, tzinfo=UTC)


def dead_lines(*targets: str, at: datetime = LONG_AGO) -> tuple[HandoffLine, ...]:
    """Targets that were given up."""
    return tuple(HandoffLine(target=one, state=HandoffState.DEAD, attempts=10, at=at) for one in targets)


async def died(store: Store, id: str, *lines: HandoffLine) -> None:
    """One that has ended, with the hand-offs that came of it."""
    workflow_id = Kind.REQUEST.workflow_id(id)
    await store.records.write(workflow_id, b'{"of":"%s"}' % id.encode())
    await store.records.amend(workflow_id, 1, b"{}", lines)


async def many_dead(store: Store, count: int, at_once: int = 500) -> None:
    """So many that ended hour by hour, of each of which finance never heard."""

    def change(connection: Connection, numbers: range) -> None:
        for n in numbers:
            it = Kind.REQUEST.workflow_id(f"r-{n:05}")
            write_record(connection, it, b"{}")
            keep_lines(connection, it, dead_lines("finance", at=LONG_AGO + timedelta(hours=n)))

    for first in range(0, count, at_once):
        await store.database.write(partial(change, numbers=range(first, min(count, first + at_once))))


class Replays:
    """Replays that are told, except what is refused; counts those in flight, and keeps who was replayed how often."""

    def __init__(self, *, down: bool = False, refused: frozenset[str] = frozenset()) -> None:
        self.down, self.refused = down, refused
        self.in_flight = self.most = 0
        self.asked: Counter[str] = Counter()
        self.ops: set[str] = set()

    async def one(self, dead: DeadTarget) -> ReplayResult:
        """One of them."""
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)
        self.asked[dead.what.id] += 1
        self.ops.add(dead.op)
        await asyncio.sleep(0)
        self.in_flight -= 1
        if dead.what.id in self.refused:
            return ReplayResult.REFUSED
        return ReplayResult.TRIED if self.down else ReplayResult.TOLD

    async def all(self, store: Store, since: datetime | None = None, target: str | None = None) -> ReplayedDead:
        """All that the database has."""
        return await replay_each(the_dead(store, since, target), self.one, lambda _: None)
