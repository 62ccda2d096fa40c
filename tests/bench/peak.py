"""`make bench BENCH=peak [WAITING=10000]`: so many reminders due at one instant, and urgent requests meanwhile.

The real processes at ten calls of Core Signature a second. The hours of the policy begin some minutes after the last
request was started: then the first reminder of each is due, delayed by its jitter of at most a quarter of an hour.
Beside the last reminder stands what the rate and the jitter allow, beside the urgent requests some that are started
before the peak. People live where a working day has hours left; on a weekend there is no such zone.
"""

import asyncio
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from rich.text import Text

from activities.schedule.turn import MOST_JITTER
from tests.bench.history import NotAsAsked
from tests.bench.urgent import start_crowd, time_urgent_request
from tests.faults.population import PATIENT, Policy
from tests.faults.town import WORKER, Conditions, Town, ids, start_town
from tests.faults.vendor import PROVIDER, Entry, instant
from tests.soak.lateness import percentile

NAME: Final = "peak"
WAITING: Final = 10_000
RATE: Final = 10.0
"""Calls of Core Signature a second."""
AIM: Final = 1.1
AIM_URGENT_SECONDS: Final = 2.0
"""More than without a peak, 95 in 100."""
_URGENT, _URGENT_BEFORE = 100, 20
_STARTED_PER_SECOND: Final = 8.0
"""So many at least, also on a slow machine."""
_MARGIN: Final = timedelta(minutes=4)
_ZONES: Final = tuple(map(ZoneInfo, ("Europe/Amsterdam", "America/Los_Angeles", "Asia/Tokyo")))
"""Of the people of the stack, the first one that has hours left."""
_HOURS_END: Final = "23:59"
_GLANCE: Final = 2.0
_LOST_AFTER: Final = timedelta(hours=1)


@dataclass(frozen=True)
class PeakFigures:
    """Seconds from the instant to the last of `waiting` reminders, and from start to push of urgent requests."""

    waiting: int
    last_reminder: float
    allowed: float
    urgent_p95: float
    urgent_p95_before: float

    @property
    def ratio(self) -> float:
        return self.last_reminder / self.allowed

    @property
    def is_met(self) -> bool:
        return self.ratio <= AIM and self.urgent_p95 - self.urgent_p95_before <= AIM_URGENT_SECONDS

    def as_json(self) -> dict[str, dict[str, float]]:
        """The shape of BENCH_JSON."""
        return {
            f"{NAME}.last_reminder_s": {
                "ours": round(self.last_reminder, 1),
                "floor": round(self.allowed, 1),
                "ratio": round(self.ratio, 2),
            },
            f"{NAME}.urgent_p95_s": {
                "ours": round(self.urgent_p95, 2),
                "floor": round(self.urgent_p95_before, 2),
                "ratio": round(self.urgent_p95 / self.urgent_p95_before, 2),
            },
        }

    def in_words(self) -> Text:
        """Two lines, green when both aims were met."""
        reminders = (
            f"{self.waiting:,} reminders due at once: the last after {self.last_reminder:,.0f} s,"
            f" the rate and the jitter allow {self.allowed:,.0f}: {self.ratio:.2f} × (aim ≤ {AIM:g} ×)"
        )
        urgent = (
            f"{_URGENT} urgent requests meanwhile: start to push p95 {self.urgent_p95:.1f} s, before"
            f" {self.urgent_p95_before:.1f} s (aim: at most {AIM_URGENT_SECONDS:g} s more)"
        )
        return Text(f"{reminders}\n{urgent}", "green" if self.is_met else "red")


async def measure(waiting: int = WAITING) -> PeakFigures:
    """Start so many, wait for the instant, and time what happens."""
    zone = _choose_zone(waiting)
    conditions = Conditions(own_programs={"COUNTERSIGN_NOTICES_MOST": "0"}, zone=zone.key)
    with tempfile.TemporaryDirectory() as folder:
        async with start_town(Path(folder) / "data", conditions) as full_stack:
            due_at = _choose_instant(waiting)
            await start_crowd(full_stack, ids("crowd", waiting), _make_policy(due_at.astimezone(zone)))
            await _Pushes(full_stack).wait_for("ready", waiting, due_at)
            await _limit_rate(full_stack)
            before = [await time_urgent_request(full_stack, name) for name in ids("before", _URGENT_BEFORE)]
            last_entry = await full_stack.vendor.last()
            remaining_seconds = (due_at - datetime.now(UTC)).total_seconds()
            if remaining_seconds < 0:
                raise NotAsAsked("the requests were not started in time: run it with fewer, or on a quiet machine")
            await asyncio.sleep(remaining_seconds)
            return await _measure_peak(full_stack, waiting, due_at, last_entry, before)


