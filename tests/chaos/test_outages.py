"""An outage of thousands of events."""

import pytest

from tests.chaos.conftest import Note
from tests.faults.outages import outage
from tests.faults.test_outages import assert_nothing_was_lost

pytestmark = [pytest.mark.real_server, pytest.mark.timeout(900)]


async def test_three_thousand_events_of_trouble_with_every_kind_of_update_pending(note: Note) -> None:
    """D25: both limits of a history lowered to 100 and 700 events; nothing may hold a request in one run."""
    survived = await outage(events=3_000)
    note(f"outage: {survived.events} events in {len(survived.endings)} runs, the longest of {survived.longest}")
    assert survived.events >= 3_000
    assert_nothing_was_lost(survived)
