"""One run: rounds of requests on fresh servers, the contenders taking turns so that a server's age favours neither."""

import asyncio
from collections.abc import Callable
from typing import Final

from temporalio.client import Client

from tests.bench import processor_time
from tests.bench.contender import Contender, course, park, settling_ms
from tests.bench.figures import Figure, Tally
from tests.bench.history import read_history_size

PAIRS: Final = 4
SIZE: Final = 25
"""Requests of a round: many enough for /proc's 10 ms."""
_WARM_UP: Final = 2
_AT_MOST: Final = 60
"""Seconds for a round: a request that is stuck shall not hold whoever waits for the figures."""
_TURNS: Final = ((Contender.OURS, Contender.FLOOR), (Contender.FLOOR, Contender.OURS))


async def measure(figures: frozenset[Figure], say: Callable[[str], None]) -> Tally:
    """Take the samples of `figures`: about a minute, or ten seconds when none of them is a matter of time."""
    timed = any(figure.timed for figure in figures)
    pairs, size = (PAIRS, SIZE) if timed else (1, _WARM_UP)
    tally = Tally()
    for pair in range(pairs):
        async with course() as client:
            await _warm_up(client)
            for contender in _TURNS[pair % 2]:
                say(f"server {pair + 1} of {pairs}: {size} requests, {contender.name.lower()}")
                tally.add(contender, await _round(client, contender, size))
    return tally


async def _warm_up(client: Client) -> None:
    """The first requests of a worker and a server pay for caches that thousands share."""
    async with asyncio.timeout(_AT_MOST):
        parked = await asyncio.gather(*(park(client, contender, _WARM_UP) for contender in Contender))
        await asyncio.gather(*(settling_ms(handle) for handles in parked for handle in handles))


async def _round(client: Client, contender: Contender, size: int) -> dict[Figure, list[float]]:
    spent = processor_time.spent_ms()
    async with asyncio.timeout(_AT_MOST):
        handles = await park(client, contender, size)
        settled = [await settling_ms(handle) for handle in handles]
    spent = processor_time.spent_ms() - spent
    history_sizes = [await read_history_size(handle) for handle in handles]
    return {
        Figure.ACTIONS: [history_size.actions for history_size in history_sizes],
        Figure.EVENTS: [history_size.events for history_size in history_sizes],
        Figure.BYTES: [history_size.size for history_size in history_sizes],
        Figure.CPU: [spent / size] if processor_time.available() else [],
        Figure.SETTLED: settled,
    }
