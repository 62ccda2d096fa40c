"""Load and death: requests are started and signed all the time while processes are killed at random points."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError

from tests.faults.evidence import Evidence, gather
from tests.faults.population import colleague
from tests.faults.town import TEMPORAL, WORKER, Town, eventually

_GLANCE: Final = 0.2
_STARTERS: Final = 4


@dataclass
class Load:
    """Requests of two signers in order, by many people; each start is repeated until it is acknowledged."""

    town: Town
    prefix: str
    dice: random.Random
    acknowledged: dict[str, str] = field(default_factory=dict)
    _numbers: int = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Start and sign for as long as the block lasts; then go on signing until all that was begun has ended."""
        enough = asyncio.Event()
        starters = [asyncio.create_task(self._start_some(enough)) for _ in range(_STARTERS)]
        signers = asyncio.create_task(self._sign_for_ever())
        try:
            yield
            enough.set()
            await asyncio.gather(*starters)
            await self._until_all_ended()
        finally:
            for task in (*starters, signers):
                task.cancel()
            await asyncio.gather(*starters, signers, return_exceptions=True)

    async def _start_some(self, enough: asyncio.Event) -> None:
        while not enough.is_set():
            number, self._numbers = self._numbers, self._numbers + 1
            await self._start(f"{self.prefix}-{number:04}", number)
            with suppress(TimeoutError):
                await asyncio.wait_for(enough.wait(), self.dice.uniform(0.1, 1))

    async def _start(self, id: str, number: int) -> None:
        async def probe() -> str | None:
            try:
                started = await self.town.ask(
                    id,
                    colleague(number),
                    colleague(number + 1),
                    requester=colleague(number + 2),
                    finance=f"{self.town.vendor.url}/_sandbox/targets/finance",
                )
            except (RPCError, RuntimeError):
                return None  # the server is dead: not acknowledged, so repeated
            return started.run_id

        self.acknowledged[id] = await eventually(probe, within=60)

    async def _sign_for_ever(self) -> None:
        while True:
            for one in await self.town.vendor.waiting():
                if one.request.startswith(self.prefix) and self.dice.random() < 0.5:
                    await self.town.vendor.sign(one)
            await asyncio.sleep(_GLANCE)

    async def _until_all_ended(self) -> None:
        async def probe() -> bool:
            return all([await self._has_ended(id) for id in self.acknowledged])

        await eventually(probe, within=180)

    async def _has_ended(self, id: str) -> bool:
        return (await self.town.handle(id).describe()).status is WorkflowExecutionStatus.COMPLETED


@dataclass(frozen=True)
class Outcome:
    """What a run with deaths came to."""

    evidence: Evidence
    killed: dict[str, int]
    seconds: float


async def kill_under_load(town: Town, prefix: str, *, workers: int, servers: int, seed: int) -> Outcome:
    """Kill worker and server so many times, in random order, each a random while after everybody was at work again."""
    dice = random.Random(seed)  # noqa: S311  chaos that can be repeated, no secret
    victims = [WORKER] * workers + [TEMPORAL] * servers
    dice.shuffle(victims)
    load, began = Load(town, prefix, dice), time.monotonic()
    async with load.running():
        for victim in victims:
            await asyncio.sleep(dice.uniform(0.2, 2))  # the random point
            await town.kill(victim)
            await town.start(victim)
    evidence = await gather(town, load.acknowledged, prefix)
    return Outcome(evidence, {WORKER: workers, TEMPORAL: servers}, time.monotonic() - began)