async def _measure_peak(
    full_stack: Town, waiting: int, due_at: datetime, last_entry: int, urgent_before: Sequence[float]
) -> PeakFigures:
    """`last_entry` was read before the instant: a reminder without jitter is sent within some milliseconds of it."""
    expected_seconds = max(waiting / RATE, MOST_JITTER.total_seconds())
    urgent_requests = asyncio.create_task(_time_urgent_requests(full_stack, expected_seconds / _URGENT))
    pushes = await _Pushes(full_stack, last_entry).wait_for("reminder-1", waiting, due_at + _LOST_AFTER)
    last_push = max(map(instant, pushes))
    entries = await full_stack.vendor.ledger("request", last_entry)
    calls = [entry for entry in entries if due_at <= instant(entry) <= last_push]
    call_count = sum(call["path"].startswith(PROVIDER) for call in calls)
    return PeakFigures(
        waiting=waiting,
        last_reminder=(last_push - due_at).total_seconds(),
        allowed=max(call_count / RATE, MOST_JITTER.total_seconds()),
        urgent_p95=percentile(sorted(await urgent_requests), 0.95),
        urgent_p95_before=percentile(sorted(urgent_before), 0.95),
    )


def _choose_instant(waiting: int) -> datetime:
    """A full minute when all are started, for sure."""
    instant_due = datetime.now(UTC) + timedelta(seconds=waiting / _STARTED_PER_SECOND) + _MARGIN
    return instant_due.replace(second=0, microsecond=0)


def _choose_zone(waiting: int) -> ZoneInfo:
    """Where reminders that are due then are sent the same working day."""
    now, due_at = datetime.now(UTC), _choose_instant(waiting)
    for zone in _ZONES:
        due_day, last_day = due_at.astimezone(zone), (due_at + _LOST_AFTER).astimezone(zone)
        if now.astimezone(zone).date() == due_day.date() == last_day.date() and due_day.weekday() < 5:
            return zone
    raise NotAsAsked(f"reminders due at {due_at:%a %H:%M} UTC are sent the same day nowhere: run it on a workday")


def _make_policy(local_due: datetime) -> Policy:
    hours = f"{local_due:%H:%M}-{_HOURS_END}"
    return {**PATIENT, "hours": hours, "reminders": {"first": "1m", "every": "3d", "most": 1}}


async def _limit_rate(full_stack: Town) -> None:
    """Give the worker the rate of the peak, after all requests were made as fast as it can."""
    conditions = full_stack.conditions
    limited = {**conditions.own_programs, "COUNTERSIGN_SIGNATURE_MAX_RPS": f"{RATE:g}"}
    full_stack.conditions = replace(conditions, own_programs=limited)
    await full_stack.end(WORKER)
    await full_stack.start(WORKER)


async def _time_urgent_requests(full_stack: Town, apart_seconds: float) -> list[float]:
    began, seconds = time.monotonic(), list[float]()
    for number, name in enumerate(ids("urgent", _URGENT)):
        await asyncio.sleep(max(0.0, began + number * apart_seconds - time.monotonic()))
        seconds.append(await time_urgent_request(full_stack, name))
    return seconds


@dataclass
class _Pushes:
    """The first push of each request of the crowd, read on from where the ledger was read last."""

    full_stack: Town
    last_entry: int = 0

    async def wait_for(self, stage: str, count: int, until: datetime) -> list[Entry]:
        """Once so many requests had a push of this stage."""
        pushes: dict[str, Entry] = {}
        while len(pushes) < count:
            if datetime.now(UTC) > until:
                raise NotAsAsked(f"only {len(pushes):,} of {count:,} had a push of stage {stage} by {until:%H:%M} UTC")
            await asyncio.sleep(_GLANCE)
            entries = await self.full_stack.vendor.ledger("push", self.last_entry)
            self.last_entry = int(entries[-1]["n"]) if entries else self.last_entry
            for entry in entries:
                if entry["data"]["stage"] == stage and entry["data"]["request"].startswith("crowd-"):
                    pushes.setdefault(entry["data"]["request"], entry)
        return list(pushes.values())
