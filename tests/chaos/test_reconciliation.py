"""Two hundred requests, and nobody who hears what Core Signature calls: the schedule's sweep makes up for all of it."""

import asyncio
import time
from pathlib import Path

import pytest

from tests.chaos.conftest import Note
from tests.faults.evidence import gather
from tests.faults.oracle import judge
from tests.faults.population import colleague
from tests.faults.races import wait_for_ends
from tests.faults.test_reconciliation import act_on_request, old_enough, outcome
from tests.faults.town import RECEIVER, Conditions, Town, eventually, ids, start_town
from workflows.names import RECONCILIATION_SCHEDULE

pytestmark = [pytest.mark.real_server, pytest.mark.timeout(900)]

REQUESTS, AT_ONCE = 200, 20
GIVES_UP_SOON = Conditions(
    sandbox={"SANDBOX_RETRY_UNIT": "0.01", "SANDBOX_LIST_LAG": "5"},
    own_programs={"COUNTERSIGN_SIGNATURE_LIST_LAG": "6s"},
)
"""Ten attempts within a second."""


async def test_two_hundred_requests_outlive_an_outage_longer_than_core_signature_s_repetitions(
    tmp_path: Path, note: Note
) -> None:
    """A1: the receiver is dead until each call was given up; lists are five seconds late."""
    async with start_town(tmp_path / "data", GIVES_UP_SOON) as town:
        names = list(ids("deaf", REQUESTS))
        await _are_told(town, names)
        last_entry = await town.vendor.last()
        async with town.outage(RECEIVER):
            await asyncio.gather(*(act_on_request(town, number, name) for number, name in enumerate(names)))
            await eventually(lambda: _given_up(town, last_entry), timeout_seconds=120)
        await eventually(lambda: old_enough(town, last_entry))
        assert (await town.command("init"))[0] == 0
        began = time.monotonic()
        await town.context.client.get_schedule_handle(RECONCILIATION_SCHEDULE).trigger()
        views = await wait_for_ends(town, names)
        took = time.monotonic() - began
        assert [view.status for view in views] == [outcome(number) for number in range(REQUESTS)]
        assert judge(await gather(town, {}, "deaf-")) == []
    note(f"sweep: {REQUESTS} requests whose calls were all given up end as at Core Signature, {took:.0f} s")
    assert took < 60


async def _are_told(town: Town, names: list[str]) -> None:
    """They are started, and each signer's phone has the notice."""
    semaphore = asyncio.Semaphore(AT_ONCE)

    async def begin(number: int, name: str) -> None:
        async with semaphore:
            await town.ask(name, colleague(number + 20), requester=colleague(number + 40))

    await asyncio.gather(*(begin(number, name) for number, name in enumerate(names)))
    await eventually(lambda: _have_notices(town, names), timeout_seconds=120)


async def _have_notices(town: Town, names: list[str]) -> bool:
    return {push["data"]["request"] for push in await town.vendor.ledger("push")} >= set(names)


async def _given_up(town: Town, after_entry: int) -> bool:
    """Whether all attempts to tell of what the signers did were made, for nothing."""
    failed_callbacks = [
        callback for callback in await town.vendor.ledger("callback", after_entry) if callback["status"] != 200
    ]
    given_up = {callback["event"] for callback in failed_callbacks if callback["attempt"] == 10}
    return given_up >= {callback["event"] for callback in await town.vendor.ledger("event", after_entry)}
