"""A customer who lost the link to their page has it sent by their onboarding."""

from pathlib import Path

import pytest

from tests.workflows.onboarding.stage import AGREEMENTS, CUSTOMER, LIVE, OWNER, a_file, start_onboarding
from workflows.model.commands import NewLink
from workflows.model.receipts import OperationState


@pytest.mark.long
async def test_a_customer_who_lost_their_link_is_sent_it_once_and_nobody_else_is(tmp_path: Path) -> None:
    async with start_onboarding(tmp_path, a_file(AGREEMENTS, LIVE), record="onboarding-link-sent") as onboarding:
        await onboarding.wait_for_part("agreement-1")
        for op in ("op-1", "op-1"):
            receipt = await onboarding.send_command(NewLink(actor=CUSTOMER), op=op)
            assert receipt.state is OperationState.DONE
        await onboarding.at_rest()
        assert await onboarding.read_refusal(NewLink(actor=OWNER)) == f"{OWNER} is none of the customer's people"
        notices = onboarding.notices_of(onboarding.handle.id)
        await onboarding.send_command(NewLink(actor=CUSTOMER))
        await onboarding.wait_until_notified(onboarding.handle.id, "link-2", CUSTOMER)
    assert [notice for notice in notices if notice[0].startswith("link")] == [("link-1", CUSTOMER)]
