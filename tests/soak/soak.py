"""The run: open requests at a steady rate, a part that dies each minute, samples, and what is judged at the end.

One worker and one web process are never killed: what grows slowly shows in these.
"""

import asyncio
import random
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from itertools import cycle
from typing import Final

import httpx

from tests.faults.evidence import gather
from tests.faults.nemesis import arm_misfortunes
from tests.faults.oracle import judge
from tests.faults.population import colleague
from tests.faults.town import TEMPORAL
from tests.faults.vendor import Entry, Vendor
from tests.rehearsal.machines import WEB, WORKERS, Installation, Part
from tests.rehearsal.rehearsal import determine_fate
from tests.soak.lateness import FaultWindow, TimedPush, measure_lateness, select_quiet, time_pushes
from tests.soak.outcome import (
    Outcome,
    find_lateness,
    find_process_growth,
    find_request_growth,
    measure_histories,
    measure_processes,
    measure_rises,
    measure_stages,
)
from tests.soak.samples import EVERY, Instruments, Progress, Sample
from tests.soak.turnover import PREFIX, Turnover
from workflows.kinds import Kind

_FAULT_EVERY: Final = 60.0
_QUIET_EACH: Final = 3
"""Every third minute has no fault, the first one too: lateness is measured there."""
_STEADY_LIVES: Final = 3
"""So many lives of requests last a run in which their ages, and so histories and rows, come to stand still."""
_LATEST_LISTED: Final = 20
_KEPT_ENTRIES: Final = (
    *("document_created", "request_created", "document_status", "signer_signed"),
    *("push", "callback", "downstream"),
)


@dataclass(frozen=True)
class SoakPlan:
    """What is run: so many minutes with so many open requests, of which `rate` a second end and begin."""

    minutes: float
    open_at_once: int
    rate: float
    seed: int
    is_strict: bool = False
    """Whether lateness above `LATE_AT_MOST` is a violation."""


@dataclass
class LedgerReader:
    """The entries of the sandbox's ledger that are judged, read piece by piece."""

    vendor: Vendor
    entries: list[Entry] = field(default_factory=list)
    _last: int = 0

    async def read(self) -> None:
        """Read what has come since."""
        new_entries = await self.vendor.ledger(None, self._last)
        if new_entries:
            self._last = int(new_entries[-1]["n"])
        self.entries += [entry for entry in new_entries if entry["type"] in _KEPT_ENTRIES]


