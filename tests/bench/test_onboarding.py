"""What an onboarding costs in the server's books: a rule of its code, not of this machine."""

import pytest

from tests.bench import onboarding

UPSERTS = 3
"""Where it stands, for lists: at two changes of stage, and at the end; of the first stage lists know from the start."""


@pytest.mark.long
async def test_joining_costs_what_the_least_join_does_and_what_lists_show() -> None:
    found = await onboarding.measure(pairs=1, size=1)
    assert found.ours.actions - found.floor.actions == UPSERTS
    assert found.ours.events - found.floor.events == UPSERTS
