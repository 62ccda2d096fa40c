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

from starter.cli import start_files as requests
from starter.cli.doctor.health import PartHealth
from starter.cli.doctor.temporal import worker
from starter.queries import commands as wishes
from starter.queries import lookup
from tests.chaos.conftest import Note
from tests.faults import campaigning
from tests.faults.campaigning import Watch, begin, crowd
from tests.faults.population import PATIENT, colleague
from tests.faults.town import WORKER, Conditions, Town, ids, town
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
    conditions = Conditions(ours={"COUNTERSIGN_SIGNATURE_MAX_RPS": "5"})
    took: dict[str, float] = {}
    async with town(tmp_path / "data", conditions) as it:
        crowd(it, MEMBERS)
        watch, old = Watch(it), list(ids("old", MEMBERS))
        await begin(it, "before")
        await watch.until_told("before", MEMBERS)
        for number, name in enumerate(old):
            await it.ask(name, colleague(number), policy=PATIENT)
        for name in old:
            await it.until_shown(name, lambda shown: shown.notifications, within=120)
        others = list(ids("crowd", STARTS))
        await it.end(WORKER)
        begun = time.monotonic()
        await start(it, others)
        await begin(it, "behind")
        note(f"{STARTS:,} starts in {time.monotonic() - begun:.0f} s, all of which wait")
        await it.start(WORKER)
        took["first task of a campaign behind them"] = await answered(lambda: campaigning.shown(it, "behind"))
        part = await worker(it.context.client)
        note(f"doctor: {part.state}, {part.says}")
        some = (others[-1], others[STARTS // 2], old[1], others[-2])
        for one in (f"before.{next(iter(ids('one-of-all', 1)))}", old[0], *some):
            request = partial(asked, it, Kind.REQUEST, one)
            took[f"extend {one}"] = await answered(partial(request, Extension(actor="ops", due=LATER)))
            took[f"show {one}"] = await answered(request)
            took[f"cancel {one}"] = await answered(partial(request, gone()))
        took[f"show {others[-3]}"] = await answered(partial(asked, it, Kind.REQUEST, others[-3]))
        for one in ("before", "behind"):
            campaign = partial(asked, it, Kind.CAMPAIGN, one)
            took[f"show campaign {one}"] = await answered(campaign)
            took[f"cancel campaign {one}"] = await answered(partial(campaign, gone()))
        part = await worker(it.context.client)
        note(f"doctor at the end: {part.state}, {part.says}")
    for name, seconds in took.items():
        note(f"behind {STARTS:,} starts: {name}: {seconds:.1f} s")
    assert part.state is not PartHealth.WRONG
    assert not {name: seconds for name, seconds in took.items() if seconds > ANSWERED}


def gone() -> Cancellation:
    return Cancellation(actor="ops", reason="no longer needed")


async def start(it: Town, names: list[str]) -> None:
    room = asyncio.Semaphore(STARTS_AT_ONCE)

    async def one(number: int, name: str) -> None:
        async with room:
            await requests.start(it.context, await it.prepared(name, colleague(number), policy=PATIENT))

    await asyncio.gather(*(one(number, name) for number, name in enumerate(names)))


async def answered(ask: Callable[[], Awaitable[Any]]) -> float:
    """Seconds until it was."""
    began = time.monotonic()
    try:
        async with asyncio.timeout(200):
            await ask()
    except TimeoutError:
        return 200
    return time.monotonic() - began


async def asked(it: Town, what: Kind, id: str, wish: AnyCommand | None = None) -> None:
    """Show it, or send it a wish, as the command does."""
    if wish is None:
        await lookup.show_of(what, it.context, id)
    else:
        await wishes.send(it.context.client, id, wish, secrets.token_hex(4), kind=what, within=timedelta(minutes=3))
