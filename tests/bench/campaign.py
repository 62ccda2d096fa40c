"""`make bench BENCH=campaign [N=10000] [ENGINE=PostgreSQL]`: one campaign of N people, beside the same requests started
raw.

The real processes on a Temporal server with a file: as `countersign dev` starts them on SQLite, and on PostgreSQL two
workers, two web processes and an S3 server. Each part has a stack of its own: the same requests started raw, the least
workflow that waits, the campaign from its start to its record. What was measured of one N is kept until all of it is,
so that a run that was broken off goes on behind it.
"""

import asyncio
import json
import os
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Final, NamedTuple

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text
from temporalio.api.enums.v1 import EventType

from activities.campaign.batch import request_of
from activities.records.audiences import Member, MemberRow
from activities.temporal import executions as runs
from starter.boot import processes as modules
from starter.cli import start_files
from starter.cli.campaign import FORMS
from tests.bench import campaign_floor, memory, processor_time
from tests.bench.engine import Engine
from tests.bench.history import NotAsAsked
from tests.bench.table import surroundings
from tests.faults import campaigning
from tests.faults.campaigning import Watch, crowd, prepare_campaign_file
from tests.faults.population import PATIENT, colleague
from tests.faults.town import TEMPORAL, WORKER, Town, connect, ids, start_town
from tests.faults.vendor import PROVIDER
from tests.rehearsal.machines import WEB, WORKERS, Installation, installation
from tests.soak.lateness import percentile
from workflows import names
from workflows.campaign.state import CampaignInput
from workflows.kinds import Kind

NAME: Final = "campaign"
PEOPLE: Final = 300
CROWD: Final = 10_000
"""People of the campaign of the docs."""
CACHED: Final = 1_000
"""Workflows that a worker keeps in its memory, which the memory of more is shared out to."""
_ID: Final = "conduct"
_WARM: Final = 10
"""People of a campaign before it: first uses are paid for, and a parent's events without a crowd are known."""
_GLANCE: Final = 0.5
_GLANCE_AT_COMMAND: Final = 0.02
_TOLD_WITHIN: Final = 300.0
_URGENT_AT_MOST: Final = 40
_SAMPLED: Final = 200
"""Members whose histories are read."""
_URGENT = {**PATIENT, "urgent": True}


class Aim(NamedTuple):
    """How much it may be, or must be; of the ratio to the floor where there is one."""

    bound: float
    at_least: bool = False
    of_people: int = 0
    """From so many people on: what is fixed weighs on few."""

    def is_met_by(self, figure: float) -> bool:
        """Whether a figure is as it should be."""
        return figure >= self.bound if self.at_least else figure <= self.bound


AIMS: Final[Mapping[str, Aim]] = {
    "rate": Aim(0.95, at_least=True),
    "calls_per_person": Aim(3.2),
    "parent_events_per_person": Aim(0.05, of_people=1_000),
    "max_history": Aim(4_096),
    "urgent_p95_s": Aim(10),
    "urgent_schedule_to_start_p99_ms": Aim(200),
    "open_worker_kb": Aim(1.2),
    "open_server_kb": Aim(1.5),
    "show_s": Aim(2),
    "report.csv_mb": Aim(500),
    "report.json_mb": Aim(500),
    "report.html_mb": Aim(500),
    "settle_s": Aim(60),
}
COMPARED: Final = ("rate", "open_worker_kb", "open_server_kb")
"""Those whose aims are of the ratio to the floor."""
PartFigures = dict[str, float]
"""What one part came to, by the names of the figures."""
Say = Callable[[str, int, int], None]
"""That of a part so many of so many are done."""
Part = Callable[[int, Say, Engine], Awaitable[PartFigures]]


