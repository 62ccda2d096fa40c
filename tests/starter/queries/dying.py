"""An index of the dead, as hand-offs would have left it, and a replay of it without a server."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta

from activities.records.store import Store
from starter.queries.targets import DeadTarget, ReplayedDead, ReplayResult, replay_each, the_dead
from workflows.kinds import Kind
from workflows.model.hand_off import HandoffLine, HandoffState
from workflows.model.records import DeadHandOffs
from workflows.model.subject import Status

LONG_AGO = datetime(2026, 11, 1, tzinfo=UTC)


def dead_entry(id: str, *targets: str, at: datetime = LONG_AGO) -> bytes:
    """An entry of the index."""
    lines = tuple(HandoffLine(target=one, state=HandoffState.DEAD, attempts=10, at=at) for one in targets)
    return DeadHandOffs(id=id, kind="nda", status=Status.SIGNED, handoffs=lines).model_dump_json().encode()


async def many_dead(store: Store, count: int, at_once: int = 50) -> None:
    """So many that ended hour by hour, of each of which finance never heard."""
    for first in range(0, count, at_once):
        numbers = range(first, min(count, first + at_once))
        entries = ((n, dead_entry(f"r-{n:05}", "finance", at=LONG_AGO + timedelta(hours=n))) for n in numbers)
        await asyncio.gather(
            *(store.hand_offs.note_dead(Kind.REQUEST.workflow_id(f"r-{n:05}"), entry) for n, entry in entries)
        )


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
        """All that the index has."""
        return await replay_each(the_dead(store, since, target), self.one, lambda _: None)
