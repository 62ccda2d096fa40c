"""An answer that never ends."""

import time
from pathlib import Path

import pytest

from tests.chaos.conftest import Note
from tests.faults.population import colleague
from tests.faults.town import town
from tests.faults.vendor import DOCUMENTS, between
from workflows.model.subject import Status

pytestmark = [pytest.mark.real_server, pytest.mark.timeout(300)]
DEADLINE = 20
"""Seconds a whole call may take (activities/http/client.py)."""


async def test_an_answer_of_a_byte_a_second_is_given_up_and_the_request_goes_on(tmp_path: Path, note: Note) -> None:
    """B11: the read timeout never strikes, the deadline of the call does; the next attempt comes a second later."""
    async with town(tmp_path / "data") as it:
        await it.ask("dripped", colleague(1))
        await it.until_shown("dripped", lambda shown: shown.notifications)
        await it.until_idle("dripped")
        [document] = await it.vendor.documents("dripped")
        path, before, began = f"{DOCUMENTS}{document['uuid']}/", await it.vendor.last(), time.monotonic()
        await it.vendor.arm("drip", path, method="GET", delay=1)
        await it.sign("dripped")
        await it.until_shown("dripped", lambda shown: shown.status is Status.SIGNED, within=60)
        [pause] = between(await it.vendor.ledger("request", before, method="GET", path=path))
    note(f"drip: asked again after {pause:.1f} s, signed after {time.monotonic() - began:.1f} s")
    assert pause < DEADLINE + 3
