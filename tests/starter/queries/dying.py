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


def dead_lines(*targets: str, dead_at: datetime = LONG_AGO) -> tuple[HandoffLine, ...]:
    """Targets that were given up."""
    return tuple(HandoffLine(target=target, state=HandoffState.DEAD, attempts=10, at=dead_at) for target in targets)


async def record_ended(store: Store, id: str, *lines: HandoffLine) -> None:
    """One that has ended, with the hand-offs that came of it."""
    workflow_id = Kind.REQUEST.workflow_id(id)
    await store.records.write(workflow_id, b'{"of":"%s"}' % id.encode())
    await store.records.amend(workflow_id, 1, b"{}", lines)


async def many_dead(store: Store, count: int, at_once: int = 500) -> None:
    """So many that ended hour by hour, of each of which finance never heard."""

    def change(connection: Connection, numbers: range) -> None:
        for n in numbers:
            workflow_id = Kind.REQUEST.workflow_id(f"r-{n:05}")
            write_record(connection, workflow_id, b"{}")
            keep_lines(connection, workflow_id, dead_lines("finance", dead_at=LONG_AGO + timedelta(hours=n)))

    for first in range(0, count, at_once):
        await store.database.write(partial(change, numbers=range(first, min(count, first + at_once))))


class Replays:
    """Replays that are told, except what is refused; counts those in flight, and keeps who was replayed how often."""

    def __init__(self, *, down: bool = False, refused: frozenset[str] = frozenset()) -> None:
        self.down, self.refused = down, refused
        self.in_flight = self.most_in_flight = 0
        self.replay_counts: Counter[str] = Counter()
        self.ops: set[str] = set()

    async def replay_one(self, dead: DeadTarget) -> ReplayResult:
        """One of them."""
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        self.replay_counts[dead.what.id] += 1
        self.ops.add(dead.op)
        await asyncio.sleep(0)
        self.in_flight -= 1
        if dead.what.id in self.refused:
            return ReplayResult.REFUSED
        return ReplayResult.TRIED if self.down else ReplayResult.TOLD

    async def all(self, store: Store, ended_since: datetime | None = None, target: str | None = None) -> ReplayedDead:
        """All that the database has."""
        return await replay_each(the_dead(store, ended_since, target), self.replay_one, lambda _: None)
