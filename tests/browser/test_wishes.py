"""What a signer may wish for on the phone beside signing, and what becomes of it in the request."""

import pytest
from playwright.async_api import expect

from activities.links import LinkUse
from tests.browser.contract import CUSTOMER, LEGAL, Contract
from tests.browser.phone import Phone
from tests.stack.laptop import Laptop

pytestmark = [pytest.mark.browser, pytest.mark.real_server, pytest.mark.asyncio(loop_scope="session")]


async def test_not_now_is_two_taps_and_the_page_says_until_when(phone: Phone, laptop: Laptop) -> None:
    contract = await Contract.start(laptop, "not-now")
    await contract.shown(lambda it: it["choices"])
    await phone.open(contract.link(CUSTOMER))
    await phone.page.get_by_text("Not now", exact=True).tap()
    await phone.is_usable()
    await phone.page.get_by_role("button", name="Tomorrow morning").tap()
    await expect(phone.page.get_by_text("You will be reminded on")).to_be_visible()
    await expect(phone.button("Read and sign")).to_be_visible()
    await phone.is_usable()
    shown = await contract.shown()
    assert [entry["who"] for entry in shown["timeline"] if entry["what"].startswith("not now")] == [CUSTOMER]


async def test_a_question_is_asked_answered_and_read_with_nothing_but_a_keyboard(phone: Phone, laptop: Laptop) -> None:
    contract = await Contract.start(laptop, "a-question")
    await contract.shown(lambda it: it["choices"])
    await phone.open(contract.link(CUSTOMER))
    await phone.choose(phone.page.get_by_text("Ask a question"))
    await phone.tab_to(phone.page.get_by_label("What would you like to know?"))
    await phone.page.keyboard.type("Which annex is meant?")
    await phone.choose(phone.button("Send the question"))
    await expect(phone.page.get_by_text("Not answered yet.")).to_be_visible()
    await phone.is_usable()

    await phone.inbox(LEGAL)
    await phone.notice(contract.document).filter(has_text="A signer has a question").tap()
    await expect(phone.page.get_by_text("Which annex is meant?")).to_be_visible()
    await phone.is_usable()
    await phone.page.get_by_label("Your answer").fill("Annex B.")
    await phone.button("Send the answer").tap()
    await expect(phone.page.get_by_text("Annex B.")).to_be_visible()
    assert await phone.page.get_by_role("button").count() == 0

    await phone.inbox(CUSTOMER)
    await phone.notice(contract.document).filter(has_text="Your question was answered").tap()
    await expect(phone.page.get_by_text("Annex B.")).to_be_visible()
    await expect(phone.button("Read and sign")).to_be_visible()
    assert (await contract.shown())["question"] is None


async def test_a_question_of_blanks_is_refused_on_the_page(phone: Phone, waiting: Contract) -> None:
    await waiting.shown(lambda it: it["choices"])
    await phone.open(waiting.link(CUSTOMER))
    await phone.page.get_by_text("Ask a question").tap()
    await phone.page.get_by_label("What would you like to know?").fill("   ")
    await phone.button("Send the question").tap()
    await expect(phone.page.get_by_role("alert")).to_have_text("This was not done: the question is empty.")
    await phone.is_usable()


async def test_an_onlooker_has_nothing_to_wish_for(phone: Phone, waiting: Contract) -> None:
    await phone.open(waiting.link(LEGAL, LinkUse.VIEW))
    assert await phone.page.get_by_role("button").count() == 0
