"""What is measured each ten seconds: memory and descriptors of each process, rows, files and sizes of histories."""

import asyncio
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from statistics import mean
from typing import Any, Final

import psycopg
from fsspec import AbstractFileSystem  # type: ignore[import-untyped]
from temporalio.service import RPCError

from activities.records.schema import METADATA
from tests.object_stores import BUCKET
from tests.processor_time import list_descendants
from tests.rehearsal.machines import POSTGRESQL, S3_SERVER, Installation
from workflows.kinds import Kind

EVERY: Final = 10.0
"""Seconds between two samples."""
FILES_EVERY: Final = 6
"""So many samples come to one list of the store, which takes long."""
_HISTORIES_OF_THE_OLDEST, _HISTORIES_OF_OTHERS = 5, 5
_MEASURED_WITHIN: Final = 30.0
_CONNECTS_WITHIN: Final = 5


@dataclass(frozen=True)
class ProcessReading:
    """A process and those below it: resident memory without what they share, and open descriptors."""

    pid: int
    memory_mb: float
    descriptors: int


@dataclass(frozen=True)
class HistoryReading:
    """Of some open requests."""

    largest_events: int
    mean_events: float
    largest_bytes: int
    mean_bytes: float


@dataclass(frozen=True)
class Sample:
    """What a sample has found; None where a dead part gave no answer, or where it was not asked."""

    seconds: float
    phase: str
    started: int
    ended: int
    open_requests: int
    running: int | None
    """Open workflows of the server."""
    processes: Mapping[str, ProcessReading]
    rows: Mapping[str, int] | None
    files: int | None
    histories: HistoryReading | None

    @property
    def passed_requests(self) -> float:
        """Requests, each of which counts half when it starts and half when it ends."""
        return (self.started + self.ended) / 2


@dataclass
class Progress:
    """A file with a JSON document in each line, whose `type` says what it has."""

    path: Path
    samples: list[Sample] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text("")

    def add_sample(self, sample: Sample) -> None:
        """Keep it, and write it."""
        self.samples.append(sample)
        self.write("sample", asdict(sample))

    def write(self, line_type: str, facts: Mapping[str, Any]) -> None:
        """Append a line."""
        with self.path.open("a") as file:
            file.write(json.dumps({"type": line_type, **facts}, default=str) + "\n")


@dataclass
class Instruments:
    """Measure an installation."""

    installed: Installation
    dice: random.Random
    _count: int = 0

    def read_processes(self) -> dict[str, ProcessReading]:
        """Those that live, by the name of their part."""
        readings = {name: read_process(pid) for name, pid in self._process_ids()}
        return {name: reading for name, reading in readings.items() if reading}

    async def read_rows(self) -> dict[str, int] | None:
        """The number of rows of each table."""
        with suppress(psycopg.Error, TimeoutError):
            return await asyncio.wait_for(
                asyncio.to_thread(_count_rows, self.installed.settings.database_url), _MEASURED_WITHIN
            )
        return None

    async def read_files(self) -> int | None:
        """The number of files in the store, in every sixth sample."""
        self._count += 1
        if self._count % FILES_EVERY != 1:
            return None
        with suppress(Exception):  # of several libraries
            return await asyncio.wait_for(asyncio.to_thread(self._count_files), _MEASURED_WITHIN)
        return None

    async def read_running(self) -> int | None:
        """The number of open workflows."""
        with suppress(RPCError, TimeoutError):
            async with asyncio.timeout(_MEASURED_WITHIN):
                return (await self.installed.context.client.count_workflows("ExecutionStatus = 'Running'")).count
        return None

    async def read_histories(self, open_requests: Sequence[str]) -> HistoryReading | None:
        """Of the oldest ones and of some others."""
        oldest, others = open_requests[:_HISTORIES_OF_THE_OLDEST], open_requests[_HISTORIES_OF_THE_OLDEST:]
        sampled = [*oldest, *self.dice.sample(others, min(len(others), _HISTORIES_OF_OTHERS))]
        if not sampled:
            return None
        with suppress(RPCError, TimeoutError):
            async with asyncio.timeout(_MEASURED_WITHIN):
                sizes = await asyncio.gather(*map(self._read_history, sampled))
            events, byte_counts = zip(*sizes, strict=True)
            return HistoryReading(max(events), mean(events), max(byte_counts), mean(byte_counts))
        return None

    async def _read_history(self, id: str) -> tuple[int, int]:
        handle = self.installed.context.client.get_workflow_handle(Kind.REQUEST.workflow_id(id))
        info = (await handle.describe()).raw_description.workflow_execution_info
        return info.history_length, info.history_size_bytes

    @cached_property
    def _files(self) -> AbstractFileSystem:
        # One for the whole run: its end closes connections by an event loop of its own.
        return self.installed.bucket.files()

    def _process_ids(self) -> Iterator[tuple[str, int]]:
        yield from ((name, running.pid) for name, running in sorted(self.installed.running.items()))
        for name, pid in ((POSTGRESQL, self.installed.database.pid), (S3_SERVER, self.installed.bucket.pid)):
            if pid is not None:
                yield name, pid

    def _count_files(self) -> int:
        return len(self._files.find(BUCKET))


def read_process(pid: int) -> ProcessReading | None:
    """None once it is gone."""
    readings = [reading for reading in map(_read_status, [pid, *list_descendants(pid)]) if reading]
    if not readings:
        return None
    return ProcessReading(pid, round(sum(memory for memory, _ in readings), 1), sum(count for _, count in readings))


def _read_status(pid: int) -> tuple[float, int] | None:
    process = Path(f"/proc/{pid}")
    with suppress(OSError):
        lines = (line.partition(":") for line in (process / "status").read_text().splitlines())
        kilobytes = {name: int(text.split()[0]) for name, _, text in lines if name in ("VmRSS", "RssShmem")}
        if kilobytes:  # a zombie has none
            return (kilobytes["VmRSS"] - kilobytes["RssShmem"]) / 1024, len([*(process / "fd").iterdir()])
    return None


def _count_rows(url: str) -> dict[str, int]:
    counts = " UNION ALL ".join(f"SELECT '{name}', count(*) FROM {name}" for name in sorted(METADATA.tables))  # noqa: S608
    with psycopg.connect(url, connect_timeout=_CONNECTS_WITHIN, autocommit=True) as connection:
        return {name: count for name, count in connection.execute(counts.encode()).fetchall() if count}
