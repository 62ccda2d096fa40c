"""Ten times more than anybody would let die: twenty thousand dead hand-offs replayed at once."""

import tracemalloc
from pathlib import Path

from activities.records.store import Store
from starter.queries.targets import REPLAYS_AT_ONCE
from tests.starter.queries.dying import Replays, many_dead

DEAD, BYTES_AT_MOST = 20_000, 32 * 1024 * 1024


async def test_twenty_thousand_are_replayed_within_the_same_bounds(tmp_path: Path) -> None:
    store, replays = Store(str(tmp_path)), Replays()
    await many_dead(store, DEAD)
    tracemalloc.start()
    try:
        result = await replays.all(store)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (result.told, result.total_count) == (DEAD, DEAD)
    assert replays.most_in_flight <= REPLAYS_AT_ONCE
    assert peak < BYTES_AT_MOST
