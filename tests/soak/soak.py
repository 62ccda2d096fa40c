"""The run: open requests at a steady rate, a part that dies each minute, samples, and what is judged at the end.

One worker and one web process are never killed: what grows slowly shows in these.
"""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from itertools import cycle
from typing import Final

from tests.faults.evidence import gather
from tests.faults.nemesis import arm_misfortunes
from tests.faults.oracle import judge
from tests.faults.population import colleague
from tests.faults.town import TEMPORAL
from tests.faults.vendor import Entry, Vendor
from tests.rehearsal.machines import WEB, WORKERS, Installation, Part
from tests.rehearsal.rehearsal import Fate, determine_fate
from tests.soak.growth import Allowance, Growth, LifeReading, Reading, measure_growth, measure_lives, rise_per_unit
from tests.soak.lateness import FaultWindow, Lateness, TimedPush, measure_lateness, select_quiet, time_pushes
from tests.soak.samples import EVERY, Instruments, ProcessReading, Progress, Sample
from tests.soak.turnover import PREFIX, Turnover
from workflows.kinds import Kind

MEMORY: Final = Allowance(share=0.10, constant=16)
"""In MB. A process with few caches to fill may have grown by so much from its second to its last quarter."""
DESCRIPTORS: Final = Allowance(share=0.10, constant=16)
"""Connections of pools come and go."""
HISTORY: Final = Allowance(share=0.10, constant=5)
"""In events of an open request."""
ROWS: Final = Allowance(share=0.25, constant=1)
"""Of a table, and files, for each request that has ended."""
LATE_AT_MOST: Final = 5.0
"""Seconds, of 99 in 100 pushes."""
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


@dataclass(frozen=True)
class ProcessGrowth:
    """The longest life of a process whose growth can be told; `is_judged` of our own that lived for half of the run."""

    name: str
    lives: int
    memory: Growth | None
    descriptors: Growth | None
    is_judged: bool


@dataclass(frozen=True)
class Outcome:
    """What a run came to. `rises` has by table the rows of each ended request, in the first and second half."""

    seconds: float
    fate: Fate
    left_out: int
    open_counts: tuple[int, int]
    windows: Sequence[FaultWindow]
    quiet: Lateness | None
    all_pushes: Lateness | None
    lateness_by_stage: Mapping[str, Lateness]
    latest: Sequence[TimedPush]
    """Of those outside 60 s after a fault."""
    processes: Sequence[ProcessGrowth]
    history: Growth | None
    largest_history: tuple[int, int]
    """Events and bytes."""
    rises: Mapping[str, tuple[float, float]]
    reasons: Sequence[str]

    def to_json(self) -> str:
        return json.dumps({"ok": not self.reasons, **asdict(self)}, indent=1, default=str)

    def to_table(self) -> str:
        return "\n".join([*self._lines(), "", *(f"  {reason}" for reason in self.reasons), self._verdict()])

    def _lines(self) -> Iterator[str]:
        fate, (least, most) = self.fate, self.open_counts
        yield f"requests: {fate.total} begun, {least} to {most} open, {fate.lost} lost, {fate.twice} twice"
        yield f"steps left out because too many waited: {self.left_out}"
        yield ""
        yield f"{'pushes':<28}{'count':>7}{'p50':>8}{'p99':>8}{'most':>8}  seconds late"
        stages = {"outside 60 s after a fault": self.quiet, "all": self.all_pushes, **self.lateness_by_stage}
        for name, lateness in stages.items():
            if lateness:
                yield f"{name:<28}{lateness.count:>7}{lateness.median:>8.2f}{lateness.p99:>8.2f}{lateness.most:>8.2f}"
        yield ""
        yield f"{'process':<14}{'lives':>6}{'seconds':>9}{'MB':>9}{'→':>2}{'':>7}{'descriptors':>14}"
        yield from (_render_process(process) for process in self.processes)
        yield ""
        yield f"{'rows for each ended request':<32}{'first half':>12}{'second half':>12}"
        for table, (first, second) in sorted(self.rises.items(), key=lambda rise: -rise[1][1]):
            if max(first, second) >= 0.05:
                yield f"  {table:<30}{first:>12.2f}{second:>12.2f}"
        if self.history:
            events, byte_count = self.largest_history
            mean = f"{self.history.second_quarter:.0f} → {self.history.last_quarter:.0f} events"
            yield f"history of open requests: {mean} on average, at most {events} events, {byte_count / 1024:.0f} KB"
        faults = Counter(window.part for window in self.windows)
        yield f"killed: {', '.join(f'{name} {count}' for name, count in faults.items()) or 'nothing'}"

    def _verdict(self) -> str:
        return f"{'NOT as it must be' if self.reasons else 'as it must be'}, {self.seconds:.0f} s"


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
            await asyncio.gather(sampling, return_exceptions=True)
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
            lateness_by_stage=_measure_stages(quiet_pushes),
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


