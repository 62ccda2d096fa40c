"""Every page in every state: nothing lies outside the screen, and a screen reader has a name for everything."""

from dataclasses import replace

import pytest
from playwright.async_api import expect

from activities.links import LinkUse
from tests.browser.contract import CUSTOMER, EXECUTIVE, EXECUTIVE_MAIL, LEGAL, Contract
from tests.browser.phone import Phone
from tests.stack.laptop import Laptop

pytestmark = [pytest.mark.browser, pytest.mark.real_server, pytest.mark.asyncio(loop_scope="session")]

LONG = ("Donaudampfschifffahrtsgesellschaftskapitänsmützenvertrag" * 3)[:150] + " عقد الخدمات 🖋️"


@pytest.mark.parametrize(
    ("person", "use", "heading", "status"),
    [
        (CUSTOMER, LinkUse.SIGN, "Your signature is needed", 200),
        (EXECUTIVE, LinkUse.SIGN, "It is not your turn yet", 200),
        (LEGAL, LinkUse.SIGN, "You are not among the signers", 404),
        (LEGAL, LinkUse.VIEW, "Waiting for signatures", 200),
    ],
)
async def test_our_page(phone: Phone, waiting: Contract, person: str, use: LinkUse, heading: str, status: int) -> None:
    assert await phone.open(waiting.link(person, use)) == status
    await expect(phone.heading(heading)).to_be_visible()
    await phone.is_usable()
    await phone.unfold()
    await phone.is_usable()


@pytest.mark.parametrize("path", ["/", "/inbox/nobody", f"/inbox/{CUSTOMER}", "/sign/nowhere"])
async def test_a_page_of_the_sandbox(phone: Phone, waiting: Contract, path: str) -> None:
    await phone.open(waiting.laptop.addresses["sandbox"] + path)
    await phone.is_usable()


async def test_the_link_of_a_request_that_nobody_knows(phone: Phone, waiting: Contract) -> None:
    assert await phone.open(replace(waiting, id="nowhere").link(CUSTOMER)) == 404
    await expect(phone.heading("There is nothing to sign here")).to_be_visible()
    await phone.is_usable()


async def test_the_signing_page_of_somebody_whose_turn_comes_later(phone: Phone, waiting: Contract) -> None:
    await phone.open(await waiting.signing_page(EXECUTIVE_MAIL))
    await expect(phone.heading("It is not your turn yet")).to_be_visible()
    await phone.is_usable()


async def test_a_name_of_the_greatest_length_stays_on_the_screen(phone: Phone, laptop: Laptop) -> None:
    contract = await Contract.start(laptop, "long-name", LONG)
    await phone.inbox(CUSTOMER)
    await expect(phone.notice(LONG[:40])).to_be_visible()
    await phone.is_usable()
    await phone.open(contract.link(LEGAL, LinkUse.VIEW))
    await phone.is_usable()
    await phone.open(contract.link(CUSTOMER))
    await phone.is_usable()
    await phone.button("Read and sign").tap()
    await expect(phone.heading(LONG)).to_be_visible()
    await phone.is_usable()
    await phone.page.get_by_text("Decline instead").tap()
    await phone.is_usable()
    await phone.button("Sign").tap()
    await expect(phone.heading("You have signed")).to_be_visible()
    await phone.is_usable()
