"""What a soak came to, which growth and lateness is a violation, and the table that is printed of it."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Final

from tests.rehearsal.machines import WEB, WORKERS
from tests.rehearsal.rehearsal import Fate
from tests.soak.growth import Allowance, Growth, LifeReading, Reading, measure_growth, measure_lives, rise_per_unit
from tests.soak.lateness import FaultWindow, Lateness, TimedPush, measure_lateness
from tests.soak.samples import ProcessReading, Sample

MEMORY: Final = Allowance(share=0.10, constant=16)
"""In MB. A process with few caches to fill may have grown by so much from its second to its last quarter."""
DESCRIPTORS: Final = Allowance(share=0.10, constant=16)
"""Connections of pools come and go."""
HISTORY: Final = Allowance(share=0.10, constant=5)
"""In events of an open request."""
ROWS: Final = Allowance(share=0.25, constant=1)
"""Of a table, and files, for each request."""
LATE_AT_MOST: Final = 5.0
"""Seconds, of 99 in 100 pushes."""


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
    """What a run came to. `rises` has by table the rows of each request, in the first and second half."""

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
        yield f"{'rows for each request':<32}{'first half':>12}{'second half':>12}"
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
    """By table, and for the files of the store: how many more for each request, in the two halves of a run.

    A request counts half when it starts and half when it ends, as rows are written at both.
    """
    with_rows = [(sample.passed_requests, sample.rows) for sample in samples if sample.rows is not None]
    tables = {table for _, rows in with_rows for table in rows}
    counts: dict[str, list[tuple[float, float]]] = {
        table: [(requests, rows.get(table, 0)) for requests, rows in with_rows] for table in tables
    }
    with_files = [(sample.passed_requests, sample.files) for sample in samples]
    counts["(files of the store)"] = [(requests, files) for requests, files in with_files if files is not None]
    rises = {name: rise_per_unit(pairs) for name, pairs in counts.items()}
    return {name: rise for name, rise in rises.items() if rise}


def measure_stages(pushes: Sequence[TimedPush]) -> dict[str, Lateness]:
    """Of each stage, by its indented name."""
    stages = {stage: [push for push in pushes if push.stage == stage] for stage in sorted({p.stage for p in pushes})}
    lateness_by_stage = {f"  {stage}": measure_lateness(group) for stage, group in stages.items()}
    return {stage: lateness for stage, lateness in lateness_by_stage.items() if lateness}


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
    """Histories of open requests that got longer, and tables that got more for each request, in words."""
    if history and history.exceeds(HISTORY):
        yield f"histories grew from {history.second_quarter:.0f} to {history.last_quarter:.0f} events"
    for name, (first, second) in rises.items():
        if second > ROWS.limit(first):
            yield f"{name} got {first:.2f} for each request, then {second:.2f}"


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


def _render_process(process: ProcessGrowth) -> str:
    memory, descriptors = process.memory, process.descriptors
    if not memory or not descriptors:
        return f"{process.name:<14}{process.lives:>6}    each too short"
    return (
        f"{process.name:<14}{process.lives:>6}{memory.seconds:>9.0f}{memory.second_quarter:>9.0f}"
        f"{'→':>2}{memory.last_quarter:>7.0f}{descriptors.second_quarter:>7.0f} → {descriptors.last_quarter:.0f}"
        f"{'' if process.is_judged else '  (not judged)'}"
    )
