"""What an onboarding costs in the server's books: a rule of its code, not of this machine."""

import pytest

from tests.bench import onboarding

UPSERTS = 3
"""Where it stands, for lists: at two changes of stage, and at the end; of the first stage lists know from the start."""


AT_MOST = 1.25
"""Times the actions of the least join, which does not know whom it waits for."""
AGREEMENTS = 2


@pytest.mark.long
async def test_joining_costs_what_the_least_join_does_and_what_lists_show() -> None:
    comparison = await onboarding.measure(pairs=1, size=1)
    assert comparison.product.actions - comparison.floor.actions == UPSERTS
    assert comparison.product.events - comparison.floor.events == UPSERTS
    assert comparison.product.actions <= AT_MOST * comparison.floor.actions


@pytest.mark.long
async def test_each_further_turn_of_a_part_costs_one_signal_and_one_upsert() -> None:
    comparison = await onboarding.measure(pairs=1, size=1, signers=3)
    turns = AGREEMENTS * 2
    # The end of an agreement changes for whom it waits as well: then the other one's signer is left.
    assert comparison.product.actions - comparison.floor.actions == UPSERTS + 2 * turns + 1