@dataclass(frozen=True)
class Measured:
    """All figures of one N; those that the floor has as well stand beside it."""

    people: int
    engine: Engine
    product: PartFigures
    floor: PartFigures

    def as_json(self) -> dict[str, dict[str, float]]:
        """The shape of BENCH_JSON."""
        figures: dict[str, dict[str, float]] = {}
        for name, value in self.product.items():
            figures[name] = {"ours": round(value, 4), "people": self.people}
            if name in self.floor:
                floor_value = self.floor[name]
                figures[name] |= {
                    "floor": round(floor_value, 4),
                    "ratio": round(value / floor_value, 3) if floor_value else 0.0,
                }
        return {f"{NAME}.{name}": figure for name, figure in figures.items()}

    def in_words(self) -> Text:
        """A line a figure, green or red where it has an aim."""
        lines = Text(f"{self.people:,} people, {self.engine}\n")
        for name, figure in self.as_json().items():
            aim, ratio = AIMS.get(name.partition(".")[2]), figure.get("ratio")
            aim = aim if aim and self.people >= aim.of_people else None
            comparison = f" beside {figure['floor']:,.5g}, {ratio:.2f} ×" if ratio is not None else ""
            aim_text = (
                f" (aim {'≥' if aim.at_least else '≤'} {aim.bound:,g}{' ×' if comparison else ''})" if aim else ""
            )
            is_met = aim is None or aim.is_met_by(figure["ours"] if ratio is None else ratio)
            colour = "green" if aim and is_met else "" if is_met else "red"
            lines.append(f"{name}: {figure['ours']:,.5g}{comparison}{aim_text}\n", style=colour)
        return lines.append(surroundings().replace("in memory", "on a file"), style="dim")


async def measure(
    people: int = PEOPLE,
    engine: Engine = Engine.SQLITE,
    keep: Path | None = None,
    parts: Mapping[str, Part] | None = None,
) -> Measured:
    """Measure part by part, with a bar for each; what was kept of a run that was broken off is not measured again."""
    folder = keep or Path(tempfile.gettempdir()) / f"countersign-bench-campaign-{os.getuid()}"
    kept_file = folder / f"{people}-{engine}.json"
    figures_by_part: dict[str, PartFigures] = json.loads(kept_file.read_text()) if kept_file.exists() else {}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn()) as progress:
        for name, part in (parts or _PARTS).items():
            if name not in figures_by_part:
                bars = _Bars(progress)
                figures_by_part[name] = await part(people, bars.say, engine)
                folder.mkdir(parents=True, exist_ok=True)
                kept_file.write_text(json.dumps(figures_by_part))
    kept_file.unlink(missing_ok=True)
    return Measured(people, engine, figures_by_part["campaign"], {**figures_by_part["raw"], **figures_by_part["least"]})


