"""Load and misfortune: requests are started and signed all the time while services fail and processes are killed."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError

from activities.errors import StoreFailure
from activities.people.directory import DirectoryFailure
from starter.errors import Refusal
from starter.temporal.reconciliation import sweep_now
from tests.faults.evidence import Evidence, gather
from tests.faults.population import CONTRACT, PATIENT, Policy, colleague
from tests.faults.town import RECEIVER, TEMPORAL, WORKER, Town, eventually
from tests.faults.vendor import CALLBACK, DOCUMENTS, REQUESTS, SENDS

VICTIMS: Final = (WORKER, WORKER, RECEIVER, TEMPORAL)
"""Who is killed, the likelier the oftener it stands here."""
MISFORTUNES: Final[tuple[tuple[str, str, Mapping[str, Any]], ...]] = (
    # Callbacks: lost, twice, late, out of order, refused for their hash.
    ("drop", "*", {"method": CALLBACK}),
    ("duplicate", "*", {"method": CALLBACK}),
    ("delay", "*", {"method": CALLBACK, "delay": 3}),
    ("reorder", "*", {"method": CALLBACK}),
    ("forge", "*", {"method": CALLBACK}),
    # Core Signature: answers lost, cut, late, too many calls, out of order.
    ("cut", DOCUMENTS, {"method": "POST"}),
    ("cut", REQUESTS, {"method": "POST"}),
    ("502", DOCUMENTS, {"method": "POST"}),
    ("429", "/api/v1/*", {"retry_after": 1}),
    ("503", "/api/v1/*", {}),
    ("truncate", f"{DOCUMENTS}*", {"method": "GET"}),
    ("slow", "/api/v1/*", {"delay": 2}),
    # Push: over its quota, away, taken without an answer, late.
    ("429", SENDS, {"retry_after": 1}),
    ("503", SENDS, {}),
    ("cut", SENDS, {}),
    ("slow", SENDS, {"delay": 1}),
    # The system downstream.
    ("503", "*/targets/finance", {}),
    ("cut", "*/targets/finance", {}),
)
STARTERS: Final = 4
_GLANCE: Final = 0.2
_PAUSE: Final = (0.2, 3.0)
_ENDS_WITHIN: Final = 420
"""Seconds. A hand-off that has failed twice is tried again after five minutes, and then told."""
_AT_ONCE: Final = 3
"""So many things go wrong at the same time, and each so many times."""


@dataclass
class Load:
    """Requests of two signers in order, by many people; each start is repeated until it is acknowledged.

    `most` of them, else as many as come; `swept` where callbacks are lost for good, which a sweep makes up for.
    """

    town: Town
    prefix: str
    dice: random.Random
    most: int | None = None
    pause: tuple[float, float] = (0.1, 1)
    swept: bool = False
    document: str = CONTRACT
    policy: Policy = field(default_factory=lambda: PATIENT)
    acknowledged: dict[str, str] = field(default_factory=dict)
    _numbers: int = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Start and sign for as long as the block lasts; then go on signing until all that was begun has ended."""
        enough = asyncio.Event()
        starters = [asyncio.create_task(self._start_some(enough)) for _ in range(STARTERS)]
        signers = asyncio.create_task(self._sign_for_ever())
        try:
            yield
            if self.most is None:
                enough.set()
            await asyncio.gather(*starters)
            await eventually(self._all_have_ended, timeout_seconds=_ENDS_WITHIN)
        finally:
            for task in (*starters, signers):
                task.cancel()
            await asyncio.gather(*starters, signers, return_exceptions=True)

    async def start(self, id: str, number: int) -> None:
        """Start a request of the colleagues `number` and `number + 1`, repeated until it is acknowledged."""

        async def probe() -> str | None:
            try:
                started = await self.town.ask(
                    id,
                    colleague(number),
                    colleague(number + 1),
                    requester=colleague(number + 2),
                    document=self.document,
                    policy=self.policy,
                    finance=f"{self.town.vendor.url}/_sandbox/targets/finance",
                )
            except (RPCError, RuntimeError, StoreFailure, DirectoryFailure):
                return None  # a server is dead: not acknowledged, so repeated
            return started.run_id

        self.acknowledged[id] = await eventually(probe, timeout_seconds=60)

    async def _start_some(self, enough: asyncio.Event) -> None:
        while not enough.is_set() and (self.most is None or self._numbers < self.most):
            number, self._numbers = self._numbers, self._numbers + 1
            await self.start(f"{self.prefix}-{number:04}", number)
            with suppress(TimeoutError):
                await asyncio.wait_for(enough.wait(), self.dice.uniform(*self.pause))

    async def _sign_for_ever(self) -> None:
        while True:
            for signer in await self.town.vendor.waiting():
                if signer.request.startswith(self.prefix) and self.dice.random() < 0.5:
                    await self.town.vendor.sign(signer)
            await asyncio.sleep(_GLANCE)

    async def _all_have_ended(self) -> bool:
        if all([await self._has_ended(id) for id in self.acknowledged]):
            return True
        if self.swept:
            with suppress(Refusal):
                await sweep_now(self.town.context.client, lambda _: None)
        return False

    async def _has_ended(self, id: str) -> bool:
        return (await self.town.handle(id).describe()).status is WorkflowExecutionStatus.COMPLETED


@dataclass(frozen=True)
class Outcome:
    """What a storm came to."""

    evidence: Evidence
    killed: Counter[str]
    struck: Counter[str]
    """Faults that were armed."""
    seconds: float


async def storm(town: Town, prefix: str, *, requests: int, seconds: float, seed: int) -> Outcome:
    """So many requests while, for so long, services fail and processes are killed, each a random while after everybody
    was at work again; then all is well, and all of them come to their end."""
    dice = random.Random(seed)  # noqa: S311  chaos that can be repeated, no secret
    load = Load(town, prefix, dice, requests, (0, 2 * seconds * STARTERS / requests), swept=True)
    began = time.monotonic()
    killed, struck = Counter[str](), Counter[str]()
    async with load.running():
        while time.monotonic() - began < seconds:
            struck.update(await arm_misfortunes(town, prefix, dice, dice.randint(1, _AT_ONCE)))
            await asyncio.sleep(dice.uniform(*_PAUSE))  # the random point
            victim = dice.choice(VICTIMS)
            await town.kill(victim)
            await town.start(victim)
            killed[victim] += 1
        await town.vendor.disarm()
    evidence = await gather(town, load.acknowledged, prefix)
    return Outcome(evidence, killed, struck, time.monotonic() - began)


async def arm_misfortunes(town: Town, prefix: str, dice: random.Random, count: int) -> Sequence[str]:
    """Let so many different calls go wrong, each up to three times; callbacks only about requests of this prefix."""
    misfortunes = dice.sample(MISFORTUNES, count)
    for fault, path, conditions in misfortunes:
        contains = _callback_prefix(prefix, conditions)
        await town.vendor.arm(fault, path, contains=contains, **conditions, times=dice.randint(1, 3))
    return [fault for fault, _, _ in misfortunes]


def _callback_prefix(prefix: str, conditions: Mapping[str, Any]) -> str | None:
    """Callbacks about these requests alone: of others nobody looks for what was lost."""
    return prefix if conditions.get("method") == CALLBACK else None
