"""Dead hand-offs, as they would have been left, and a replay of them without a server."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from activities.records.database import insert_new
from activities.records.hand_offs import keep_lines
from activities.records.schema import RECORDS
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


async def many_dead(store: Store, count: int) -> None:
    """So many that ended hour by hour, of each of which finance never heard."""

    def change(connection: Connection) -> None:
        for n in range(count):
            it = Kind.REQUEST.workflow_id(f"r-{n:05}")
            row = {"type": Kind.REQUEST.spec.prefix, "content": b"{}", "sha256": ""}
            insert_new(connection, RECORDS, workflow_id=it, kind="nda", status="", title="", requester="", **row)
            keep_lines(connection, it, dead_lines("finance", at=LONG_AGO + timedelta(hours=n)))

    await store.database.write(change)


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
