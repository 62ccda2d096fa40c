"""What a link of ours does for whoever has no right to it, comes too late, or is no person at all."""

from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.browser.contract import CUSTOMER, CUSTOMER_MAIL, Contract, state_of
from tests.browser.phone import Phone, fresh
from tests.stack.laptop import Laptop

pytestmark = [pytest.mark.browser, pytest.mark.real_server, pytest.mark.asyncio(loop_scope="session")]

VISITS = 10
ONLY_LOOKED_AT = ("request", "token_issued")
"""What the sandbox writes down of whoever merely asks."""


def change_character(link: str, offset: int) -> str:
    """The link with one character of its reference replaced."""
    position = link.rindex("/") + 1 + offset
    return link[:position] + ("A" if link[position] != "A" else "B") + link[position + 1 :]


@pytest.mark.parametrize("way", ["first", "middle", "last", "cut", "longer"])
async def test_a_tampered_link_does_not_work(phone: Phone, waiting: Contract, way: str) -> None:
    link = waiting.link(CUSTOMER)
    length = len(link) - link.rindex("/") - 1
    tampered = {
        "first": change_character(link, 0),
        "middle": change_character(link, length // 2),
        "last": change_character(link, length - 1),
        "cut": link[:-12],
        "longer": link + "A",
    }[way]
    assert await phone.open(tampered) == 404
    await expect(phone.heading("This link does not work")).to_be_visible()
    assert waiting.document not in await phone.page.content()
    assert await phone.page.get_by_role("button").count() == 0


async def test_a_link_dies_with_its_request_and_so_does_a_page_that_was_open(phone: Phone, laptop: Laptop) -> None:
    contract = await Contract.start(laptop, "ended")
    await phone.open(contract.link(CUSTOMER))
    await expect(phone.button("Read and sign")).to_be_visible()
    await contract.cancel()
    await contract.wait_for_view(lambda view: view["status"] == "cancelled")

    await phone.button("Read and sign").tap()
    await expect(phone.heading("This request has ended")).to_be_visible()
    assert await phone.open(contract.link(CUSTOMER)) == 410
    await expect(phone.heading("This request has ended")).to_be_visible()
    assert await phone.page.get_by_role("button").count() == 0
    await phone.is_usable()

    await phone.open(await contract.signing_page(CUSTOMER_MAIL))
    await expect(phone.heading("The request was cancelled")).to_be_visible()
    await phone.is_usable()
    await phone.inbox(CUSTOMER)
    await expect(phone.notice(contract.document).filter(has_text="Sign: ")).to_have_count(0)


async def test_a_scanner_that_follows_the_link_changes_nothing_and_a_signer_needs_no_script(
    without_scripts: Page, laptop: Laptop
) -> None:
    contract = await Contract.start(laptop, "scanned")
    link = contract.link(CUSTOMER)
    view_before, happened = await contract.wait_for_view(lambda view: view["notifications"]), await effects(contract)
    async with fresh(without_scripts, laptop.addresses["sandbox"]) as phone:
        for _ in range(VISITS):
            assert (await phone.page.request.head(link)).status == 200
            assert (await phone.page.request.get(link)).status == 200
        assert await phone.open(link) == 200
        assert await phone.page.locator("main").get_by_role("link").all_inner_texts() == ["I am away", "My documents"]
        assert await contract.wait_for_view() == view_before
        assert await effects(contract) == happened

        await phone.button("Read and sign").tap()
        await phone.button("Sign").tap()
        await expect(phone.heading("You have signed")).to_be_visible()
    await contract.wait_for_view(lambda view: state_of(view, CUSTOMER) == "signed")


async def test_a_form_that_was_made_up_is_refused(phone: Phone, waiting: Contract) -> None:
    await phone.open(waiting.link(CUSTOMER))
    await phone.page.locator("input[name=token]").first.evaluate("field => { field.value = 'made up'; }")
    await phone.button("Read and sign").tap()
    await expect(phone.heading("Please open the link again")).to_be_visible()


async def test_while_core_signature_is_away_the_button_asks_for_a_minute(phone: Phone, waiting: Contract) -> None:
    sandbox = waiting.laptop.addresses["sandbox"]
    fault = {"method": "GET", "path": "/api/v1/documents/*", "fault": "503", "times": None}
    await phone.page.request.post(f"{sandbox}/_sandbox/faults", data=fault)
    try:
        assert await phone.open(waiting.link(CUSTOMER)) == 200
        await phone.button("Read and sign").tap()
        await expect(phone.heading("Please try again in a minute")).to_be_visible()
    finally:
        await phone.page.request.delete(f"{sandbox}/_sandbox/faults")
    await phone.page.get_by_role("link", name="Try again").tap()
    await expect(phone.heading("Your signature is needed")).to_be_visible()


async def effects(contract: Contract) -> list[Any]:
    """What happened to this contract, apart from being asked for."""
    return [entry for entry in await contract.ledger() if entry["type"] not in ONLY_LOOKED_AT]