def measure_processes(samples: Sequence[Sample]) -> list[ProcessGrowth]:
    """The longest life of each process in these samples."""
    seconds = samples[-1].seconds - samples[0].seconds if samples else 0.0
    names = sorted({name for sample in samples for name in sample.processes})
    return [_measure_process(name, samples, seconds) for name in names]


def measure_histories(samples: Iterable[Sample]) -> Growth | None:
    """Of the events that an open request has on average."""
    return measure_growth(
        [Reading(sample.seconds, sample.histories.mean_events) for sample in samples if sample.histories]
    )


def measure_rises(samples: Sequence[Sample]) -> dict[str, tuple[float, float]]:
    """By table, and for the files of the store: how many more for each ended request, in the two halves of a run."""
    with_rows = [(sample.ended, sample.rows) for sample in samples if sample.rows is not None]
    tables = {table for _, rows in with_rows for table in rows}
    counts: dict[str, list[tuple[float, float]]] = {
        table: [(ended, rows.get(table, 0)) for ended, rows in with_rows] for table in tables
    }
    counts["(files of the store)"] = [(sample.ended, sample.files) for sample in samples if sample.files is not None]
    rises = {name: rise_per_unit(pairs) for name, pairs in counts.items()}
    return {name: rise for name, rise in rises.items() if rise}


def find_process_growth(processes: Iterable[ProcessGrowth]) -> Iterator[str]:
    """What grew beyond its allowance, in words."""
    for process in processes:
        if not process.is_judged:
            continue
        for unit, growth, allowance in (
            ("MB", process.memory, MEMORY),
            ("descriptors", process.descriptors, DESCRIPTORS),
        ):
            if growth and growth.exceeds(allowance):
                yield (
                    f"{process.name} grew from {growth.second_quarter:.0f} to {growth.last_quarter:.0f} {unit}, "
                    f"at most {allowance.limit(growth.second_quarter):.0f} are allowed"
                )


def find_request_growth(history: Growth | None, rises: Mapping[str, tuple[float, float]]) -> Iterator[str]:
    """Histories of open requests that got longer, and tables that got more for each ended request, in words."""
    if history and history.exceeds(HISTORY):
        yield f"histories grew from {history.second_quarter:.0f} to {history.last_quarter:.0f} events"
    for name, (first, second) in rises.items():
        if second > ROWS.limit(first):
            yield f"{name} got {first:.2f} for each ended request, then {second:.2f}"


def find_lateness(quiet: Lateness | None) -> Iterator[str]:
    """What is wrong with the lateness outside of faults, in words."""
    if quiet is None:
        yield "no push was due outside the 60 s after a fault"
    elif quiet.p99 > LATE_AT_MOST:
        yield f"99 in 100 pushes are up to {quiet.p99:.1f} s late, {LATE_AT_MOST:.0f} s are allowed"


def _measure_process(name: str, samples: Sequence[Sample], seconds: float) -> ProcessGrowth:
    def lives_of(measure: Callable[[ProcessReading], float]) -> list[LifeReading]:
        readings = ((sample.seconds, sample.processes.get(name)) for sample in samples)
        return [LifeReading(reading.pid, Reading(at, measure(reading))) for at, reading in readings if reading]

    memories, counts = lives_of(lambda reading: reading.memory_mb), lives_of(lambda reading: reading.descriptors)
    memory = _select_longest(measure_lives(memories, 0))
    return ProcessGrowth(
        name,
        len({life_reading.pid for life_reading in memories}),
        memory,
        _select_longest(measure_lives(counts, 0)),
        name in (*WORKERS, *WEB) and memory is not None and memory.seconds >= seconds / 2,
    )


def _select_longest(lives: Iterable[Growth]) -> Growth | None:
    return max(lives, key=lambda growth: growth.seconds, default=None)


def _measure_stages(pushes: Sequence[TimedPush]) -> dict[str, Lateness]:
    stages = {stage: [push for push in pushes if push.stage == stage] for stage in sorted({p.stage for p in pushes})}
    lateness_by_stage = {f"  {stage}": measure_lateness(group) for stage, group in stages.items()}
    return {stage: lateness for stage, lateness in lateness_by_stage.items() if lateness}


def _render_process(process: ProcessGrowth) -> str:
    memory, descriptors = process.memory, process.descriptors
    if not memory or not descriptors:
        return f"{process.name:<14}{process.lives:>6}    each too short"
    return (
        f"{process.name:<14}{process.lives:>6}{memory.seconds:>9.0f}{memory.second_quarter:>9.0f}"
        f"{'→':>2}{memory.last_quarter:>7.0f}{descriptors.second_quarter:>7.0f} → {descriptors.last_quarter:.0f}"
        f"{'' if process.is_judged else '  (not judged)'}"
    )