class Soak:
    """One run on an installation that has been set up."""

    def __init__(self, installed: Installation, plan: SoakPlan, progress: Progress, say: Callable[[str], None]) -> None:
        self._installed, self._plan, self._progress, self._say = installed, plan, progress, say
        self._dice = random.Random(plan.seed)  # noqa: S311  a run that can be repeated, no secret
        self._turnover = Turnover(installed, self._dice, plan.open_at_once, plan.rate)
        self._instruments = Instruments(installed, random.Random(plan.seed))  # noqa: S311  as above
        self._ledger = LedgerReader(installed.vendor)
        self._began = time.monotonic()
        self._phase = "fill"
        self._windows: list[FaultWindow] = []
        self._steady_at: tuple[datetime, datetime] | None = None

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    async def run(self) -> Outcome:
        """Fill, keep steady, drain, judge."""
        installed, plan, turnover = self._installed, self._plan, self._turnover
        installed.furnish()
        await installed.start_patiently(*WORKERS, *WEB)
        self._note("the processes do their work")
        sampling = asyncio.create_task(self._sample_until_drained())
        try:
            await turnover.fill()
            self._note(f"{len(turnover.list_open())} requests are open")
            self._phase, begun_at = "steady", datetime.now(UTC)
            async with asyncio.TaskGroup() as at_once:
                at_once.create_task(turnover.run(60 * plan.minutes))
                at_once.create_task(self._strike_each_minute())
            self._phase, self._steady_at = "drain", (begun_at, datetime.now(UTC))
            self._note("the steady time is over")
            await turnover.drain()
            self._note(f"{turnover.ended_count} requests have ended")
        finally:
            sampling.cancel()
            [ending] = await asyncio.gather(sampling, return_exceptions=True)
        if isinstance(ending, Exception):
            turnover.failures.append(f"the samples ended at {self._progress.samples[-1:]}: {ending}")
        await self._ledger.read()
        outcome = await self._judge()
        self._progress.write("outcome", asdict(outcome))
        return outcome

    def _note(self, text: str) -> None:
        self._say(f"{self.seconds:.0f} s: {text}")
        self._progress.write("note", {"seconds": round(self.seconds), "says": text})

    # --- faults

    async def _strike_each_minute(self) -> None:
        installed = self._installed
        parts = [*map(installed.process, (WORKERS[0], WEB[0], TEMPORAL)), *installed.servers]
        self._dice.shuffle(parts)
        turns, began = cycle(parts), time.monotonic()
        for minute in range(int(self._plan.minutes)):
            await asyncio.sleep(max(0.0, began + _FAULT_EVERY * minute - time.monotonic()))
            if minute % _QUIET_EACH:
                await self._strike(next(turns))

    async def _strike(self, part: Part) -> None:
        """Kill a part and arm a misfortune of `make chaos`; afterwards disarm it, and reconcile."""
        began_at = datetime.now(UTC)
        misfortunes = await arm_misfortunes(self._installed, PREFIX, self._dice, 1)
        await part.kill_and_restart()
        await self._installed.vendor.disarm()
        window = FaultWindow(part.name, began_at, datetime.now(UTC))
        self._windows.append(window)
        seconds = (window.ended_at - began_at).total_seconds()
        self._note(f"{part.name} was killed, and is back after {seconds:.0f} s; also {', '.join(misfortunes)}")
        await self._turnover.sweep()

    # --- samples

    async def _sample_until_drained(self) -> None:
        while True:
            began = time.monotonic()
            with suppress(httpx.HTTPError):  # read with the next sample
                await self._ledger.read()
            self._progress.add_sample(await self._sample())
            await asyncio.sleep(max(0.0, began + EVERY - time.monotonic()))

    async def _sample(self) -> Sample:
        open_requests = self._turnover.list_open()
        running, rows, files, histories = await asyncio.gather(
            self._instruments.read_running(),
            self._instruments.read_rows(),
            self._instruments.read_files(),
            self._instruments.read_histories(open_requests),
        )
        return Sample(
            seconds=round(self.seconds, 1),
            phase=self._phase,
            started=len(self._turnover.load.acknowledged),
            ended=self._turnover.ended_count,
            open_requests=len(open_requests),
            running=running,
            processes=self._instruments.read_processes(),
            rows=rows,
            files=files,
            histories=histories,
        )

    # --- judgement

    async def _judge(self) -> Outcome:
        installed, acknowledged = self._installed, self._turnover.load.acknowledged
        evidence = await gather(installed, acknowledged, PREFIX, self._ledger.entries)
        fate = await determine_fate(installed, "requests", Kind.REQUEST, acknowledged, judge(evidence))
        timers = {id: sorted(timer.due for timer in life.fired) for id, life in evidence.lives.items()}
        signers = {id: (colleague(number), colleague(number + 1)) for id, number in self._turnover.number_by_id.items()}
        pushes = self._select_steady(time_pushes(self._ledger.entries, signers, timers))
        quiet_pushes = select_quiet(pushes, self._windows)
        steady = [sample for sample in self._progress.samples if sample.phase == "steady"]
        is_settled = 60 * self._plan.minutes >= _STEADY_LIVES * self._turnover.life_seconds
        processes, history, rises = measure_processes(steady), measure_histories(steady), measure_rises(steady)
        quiet = measure_lateness(quiet_pushes)
        open_counts = [sample.open_requests for sample in steady] or [0]
        histories = [sample.histories for sample in steady if sample.histories]
        reasons = [
            *self._turnover.failures,
            *fate.violations,
            *([f"{fate.lost} requests have no record"] if fate.lost else []),
            *find_process_growth(processes),
            *(find_request_growth(history, rises) if is_settled else []),
            *(find_lateness(quiet) if self._plan.is_strict else []),
        ]
        return Outcome(
            seconds=self.seconds,
            fate=fate,
            left_out=self._turnover.left_out,
            open_counts=(min(open_counts), max(open_counts)),
            windows=self._windows,
            quiet=quiet,
            all_pushes=measure_lateness(pushes),
            lateness_by_stage=measure_stages(quiet_pushes),
            latest=sorted(quiet_pushes, key=lambda push: -push.seconds_late)[:_LATEST_LISTED],
            processes=processes,
            history=history,
            largest_history=(
                max((reading.largest_events for reading in histories), default=0),
                max((reading.largest_bytes for reading in histories), default=0),
            ),
            rises=rises,
            reasons=reasons,
        )

    def _select_steady(self, pushes: Iterable[TimedPush]) -> list[TimedPush]:
        """Those that became due in the steady time."""
        assert self._steady_at
        begin_at, end_at = self._steady_at
        return [push for push in pushes if begin_at <= push.due_at <= end_at]
