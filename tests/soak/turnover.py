"""As many open requests at any time: at a steady rate the oldest ends and another begins."""

import asyncio
import math
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from temporalio.client import WorkflowFailureError
from temporalio.service import RPCError

from starter.errors import Refusal
from starter.temporal.reconciliation import sweep_now
from tests.faults.nemesis import Load
from tests.faults.population import PATIENT
from tests.faults.town import eventually
from tests.faults.vendor import Waiting
from tests.rehearsal.machines import Installation
from workflows.kinds import Kind

PREFIX: Final = "soak"
FILLERS: Final = 4
"""So many requests begin at once before the steady time, and end at once after it."""
STEPS_AT_ONCE: Final = 24
"""Steps that wait for a dead part; a further one is left out, and counted."""
_DECLINED_SHARE: Final = 0.2
_TURN_SECONDS: Final = 120.0
_SWEEP_SECONDS: Final = 120.0
_SWEPT_EVERY: Final = 20.0
_LOOK_SECONDS: Final = 20.0
_AWAITED_AT_ONCE: Final = 100
"""Ends, each of which is a long poll; the server allows 1,200 of a namespace, workers' polls included."""
_END_SECONDS: Final = 900.0
"""A hand-off that has failed twice is tried again after five minutes."""


class Turnover:
    """Requests of two signers in order. Half of the open ones wait for the first, half for the second.

    A step lets the second signer of the oldest request sign or decline, starts a request, and lets the first signer of
    the oldest unsigned one sign. So each request is open for `open_at_once / rate` seconds, and is reminded of in a
    quarter of these, rounded down to minutes (at least one). Faults of steps stand in `failures`, in words.
    """

    def __init__(self, installed: Installation, dice: random.Random, open_at_once: int, rate: float) -> None:
        self._installed, self._dice, self._open_at_once, self._rate = installed, dice, open_at_once, rate
        minutes = max(1, math.floor(open_at_once / rate / 4 / 60))
        policy = {**PATIENT, "reminders": {"first": f"{minutes}m", "every": "3d", "most": 1}}
        self.load = Load(installed, PREFIX, dice, policy=policy)
        self.ended_count = 0
        self.left_out = 0
        self.failures: list[str] = []
        self.number_by_id: dict[str, int] = {}
        self._begun = 0
        self._unsigned: deque[str] = deque()
        self._half_signed: deque[str] = deque()
        self._ends: set[asyncio.Task[None]] = set()
        self._free_polls = asyncio.Semaphore(_AWAITED_AT_ONCE)

    @property
    def life_seconds(self) -> float:
        """How long a request is open."""
        return self._open_at_once / self._rate

    def list_open(self) -> list[str]:
        """The requests that still wait for a signer, oldest first."""
        return [*self._half_signed, *self._unsigned]

    async def fill(self) -> None:
        """Begin all that are to be open at once."""

        async def begin_some() -> None:
            while self._begun < self._open_at_once:
                await self._begin()
                if len(self._unsigned) > self._open_at_once // 2:
                    await self._sign_first()

        await asyncio.gather(*(self._report(begin_some) for _ in range(FILLERS)))

    async def run(self, seconds: float) -> None:
        """Make steps at the rate."""
        began, steps = time.monotonic(), set[asyncio.Task[None]]()
        for number in range(int(seconds * self._rate)):
            await asyncio.sleep(max(0.0, began + number / self._rate - time.monotonic()))
            if len(steps) >= STEPS_AT_ONCE:
                self.left_out += 1
                continue
            step = asyncio.create_task(self._report(self._step))
            steps.add(step)
            step.add_done_callback(steps.discard)
        await asyncio.gather(*steps)

    async def drain(self) -> None:
        """Let all sign, and wait until each request has come to its end; those that do not are failures."""

        async def end_some() -> None:
            while self._unsigned:
                await self._sign_first()
            while self._half_signed:
                await self._end()

        await asyncio.gather(*(self._report(end_some) for _ in range(FILLERS)))
        while self._ends:
            await asyncio.wait(self._ends, timeout=_SWEPT_EVERY)
            if self._ends:
                await self.sweep()

    async def sweep(self) -> None:
        """Reconcile, which makes up for callbacks that were lost."""
        with suppress(Refusal, RPCError, TimeoutError):
            async with asyncio.timeout(_SWEEP_SECONDS):
                await sweep_now(self._installed.context.client, lambda _: None)

    async def _step(self) -> None:
        await self._end()
        await self._begin()
        await self._sign_first()

    async def _begin(self) -> None:
        number, self._begun = self._begun, self._begun + 1
        id = f"{PREFIX}-{number:05}"
        self.number_by_id[id] = number
        await self.load.start(id, number)
        self._unsigned.append(id)
        await self._until_turn(id)

    async def _sign_first(self) -> None:
        if self._unsigned:
            id = self._unsigned.popleft()
            await self._installed.vendor.sign(await self._until_turn(id))
            self._half_signed.append(id)

    async def _end(self) -> None:
        if not self._half_signed:
            return
        id = self._half_signed.popleft()
        signer = await self._until_turn(id)
        if self._dice.random() < _DECLINED_SHARE:
            await self._installed.vendor.decline(signer, "not this year")
        else:
            await self._installed.vendor.sign(signer)
        end = asyncio.create_task(self._report(lambda: self._until_ended(id)))
        self._ends.add(end)
        end.add_done_callback(self._ends.discard)

    async def _until_turn(self, id: str) -> Waiting:
        [signer] = await eventually(lambda: self._installed.vendor.waiting(id), _TURN_SECONDS)
        return signer

    async def _until_ended(self, id: str) -> None:
        handle = self._installed.context.client.get_workflow_handle(Kind.REQUEST.workflow_id(id))

        async def probe() -> bool:
            with suppress(RPCError, TimeoutError):
                async with asyncio.timeout(_LOOK_SECONDS):
                    await handle.result()
                return True
            return False

        try:
            async with self._free_polls:
                await eventually(probe, _END_SECONDS)
        except (AssertionError, WorkflowFailureError) as failure:
            self.failures.append(f"{id} has not come to its end: {failure}")
        else:
            self.ended_count += 1

    async def _report(self, call: Callable[[], Awaitable[None]]) -> None:
        try:
            await call()
        except Exception as failure:
            self.failures.append(f"{type(failure).__name__}: {failure}")
