"""A customer who lost the link to their page has it sent by their onboarding."""

from pathlib import Path

from tests.workflows.onboarding.stage import AGREEMENTS, CUSTOMER, LIVE, OWNER, a_file, onboarding
from workflows.model.commands import NewLink
from workflows.model.receipts import OperationState


async def test_a_customer_who_lost_their_link_is_sent_it_once_and_nobody_else_is(tmp_path: Path) -> None:
    async with onboarding(tmp_path, a_file(AGREEMENTS, LIVE), record="onboarding-link-sent") as it:
        await it.until_open("agreement-1")
        for op in ("op-1", "op-1"):
            receipt = await it.wish(NewLink(actor=CUSTOMER), op=op)
            assert receipt.state is OperationState.DONE
        await it.at_rest()
        assert await it.refused(NewLink(actor=OWNER)) == f"{OWNER} is none of the customer's people"
        told = it.notices_of(it.handle.id)
        await it.wish(NewLink(actor=CUSTOMER))
        await it.hears(it.handle.id, "link-2", CUSTOMER)
    assert [one for one in told if one[0].startswith("link")] == [("link-1", CUSTOMER)]
