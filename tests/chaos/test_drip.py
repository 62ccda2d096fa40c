"""An answer that never ends."""

import time
from pathlib import Path

import pytest

from tests.chaos.conftest import Note
from tests.faults.population import colleague
from tests.faults.town import start_town
from tests.faults.vendor import DOCUMENTS, between
from workflows.model.subject import Status

pytestmark = [pytest.mark.real_server, pytest.mark.timeout(300)]
DEADLINE = 20
"""Seconds a whole call may take (activities/http/client.py)."""


async def test_an_answer_of_a_byte_a_second_is_given_up_and_the_request_goes_on(tmp_path: Path, note: Note) -> None:
    """B11: the read timeout never strikes, the deadline of the call does; the next attempt comes a second later."""
    async with start_town(tmp_path / "data") as town:
        await town.ask("dripped", colleague(1))
        await town.until_shown("dripped", lambda view: view.notifications)
        await town.until_idle("dripped")
        [document] = await town.vendor.documents("dripped")
        path, last_entry, began = f"{DOCUMENTS}{document['uuid']}/", await town.vendor.last(), time.monotonic()
        await town.vendor.arm("drip", path, method="GET", delay=1)
        await town.sign("dripped")
        await town.until_shown("dripped", lambda view: view.status is Status.SIGNED, timeout_seconds=60)
        [pause] = between(await town.vendor.ledger("request", last_entry, method="GET", path=path))
    note(f"drip: asked again after {pause:.1f} s, signed after {time.monotonic() - began:.1f} s")
    assert pause < DEADLINE + 3