class _Bars:
    """A bar for each thing that is waited for."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._bars: dict[str, int] = {}

    def say(self, phase: str, done_count: int, total: int) -> None:
        """Move the bar of something."""
        if phase not in self._bars:
            self._bars[phase] = self._progress.add_task(phase, total=total)
        self._progress.update(self._bars[phase], completed=done_count)  # type: ignore[arg-type]


@asynccontextmanager
async def _company(people: int, engine: Engine) -> AsyncIterator[tuple[Town, list[str]]]:
    """A fresh stack, and everybody in its people file before anybody has read it."""
    with tempfile.TemporaryDirectory() as folder:
        async with AsyncExitStack() as closing:
            full_stack: Town
            if engine is Engine.SQLITE:
                full_stack = await closing.enter_async_context(start_town(Path(folder) / "data"))
            else:
                full_stack = await closing.enter_async_context(installation(Path(folder) / "data"))
            crowd(full_stack, _WARM, "warm", "warm")
            everybody = crowd(full_stack, people)
            if isinstance(full_stack, Installation):
                full_stack.furnish()
                await full_stack.start_patiently(*WORKERS, *WEB)
            await campaigning.begin(full_stack, "warm", {"group": "warm"})
            await Watch(full_stack).until_told("warm", _WARM)
            yield full_stack, everybody


def _worker_ids(full_stack: Town) -> list[int]:
    return [running.pid for name, running in full_stack.running.items() if name.startswith(WORKER)]


# --- the campaign


async def campaign(people: int, say: Say, engine: Engine) -> PartFigures:
    """From its start to its record."""
    async with _company(people, engine) as (full_stack, everybody):
        ready, fixed = await prepare_campaign_file(full_stack, _ID), sum(await _count_events(full_stack, "warm"))
        weight_before, began = Weight.measure(full_stack, _worker_ids(full_stack)), datetime.now(UTC)
        mark = await full_stack.vendor.last()
        await start_files.start(full_stack.context, ready)
        figures = await _measure_notification(full_stack, people, began, partial(say, "told"))
        request_count = people + figures["urgent_requests"]
        figures["calls_per_person"] = await _count_calls(full_stack, mark) / request_count
        events = sum(await _count_events(full_stack, _ID))
        figures |= {"parent_events_fixed": fixed, "parent_events_per_person": events / people}
        figures |= Weight.measure(full_stack, _worker_ids(full_stack)).growth_since(weight_before, people)
        figures |= await _measure_schedule_to_start(full_stack, everybody, int(figures["urgent_requests"]))
        figures["reminded_per_second"] = await _measure_reminding(full_stack, people, partial(say, "reminded"))
        figures["show_s"], figures["show_mb"] = await _measure_command(full_stack, "campaign", "show", _ID)
        figures |= await _measure_settling(full_stack, everybody, say)
        figures["max_history"] = max(await _count_events(full_stack, _ID))
        for form in FORMS:
            report = str(full_stack.folder.path / f"report{form}")
            seconds, megabytes = await _measure_command(full_stack, "campaign", "report", _ID, "-o", report)
            figures |= {f"report{form}_s": seconds, f"report{form}_mb": megabytes}
    return figures


async def _measure_notification(
    full_stack: Town, people: int, began: datetime, say: Callable[[int, int], None]
) -> PartFigures:
    """People a second until everybody is told, and how soon urgent requests are meanwhile."""
    watch, is_over, spent = Watch(full_stack), asyncio.Event(), processor_time.spent_ms()
    urgent = asyncio.create_task(_time_urgent_requests(full_stack, watch, is_over, pause=max(2.0, people / 500)))
    try:
        while (told_count := len(await watch.read_first_pushes(_ID))) < people:
            say(told_count, people)
            await asyncio.sleep(_GLANCE)
        say(told_count, people)
    finally:
        is_over.set()
        seconds = sorted(await urgent)
    last = max((await watch.read_first_pushes(_ID)).values())
    return {
        "cpu_ms_per_person": (processor_time.spent_ms() - spent) / people,
        "rate": people / (last - began).total_seconds(),
        "urgent_p95_s": percentile(seconds, 0.95),
        "urgent_requests": len(seconds),
    }


async def _measure_schedule_to_start(full_stack: Town, everybody: Sequence[str], urgent_count: int) -> PartFigures:
    """How long tasks of urgent requests, and of some members', waited for a worker: of 99 in 100 at most so long."""
    urgent_waits = [await _read_task_waits(full_stack, id) for id in ids("urgent", urgent_count)]
    sampled = everybody[:: max(1, len(everybody) // _SAMPLED)]
    member_waits = [await _read_task_waits(full_stack, f"{_ID}.{person}") for person in sampled]
    return {
        "urgent_schedule_to_start_p99_ms": 1_000 * percentile(sorted(chain(*urgent_waits)), 0.99),
        "schedule_to_start_p99_ms": 1_000 * percentile(sorted(chain(*member_waits)), 0.99),
    }


async def _read_task_waits(full_stack: Town, id: str) -> list[float]:
    """The seconds that each task of a request's history was scheduled before its start."""
    scheduled_at: dict[int, datetime] = {}
    waits: list[float] = []
    async for event in full_stack.handle(id).fetch_history_events():
        happened_at = event.event_time.ToDatetime(UTC)
        match event.event_type:
            case EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED | EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED:
                scheduled_at[event.event_id] = happened_at
            case EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED:
                begin_at = scheduled_at[event.activity_task_started_event_attributes.scheduled_event_id]
                waits.append((happened_at - begin_at).total_seconds())
            case EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED:
                begin_at = scheduled_at[event.workflow_task_started_event_attributes.scheduled_event_id]
                waits.append((happened_at - begin_at).total_seconds())
    return waits


async def _measure_reminding(full_stack: Town, people: int, say: Callable[[int, int], None]) -> float:
    """People a second from `campaign remind` until everybody has the reminder."""
    last_entry, began, reminded = await full_stack.vendor.last(), time.monotonic(), set[str]()
    await _measure_command(full_stack, "campaign", "remind", _ID, "--force", "--as", campaigning.OWNER)
    while len(reminded) < people:
        entries = await full_stack.vendor.ledger("push", last_entry)
        last_entry = int(entries[-1]["n"]) if entries else last_entry
        reminded |= {entry["data"]["request"] for entry in entries if entry["data"]["request"].startswith(f"{_ID}.")}
        say(len(reminded), people)
        await asyncio.sleep(_GLANCE)
    return people / (time.monotonic() - began)


async def _count_calls(full_stack: Town, last_entry: int) -> int:
    """How often Core Signature was called."""
    return sum(entry["path"].startswith(PROVIDER) for entry in await full_stack.vendor.ledger("request", last_entry))


async def _time_urgent_requests(full_stack: Town, watch: Watch, is_over: asyncio.Event, pause: float) -> list[float]:
    """The seconds from start to push of urgent requests, one after the other until all are told."""
    seconds_to_push: list[float] = []
    while not is_over.is_set() and len(seconds_to_push) < _URGENT_AT_MOST:
        name = f"urgent-{len(seconds_to_push):03}"
        ready = await full_stack.prepared(name, colleague(len(seconds_to_push)), policy=_URGENT)
        started_at = datetime.now(UTC)
        await start_files.start(full_stack.context, ready)
        pushed = (await watch.until_told(name, timeout_seconds=_TOLD_WITHIN))[name]
        seconds_to_push.append((pushed - started_at).total_seconds())
        with suppress(TimeoutError):
            await asyncio.wait_for(is_over.wait(), pause)
    return seconds_to_push


async def _measure_settling(full_stack: Town, everybody: Sequence[str], say: Say) -> PartFigures:
    """Everybody signs, the window passes, and the record is made: how long the walk over everybody took."""
    signing = asyncio.create_task(campaigning.act(full_stack, _ID, everybody))
    query = f"{names.PARENT.name} = '{Kind.CAMPAIGN.workflow_id(_ID)}' AND {runs.OPEN}"
    began, people = time.monotonic(), len(everybody)
    glance = max(_GLANCE, people / 2_000)
    while not signing.done():
        say("signed", people - (await full_stack.context.client.count_workflows(query)).count, people)
        await asyncio.wait([signing], timeout=glance)
    await signing
    say("signed", people, people)
    seconds = time.monotonic() - began
    await campaigning.read_record(full_stack, _ID)
    looks, settle = (
        await _time_activities(full_stack, "check_audience"),
        await _time_activities(full_stack, "settle_audience"),
    )
    return {"signed_per_second": people / seconds, "look_s": max(looks), "settle_s": settle[-1]}


async def _time_activities(full_stack: Town, activity: str) -> list[float]:
    """The seconds that each activity of this name took."""
    scheduled_at: dict[int, datetime] = {}
    durations: list[float] = []
    async for event in campaigning.handle(full_stack, _ID).fetch_history_events():
        happened_at = event.event_time.ToDatetime(UTC)
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
            if event.activity_task_scheduled_event_attributes.activity_type.name == activity:
                scheduled_at[event.event_id] = happened_at
        elif event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
            scheduled = event.activity_task_completed_event_attributes.scheduled_event_id
            if scheduled in scheduled_at:
                durations.append((happened_at - scheduled_at[scheduled]).total_seconds())
    return durations


async def _count_events(full_stack: Town, id: str) -> list[int]:
    """The events of each run of a campaign, the last run first."""
    event_counts, run_id = [], ""
    client = full_stack.context.client
    while True:
        handle = client.get_workflow_handle(Kind.CAMPAIGN.workflow_id(id), run_id=run_id or None)
        events = [event async for event in handle.fetch_history_events()]
        event_counts.append(len(events))
        run_id = events[0].workflow_execution_started_event_attributes.continued_execution_run_id
        if not run_id:
            return event_counts


async def _measure_command(full_stack: Town, *arguments: str) -> tuple[float, float]:
    """The seconds and the megabytes at most of a word of the command, in a process of its own."""
    environment = {
        **modules.environment(),
        **full_stack.environment,
        "COUNTERSIGN_DATA_DIR": str(full_stack.folder.path),
    }

    def run() -> tuple[float, float]:
        began = time.monotonic()
        output_file = full_stack.folder.logs / "typed.log"
        with output_file.open("w") as log:
            command = modules.command("starter", *arguments)
            process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)  # noqa: S603  our own
            peak_mb = 0.0
            while process.poll() is None:
                peak_mb = max(peak_mb, memory.peak_mb(process.pid))
                time.sleep(_GLANCE_AT_COMMAND)
        if process.returncode:
            raise NotAsAsked(f"countersign {' '.join(arguments)}: {output_file.read_text()}")
        return time.monotonic() - began, peak_mb

    return await asyncio.to_thread(run)


class Weight(NamedTuple):
    """Kilobytes: of the server and of its workers in memory, and of the server's file."""

    server: float
    worker: float
    file: float

    @classmethod
    def measure(cls, full_stack: Town, workers: Iterable[int | None]) -> "Weight":
        """Of the server and of these workers now."""
        file = sum(file.stat().st_size for file in full_stack.folder.path.glob("temporal.db*")) / 1024
        return cls(memory.resident_kb(full_stack.running[TEMPORAL].pid), sum(map(memory.resident_kb, workers)), file)

    def growth_since(self, earlier: "Weight", waiting: int) -> PartFigures:
        """What each of those has added that wait now and did not before."""
        return {
            "open_server_kb": (self.server - earlier.server) / waiting,
            "open_worker_kb": (self.worker - earlier.worker) / min(waiting, CACHED),
            "open_file_kb": (self.file - earlier.file) / waiting,
        }


# --- what stands beside it


async def raw(people: int, say: Say, engine: Engine) -> PartFigures:
    """The same requests, started by an activity that looks at nothing, until everybody is told."""
    async with _company(people, engine) as (full_stack, everybody):
        ready = await prepare_campaign_file(full_stack, _ID)
        campaign_input: CampaignInput = await ready.store_input(full_stack.context.store)
        campaign = campaign_input.campaign
        members = [Member(MemberRow(number, person), campaign.due) for number, person in enumerate(everybody, start=1)]
        request_inputs = [
            request_of(campaign, campaign_input.fingerprint, member, None).workflow_input for member in members
        ]
        began = datetime.now(UTC)
        starting = asyncio.create_task(
            campaign_floor.start_raw(full_stack.context.client, request_inputs, campaign.workflow_id)
        )
        figures = await _measure_notification(full_stack, people, began, partial(say, "told, started raw"))
        await starting
    return {name: figures[name] for name in ("rate", "cpu_ms_per_person")}


async def least(people: int, say: Say, _: Engine) -> PartFigures:
    """What the least workflow weighs that has told somebody and waits for them."""
    with tempfile.TemporaryDirectory() as folder:
        async with AsyncExitStack() as closing:
            full_stack = await closing.enter_async_context(start_town(Path(folder) / "data", server=False))
            await full_stack.start(TEMPORAL)
            await connect(full_stack, closing)
            client = full_stack.context.client
            worker = await closing.enter_async_context(campaign_floor.waiting(client))
            await campaign_floor.have_wait(client, _WARM, "warm", lambda _: None)
            weight_before = Weight.measure(full_stack, [worker])
            await campaign_floor.have_wait(
                client, people, _ID, lambda waiting_count: say("least, waiting", waiting_count, people)
            )
            return Weight.measure(full_stack, [worker]).growth_since(weight_before, people)


_PARTS: Final[Mapping[str, Part]] = {"campaign": campaign, "raw": raw, "least": least}
