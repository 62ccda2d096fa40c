"""Histories that grow: floods of signals and long lives go on in fresh runs, and no event falls between two of them."""

import pytest

from tests.faults.floods import flood
from workflows.model.subject import Status

pytestmark = [pytest.mark.long, pytest.mark.real_server]
EARLY = ("--dynamic-config-value", "limit.historyCount.suggestContinueAsNew=150")


async def test_a_flood_of_events_goes_on_in_fresh_runs_and_loses_none() -> None:
    """D12, D13: 400 signals while the server suggests continue-as-new after 150 events; `make chaos` sends 9,000."""
    flooded = await flood(400, EARLY)
    assert flooded.outcome is Status.SIGNED
    assert flooded.runs > 1
    assert flooded.events == flooded.sent
    assert flooded.readies == 1
