"""The pace of calls as the provider sees it, and many uploads at once."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from activities.records.processes import LEASE, ProcessRole
from starter.boot import processes as modules
from starter.cli.start_files import start
from starter.temporal import rates as pace
from tests.activities.core_signature.crowded_uploads import measure_in_own_process
from tests.chaos.conftest import Note
from tests.faults.evidence import gather
from tests.faults.nemesis import STARTERS, Load
from tests.faults.oracle import judge
from tests.faults.population import colleague
from tests.faults.town import WORKER, Conditions, Town, eventually, ids, start_town
from tests.faults.vendor import PROVIDER, instant
from workflows.model.subject import Status

pytestmark = [pytest.mark.real_server, pytest.mark.timeout(1800)]
RATE = 5
REQUESTS, MINUTES = 120, 10
A_TENTH = 0.11
"""Of what is left each time: three faults together are three of ten."""
HALF_A_MINUTE = timedelta(seconds=30)
STEP = timedelta(seconds=5)


@pytest.mark.parametrize("workers", [1, 2, 4])
async def test_workers_that_begin_together_with_work_waiting_keep_the_rate_in_every_five_seconds(
    tmp_path: Path, workers: int, note: Note
) -> None:
    """Before, two that began together made 7 calls a second of a setting of 5 for ten seconds, 14 in the first."""
    slow = Conditions(own_programs={"COUNTERSIGN_SIGNATURE_MAX_RPS": str(RATE)})
    async with start_town(tmp_path / "data", slow) as town:
        await town.kill(WORKER)
        await asyncio.sleep(LEASE.total_seconds())  # until nobody shares with the dead
        crowd = [await town.prepared(name, colleague(n)) for n, name in enumerate(ids("crowd", 90))]
        await asyncio.gather(*(start(town.context, member) for member in crowd))
        async with more_workers(town, workers):
            await eventually(lambda: all_asked(town, len(crowd)), timeout_seconds=200)
            calls = await read_calls(town)
    first, rate_shares = of_the_first_five(calls), in_windows(calls, timedelta(seconds=5), skipped=timedelta(seconds=5))
    note(
        f"pace, {workers} begin together: {first:.2f} of {RATE} calls a second in the first 5 s, "
        f"then {min(rate_shares):.2f} to {max(rate_shares):.2f} of it in each 5 s"
    )
    assert len(rate_shares) > 20
    assert min(rate_shares) >= 0.8
    assert max(rate_shares) <= 1.1


@pytest.mark.parametrize("workers", [1, 2])
async def test_in_every_half_minute_the_provider_sees_the_rate_that_was_set(
    tmp_path: Path, workers: int, note: Note
) -> None:
    """Before, 1.6 calls a second of a setting of 5."""
    slow = Conditions(own_programs={"COUNTERSIGN_SIGNATURE_MAX_RPS": str(RATE)})
    async with start_town(tmp_path / "data", slow) as town, more_workers(town, workers - 1):
        await eventually(lambda: share_the_queue(town, workers))
        await asyncio.sleep(pace.READ_EVERY)
        crowd = [await town.prepared(name, colleague(n)) for n, name in enumerate(ids("crowd", 100))]
        await asyncio.gather(*(start(town.context, member) for member in crowd))
        await eventually(lambda: all_asked(town, len(crowd)), timeout_seconds=200)
        rate_shares = shares(await read_calls(town))
    note(
        f"pace, {workers} at work: {min(rate_shares):.2f} to {max(rate_shares):.2f} of {RATE} calls a second "
        "in half a minute"
    )
    assert len(rate_shares) > 3
    assert min(rate_shares) >= 0.8
    assert max(rate_shares) <= 1.1


async def test_ten_minutes_of_random_errors_lose_nothing_and_are_asked_again_no_faster_than_the_rate(
    tmp_path: Path, note: Note, seed: int
) -> None:
    """B10: of ten calls three are answered 500, 502 in HTML, or 429 without a time."""
    dice = random.Random(seed)  # noqa: S311  no secret
    slow = Conditions(sandbox={"SANDBOX_RETRY_UNIT": "1"}, own_programs={"COUNTERSIGN_SIGNATURE_MAX_RPS": str(RATE)})
    async with start_town(tmp_path / "data", slow) as town:
        for fault in ("500", "502", "429"):
            await town.vendor.arm(fault, f"{PROVIDER}*", times=None, share=A_TENTH)
        load = Load(town, "unlucky", dice, REQUESTS, (0, 2 * MINUTES * 60 * STARTERS / REQUESTS), swept=True)
        async with load.running():
            await asyncio.sleep(MINUTES * 60)  # the length of the trouble
            failed = [entry for entry in await town.vendor.ledger("request") if entry["fault"]]
            among = await read_provider_calls(town)
            await town.vendor.disarm()
        evidence, calls = await gather(town, load.acknowledged, "unlucky"), await read_provider_calls(town)
    rate_shares, violations = shares(calls), judge(evidence)
    signed = sum(life.view.status is Status.SIGNED for life in evidence.lives.values())
    note(
        f"random errors: {len(failed)} of {len(among)} calls in {MINUTES} minutes, "
        f"{signed} requests signed, {len(violations)} violations, "
        f"{max(rate_shares) * RATE:.2f} of {RATE} calls a second at most"
    )
    assert (signed, violations) == (REQUESTS, [])
    assert 0.2 * len(among) < len(failed) < 0.4 * len(among)
    assert max(rate_shares) <= 1.1


def test_fifty_uploads_at_once_stay_small(note: Note) -> None:
    """Before, ten took 1.1 GB."""
    uploads = measure_in_own_process(50)
    note(
        f"50 uploads of 20 MB at once: {uploads.megabytes:.0f} MB, "
        f"the loop away for {uploads.longest_turn * 1000:.0f} ms"
    )
    assert uploads.received == 50
    assert uploads.megabytes < 400
    assert uploads.longest_turn < 0.1


@asynccontextmanager
async def more_workers(town: Town, count: int) -> AsyncIterator[None]:
    """Besides the one that every town has."""
    environment = {**modules.environment(), **town.environment}
    other_workers = [
        await asyncio.create_subprocess_exec(
            *modules.command("worker"), env=environment, stderr=asyncio.subprocess.DEVNULL
        )
        for _ in range(count)
    ]
    try:
        yield
    finally:
        for worker in other_workers:
            worker.kill()
            await worker.wait()


async def share_the_queue(town: Town, workers: int) -> bool:
    return (await town.context.store.processes.count())[ProcessRole.WORKER] == workers


async def all_asked(town: Town, count: int) -> bool:
    return len(await town.vendor.ledger("request_created")) == count


async def read_calls(town: Town) -> list[datetime]:
    """When Core Signature was called, up to the last request that was made: so long there was more to do."""
    last = instant((await town.vendor.ledger("request_created"))[-1])
    return [called_at for called_at in await read_provider_calls(town) if called_at <= last]


async def read_provider_calls(town: Town, after_entry: int = 0) -> list[datetime]:
    """When Core Signature was called, behind this entry of the ledger."""
    calls = [entry for entry in await town.vendor.ledger("request", after_entry) if entry["path"].startswith(PROVIDER)]
    return sorted(map(instant, calls))


def of_the_first_five(calls: Sequence[datetime]) -> float:
    """What the first five seconds had of the rate."""
    return sum(called_at < calls[0] + timedelta(seconds=5) for called_at in calls) / (5 * RATE)


def in_windows(calls: Sequence[datetime], length: timedelta, skipped: timedelta) -> list[float]:
    """What each window of this length had of the rate, one a second."""
    count = int((calls[-1] - calls[0] - skipped - length) / timedelta(seconds=1)) + 1
    begins = [calls[0] + skipped + timedelta(seconds=number) for number in range(count)]
    return [
        sum(begin <= called_at < begin + length for called_at in calls) / (length.total_seconds() * RATE)
        for begin in begins
    ]


def shares(calls: Sequence[datetime]) -> list[float]:
    """What each half minute had of the rate, from the first call on."""
    count = (calls[-1] - calls[0] - HALF_A_MINUTE) // STEP + 1
    begins = [calls[0] + number * STEP for number in range(count)]
    return [sum(begin <= called_at < begin + HALF_A_MINUTE for called_at in calls) / (30 * RATE) for begin in begins]
