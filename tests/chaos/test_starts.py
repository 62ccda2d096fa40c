"""Behind thousands of starts everything that lives is shown, changed and ended within seconds, campaigns included."""

import asyncio
import os
import secrets
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from starter.cli import start_files
from starter.cli.doctor.health import PartHealth
from starter.cli.doctor.temporal import worker
from starter.queries import commands, lookup
from tests.chaos.conftest import Note
from tests.faults import campaigning
from tests.faults.campaigning import Watch, begin, crowd
from tests.faults.population import PATIENT, colleague
from tests.faults.town import WORKER, Conditions, Town, ids, start_town
from workflows.kinds import Kind
from workflows.model.commands import AnyCommand, Cancellation, Extension

pytestmark = [pytest.mark.real_server, pytest.mark.timeout(1200)]
STARTS = int(os.environ.get("CHAOS_STARTS", "3000"))
MEMBERS = 20
ANSWERED = 15.0
STARTS_AT_ONCE = 20
LATER = (datetime.now(UTC) + timedelta(days=60)).date()


async def test_behind_three_thousand_starts_whatever_lives_answers_within_seconds(tmp_path: Path, note: Note) -> None:
    """One campaign was begun before them and one behind them, whose members and their ends came after all others."""
    conditions = Conditions(own_programs={"COUNTERSIGN_SIGNATURE_MAX_RPS": "5"})
    took: dict[str, float] = {}
    async with start_town(tmp_path / "data", conditions) as town:
        crowd(town, MEMBERS)
        watch, earlier_names = Watch(town), list(ids("old", MEMBERS))
        await begin(town, "before")
        await watch.until_told("before", MEMBERS)
        for number, name in enumerate(earlier_names):
            await town.ask(name, colleague(number), policy=PATIENT)
        for name in earlier_names:
            await town.until_shown(name, lambda view: view.notifications, timeout_seconds=120)
        crowd_names = list(ids("crowd", STARTS))
        await town.end(WORKER)
        started_at = time.monotonic()
        await start(town, crowd_names)
        await begin(town, "behind")
        note(f"{STARTS:,} starts in {time.monotonic() - started_at:.0f} s, all of which wait")
        await town.start(WORKER)
        took["first task of a campaign behind them"] = await measure_answer(
            lambda: campaigning.read_view(town, "behind")
        )
        part = await worker(town.context.client)
        note(f"doctor: {part.state}, {part.says}")
        waiting_names = (crowd_names[-1], crowd_names[STARTS // 2], earlier_names[1], crowd_names[-2])
        for request_name in (f"before.{next(iter(ids('one-of-all', 1)))}", earlier_names[0], *waiting_names):
            request = partial(use_command, town, Kind.REQUEST, request_name)
            took[f"extend {request_name}"] = await measure_answer(partial(request, Extension(actor="ops", due=LATER)))
            took[f"show {request_name}"] = await measure_answer(request)
            took[f"cancel {request_name}"] = await measure_answer(partial(request, make_cancellation()))
        took[f"show {crowd_names[-3]}"] = await measure_answer(
            partial(use_command, town, Kind.REQUEST, crowd_names[-3])
        )
        for request_name in ("before", "behind"):
            campaign = partial(use_command, town, Kind.CAMPAIGN, request_name)
            took[f"show campaign {request_name}"] = await measure_answer(campaign)
            took[f"cancel campaign {request_name}"] = await measure_answer(partial(campaign, make_cancellation()))
        part = await worker(town.context.client)
        note(f"doctor at the end: {part.state}, {part.says}")
    for name, seconds in took.items():
        note(f"behind {STARTS:,} starts: {name}: {seconds:.1f} s")
    assert part.state is not PartHealth.WRONG
    assert not {name: seconds for name, seconds in took.items() if seconds > ANSWERED}


def make_cancellation() -> Cancellation:
    return Cancellation(actor="ops", reason="no longer needed")


async def start(town: Town, names: list[str]) -> None:
    room = asyncio.Semaphore(STARTS_AT_ONCE)

    async def start_one(number: int, name: str) -> None:
        async with room:
            await start_files.start(town.context, await town.prepared(name, colleague(number), policy=PATIENT))

    await asyncio.gather(*(start_one(number, name) for number, name in enumerate(names)))


async def measure_answer(ask: Callable[[], Awaitable[Any]]) -> float:
    """Seconds until it was."""
    began = time.monotonic()
    try:
        async with asyncio.timeout(200):
            await ask()
    except TimeoutError:
        return 200
    return time.monotonic() - began


async def use_command(town: Town, kind: Kind, id: str, command: AnyCommand | None = None) -> None:
    """Show it, or send it a command, as the command does."""
    if command is None:
        await lookup.show_of(kind, town.context, id)
    else:
        await commands.send(
            town.context.client, id, command, secrets.token_hex(4), kind=kind, time_limit=timedelta(minutes=3)
        )
