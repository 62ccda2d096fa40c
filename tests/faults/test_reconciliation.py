"""Callbacks that never come, through the whole stack: one sweep makes up for all of them."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from activities.reconciliation.service import YOUNG
from tests.faults.evidence import gather
from tests.faults.oracle import judge
from tests.faults.races import wait_for_ends, waiting
from tests.faults.town import Town, eventually
from tests.faults.vendor import CALLBACK, instant
from workflows.model.subject import Status

pytestmark = [pytest.mark.real_server, pytest.mark.asyncio(loop_scope="session")]

REQUESTS = 4


@pytest.mark.long
async def test_requests_whose_callbacks_never_come_all_end_alike_after_one_sweep(shared: Town) -> None:
    """A1: every callback is dropped; some sign, some decline, and nobody looks before the sweep does."""
    names = await waiting(shared, "unheard", REQUESTS)
    quiet = await waiting(shared, "unheard-quiet", 2)
    await shared.vendor.arm("drop", "*", method=CALLBACK, contains="unheard", times=None)
    last_entry = await shared.vendor.last()
    await asyncio.gather(*(act_on_request(shared, number, name) for number, name in enumerate(names)))
    assert not await shared.vendor.ledger("callback", last_entry, status=200)
    await eventually(lambda: old_enough(shared, last_entry))
    entry_after_signing = await shared.vendor.last()
    code, output = await shared.command("reconcile", "--json")
    swept = json.loads(output)
    assert (code, swept["over"], _corrected_requests(swept)) == (0, True, names)
    views = await wait_for_ends(shared, names)
    assert [view.status for view in views] == [outcome(number) for number in range(REQUESTS)]
    assert await _calls_about(shared, entry_after_signing, quiet) == []
    await shared.vendor.disarm()
    repeated_sweep = json.loads((await shared.command("reconcile", "--json"))[1])
    assert (repeated_sweep["over"], _corrected_requests(repeated_sweep)) == (True, [])
    assert judge(await gather(shared, {}, "unheard-")) == []


def _corrected_requests(swept: dict[str, Any]) -> list[str]:
    """The requests of this story that were told of something."""
    return sorted(
        correction["request"] for correction in swept["mended"] if correction["request"].startswith("unheard")
    )


def outcome(number: int) -> Status:
    """What becomes of the request of this number."""
    return Status.DECLINED if number % 4 == 3 else Status.SIGNED


async def act_on_request(town: Town, number: int, name: str) -> None:
    """Its signer signs or declines."""
    [signer] = await town.vendor.waiting(name)
    if outcome(number) is Status.DECLINED:
        await town.vendor.decline(signer, "not like this")
    else:
        assert await town.vendor.sign(signer)


async def old_enough(town: Town, after_entry: int) -> bool:
    """Whether the last event is none any more whose callback may be on its way."""
    last = (await town.vendor.ledger("event", after_entry))[-1]
    return datetime.now(UTC) - instant(last) > YOUNG


async def _calls_about(town: Town, after_entry: int, names: list[str]) -> list[str]:
    """The calls to Core Signature about documents of these."""
    documents = {document["uuid"] for name in names for document in await town.vendor.documents(name)}
    paths = [str(entry["path"]) for entry in await town.vendor.ledger("request", after_entry)]
    return [path for path in paths if any(uuid in path for uuid in documents)]
