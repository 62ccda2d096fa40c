"""Two hundred requests, and nobody who hears what Core Signature calls: the schedule's sweep makes up for all of it."""

import asyncio
import time
from pathlib import Path

import pytest

from tests.chaos.conftest import Note
from tests.faults.evidence import gather
from tests.faults.oracle import judge
from tests.faults.races import ended, waiting
from tests.faults.test_reconciliation import acts, old_enough, outcome
from tests.faults.town import RECEIVER, Conditions, Town, eventually, town
from workflows.names import RECONCILIATION_SCHEDULE

pytestmark = [pytest.mark.real_server, pytest.mark.timeout(900)]

REQUESTS, BATCH = 200, 25
GIVES_UP_SOON = Conditions(
    sandbox={"SANDBOX_RETRY_UNIT": "0.01", "SANDBOX_LIST_LAG": "5"}, ours={"COUNTERSIGN_SIGNATURE_LIST_LAG": "6s"}
)
"""Ten attempts within a second."""


async def test_two_hundred_requests_outlive_an_outage_longer_than_core_signature_s_repetitions(
    tmp_path: Path, note: Note
) -> None:
    """A1: the receiver is dead until each call was given up; lists are five seconds late."""
    async with town(tmp_path / "data", GIVES_UP_SOON) as it:
        names = [name for batch in range(REQUESTS // BATCH) for name in await waiting(it, f"deaf-{batch}", BATCH)]
        before = await it.vendor.last()
        await it.kill(RECEIVER)
        await asyncio.gather(*(acts(it, number, name) for number, name in enumerate(names)))
        await eventually(lambda: _given_up(it, before, len(names)), within=120)
        await it.start(RECEIVER)
        await eventually(lambda: old_enough(it, before))
        assert (await it.command("init"))[0] == 0
        began = time.monotonic()
        await it.context.client.get_schedule_handle(RECONCILIATION_SCHEDULE).trigger()
        shown = await ended(it, names)
        took = time.monotonic() - began
        assert [one.status for one in shown] == [outcome(number) for number in range(len(names))]
        assert judge(await gather(it, {}, "deaf-")) == []
    note(f"sweep: {len(names)} requests whose calls were all given up end as at Core Signature, {took:.0f} s")
    assert took < 60


async def _given_up(it: Town, after: int, requests: int) -> bool:
    """Whether all attempts to tell of what the signers did were made, for nothing."""
    told = await it.vendor.ledger("callback", after)
    assert not [one for one in told if one["status"] == 200]
    return len([one for one in told if one["attempt"] == 10]) >= 2 * requests
