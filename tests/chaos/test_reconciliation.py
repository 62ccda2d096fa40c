"""Two hundred requests, and nobody who hears what Core Signature calls: the schedule's sweep makes up for all of it."""

import asyncio
import time
from pathlib import Path

import pytest

from tests.chaos.conftest import Note
from tests.faults.evidence import gather
from tests.faults.oracle import judge
from tests.faults.population import colleague
from tests.faults.races import ended
from tests.faults.test_reconciliation import acts, old_enough, outcome
from tests.faults.town import RECEIVER, Conditions, Town, eventually, ids, town
from workflows.names import RECONCILIATION_SCHEDULE

pytestmark = [pytest.mark.real_server, pytest.mark.timeout(900)]

REQUESTS, AT_ONCE = 200, 20
GIVES_UP_SOON = Conditions(
    sandbox={"SANDBOX_RETRY_UNIT": "0.01", "SANDBOX_LIST_LAG": "5"}, ours={"COUNTERSIGN_SIGNATURE_LIST_LAG": "6s"}
)
"""Ten attempts within a second."""


async def test_two_hundred_requests_outlive_an_outage_longer_than_core_signature_s_repetitions(
    tmp_path: Path, note: Note
) -> None:
    """A1: the receiver is dead until each call was given up; lists are five seconds late."""
    async with town(tmp_path / "data", GIVES_UP_SOON) as it:
        names = list(ids("deaf", REQUESTS))
        await _are_told(it, names)
        before = await it.vendor.last()
        await it.kill(RECEIVER)
        await asyncio.gather(*(acts(it, number, name) for number, name in enumerate(names)))
        await eventually(lambda: _given_up(it, before), within=120)
        await it.start(RECEIVER)
        await eventually(lambda: old_enough(it, before))
        assert (await it.command("init"))[0] == 0
        began = time.monotonic()
        await it.context.client.get_schedule_handle(RECONCILIATION_SCHEDULE).trigger()
        shown = await ended(it, names)
        took = time.monotonic() - began
        assert [one.status for one in shown] == [outcome(number) for number in range(REQUESTS)]
        assert judge(await gather(it, {}, "deaf-")) == []
    note(f"sweep: {REQUESTS} requests whose calls were all given up end as at Core Signature, {took:.0f} s")
    assert took < 60


async def _are_told(it: Town, names: list[str]) -> None:
    """They are started, and each signer's phone has the notice."""
    some = asyncio.Semaphore(AT_ONCE)

    async def begin(number: int, name: str) -> None:
        async with some:
            await it.ask(name, colleague(number + 20), requester=colleague(number + 40))

    await asyncio.gather(*(begin(number, name) for number, name in enumerate(names)))
    await eventually(lambda: _have_notices(it, names), within=120)


async def _have_notices(it: Town, names: list[str]) -> bool:
    return {one["data"]["request"] for one in await it.vendor.ledger("push")} >= set(names)


async def _given_up(it: Town, after: int) -> bool:
    """Whether all attempts to tell of what the signers did were made, for nothing."""
    told = [one for one in await it.vendor.ledger("callback", after) if one["status"] != 200]
    given_up = {one["event"] for one in told if one["attempt"] == 10}
    return given_up >= {one["event"] for one in await it.vendor.ledger("event", after)}
