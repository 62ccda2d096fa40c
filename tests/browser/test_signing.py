"""From the notice on the phone to the signature: with a thumb, with a keyboard, from a mail."""

import pytest
from playwright.async_api import expect

from activities.notifications.links import LinkUse
from tests.browser.contract import CUSTOMER, EXECUTIVE, LEGAL, Contract, state_of
from tests.browser.phone import Phone
from tests.stack.laptop import Laptop

pytestmark = [pytest.mark.browser, pytest.mark.real_server, pytest.mark.asyncio(loop_scope="session")]

PAPER_PERSON = "{name: Paper person, email: paper-person@customer.test, zone: Europe/Paris}"


async def test_a_notice_arrives_leads_to_the_signature_and_vanishes(phone: Phone, laptop: Laptop) -> None:
    await phone.inbox(CUSTOMER)
    contract = await Contract.start(laptop, "by-thumb")
    notice = phone.notice(contract.document)
    await expect(notice).to_contain_text("Sign: ")
    await expect(notice).to_contain_text("Due ")
    await expect(phone.page.get_by_role("status")).to_contain_text("new message")

    await notice.tap()
    await expect(phone.heading("Your signature is needed")).to_be_visible()
    await phone.button("Read and sign").tap()
    await expect(phone.heading(contract.document)).to_be_visible()
    await phone.button("Sign").tap()
    await expect(phone.heading("You have signed")).to_be_visible()

    await phone.inbox(CUSTOMER)
    await expect(notice).to_have_count(0)
    view_of_turn = await contract.wait_for_view(lambda view: state_of(view, EXECUTIVE) == "turn")
    assert state_of(view_of_turn, CUSTOMER) == "signed"
    await phone.finds(contract.link(CUSTOMER), "You have signed")


@pytest.mark.long
async def test_one_signs_and_one_declines_with_nothing_but_a_keyboard(phone: Phone, laptop: Laptop) -> None:
    contract = await Contract.start(laptop, "by-keyboard")
    await phone.inbox(CUSTOMER)
    await phone.choose(phone.notice(contract.document))
    await phone.choose(phone.button("Read and sign"))
    await phone.choose(phone.button("Sign"))
    await expect(phone.heading("You have signed")).to_be_visible()

    await phone.inbox(EXECUTIVE)
    await expect(phone.notice(contract.document)).to_have_count(2)
    await phone.choose(phone.notice(contract.document).last)
    await phone.choose(phone.button("Read and sign"))
    await phone.choose(phone.page.get_by_text("Decline instead"))
    await phone.tab_to(phone.page.get_by_label("Why do you decline?"))
    await phone.page.keyboard.type("The price is not what we agreed on.")
    await phone.choose(phone.button("Decline"))
    await expect(phone.heading("You have declined")).to_be_visible()
    view_of_end = await contract.wait_for_view(lambda view: view["status"] == "declined")
    assert [state_of(view_of_end, person) for person in (CUSTOMER, EXECUTIVE)] == ["signed", "declined"]


async def test_who_declines_has_to_say_why_and_the_requester_is_told(phone: Phone, laptop: Laptop) -> None:
    contract = await Contract.start(laptop, "declined")
    await phone.open(contract.link(CUSTOMER))
    await phone.button("Read and sign").tap()
    await phone.page.get_by_text("Decline instead").tap()
    reason = phone.page.get_by_label("Why do you decline?")
    await phone.button("Decline").tap()
    await expect(reason).to_be_focused()
    await reason.fill("   ")
    await phone.button("Decline").tap()
    await expect(phone.page.get_by_role("alert")).to_have_text(
        "Please say why you decline: the sender gets to read it."
    )
    await expect(reason).to_be_focused()
    await phone.is_usable()

    await reason.fill("The price is not what we agreed on.")
    await phone.button("Decline").tap()
    await expect(phone.page.get_by_text("Your reason: The price is not what we agreed on.")).to_be_visible()
    await contract.wait_for_view(lambda view: view["status"] == "declined")
    await phone.inbox(LEGAL)
    notice = phone.notice(f"Declined: {contract.document}")
    await notice.tap()
    await expect(phone.heading("Declined")).to_be_visible()
    assert state_of(await contract.wait_for_view(), CUSTOMER) == "declined"


async def test_a_signer_without_a_phone_signs_from_the_mail(phone: Phone, laptop: Laptop) -> None:
    contract = await Contract.start(laptop, "by-mail", first=PAPER_PERSON)
    signer = (await contract.wait_for_view())["signers"][0]["person"]
    await phone.open(contract.link(signer))
    await phone.button("Read and sign").tap()
    await expect(phone.heading("Check your email")).to_be_visible()
    await phone.is_usable()
    await phone.button("Send the email again").tap()
    await expect(phone.heading("The email is on its way")).to_be_visible()
    await phone.is_usable()

    await phone.inbox("paper-person")
    await phone.is_usable()
    await expect(phone.notice(contract.document)).to_have_count(2)
    await phone.notice(contract.document).first.tap()
    await phone.button("Sign").tap()
    await expect(phone.heading("You have signed")).to_be_visible()
    await contract.wait_for_view(lambda view: state_of(view, signer) == "signed")


async def test_an_onlooker_reads_whom_it_waits_for_by_name(phone: Phone, waiting: Contract) -> None:
    view_of_request = await waiting.wait_for_view(lambda view: view["notifications"])
    assert f"Waiting for {CUSTOMER}" in view_of_request["says"]
    await phone.open(waiting.link(LEGAL, LinkUse.VIEW))
    await expect(phone.page.get_by_text("Waiting for Customer signer.", exact=True)).to_be_visible()
    assert await phone.page.get_by_role("button").count() == 0


@pytest.mark.long
async def test_of_a_group_the_first_to_press_signs_and_another_reads_who(phone: Phone, laptop: Laptop) -> None:
    others = ("alternates: [operating-officer]", "alternates: [account-executive]")
    contract = await Contract.start(laptop, "any-director", first="group: directors", swap=others)
    await phone.open(contract.link("chair", LinkUse.TAKE))
    await expect(phone.page.get_by_text("Any one of the group")).to_be_visible()
    await phone.is_usable()
    await phone.open(contract.link("operating-officer", LinkUse.TAKE))
    await phone.button("Read and sign").tap()
    await expect(phone.heading("Check your email")).to_be_visible()
    view_of_taken = await contract.wait_for_view(lambda view: state_of(view, "chair") == "spared")
    assert state_of(view_of_taken, "operating-officer") == "turn"
    await phone.finds(contract.link("chair", LinkUse.TAKE), "Somebody else of your group signs it")
    await phone.is_usable()
