"""What a signer may do on the phone beside signing, and what becomes of it in the request."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from activities.notifications.links import LinkUse
from starter.web.screens.screens import ScreenName
from tests.browser.contract import CUSTOMER, LEGAL, Contract, state_of
from tests.browser.phone import Phone, fresh
from tests.stack.laptop import Laptop

pytestmark = [pytest.mark.browser, pytest.mark.real_server, pytest.mark.asyncio(loop_scope="session")]

HEAD, DEPUTY, ABROAD = "sales-head", "sales-deputy", "sales-abroad"
SALES = f"""
  - id: {HEAD}
    name: Head of sales
    email: {HEAD}@customer.test
    zone: Europe/Paris
    delegate: {DEPUTY}
    devices: [{{token: {HEAD}~1, platform: android}}]
  - id: {ABROAD}
    name: Sales abroad
    email: {ABROAD}@customer.test
    zone: Europe/Paris
    delegate: {DEPUTY}
    devices: [{{token: {ABROAD}~1, platform: android}}]
  - id: {DEPUTY}
    name: Deputy head of sales
    email: {DEPUTY}@customer.test
    zone: Europe/Paris
    devices: [{{token: {DEPUTY}~1, platform: ios}}]
"""
MAY_HAND_OVER = "self_delegate: true"


@pytest.fixture(scope="session")
def people(laptop: Laptop) -> Path:
    """The people of the stack, and three more, one the delegate of the others. Only the story of the absence is about
    the one abroad: a worker goes on for two seconds with an absence that has ended.
    """
    file = laptop.example.with_name("people.yaml")
    file.write_text(file.read_text() + SALES)
    return file


@contextmanager
def delegate(people: Path, person: str) -> Iterator[None]:
    """Let somebody else stand in for the head of sales for a while."""
    people_text = people.read_text()
    people.write_text(people_text.replace(f"delegate: {DEPUTY}", f"delegate: {person}", 1))
    try:
        yield
    finally:
        people.write_text(people_text)


async def test_not_now_is_two_taps_and_the_page_says_until_when(phone: Phone, laptop: Laptop) -> None:
    contract = await Contract.start(laptop, "not-now")
    await contract.wait_for_view(lambda view: view["choices"])
    await phone.open(contract.link(CUSTOMER))
    await phone.page.get_by_text("Not now", exact=True).tap()
    await phone.is_usable()
    await phone.page.get_by_role("button", name="Tomorrow morning").tap()
    await expect(phone.page.get_by_text("You will be reminded on")).to_be_visible()
    await expect(phone.button("Read and sign")).to_be_visible()
    await phone.is_usable()
    view = await contract.wait_for_view()
    assert [entry["who"] for entry in view["timeline"] if entry["what"].startswith("not now")] == [CUSTOMER]


async def test_a_question_is_asked_answered_and_read_with_nothing_but_a_keyboard(phone: Phone, laptop: Laptop) -> None:
    contract = await Contract.start(laptop, "a-question")
    await contract.wait_for_view(lambda view: view["choices"])
    await phone.open(contract.link(CUSTOMER))
    await phone.choose(phone.page.get_by_text("Ask a question"))
    await phone.tab_to(phone.page.get_by_label("What would you like to know?"))
    await phone.page.keyboard.type("Which annex is meant?")
    await phone.choose(phone.button("Send the question"))
    await expect(phone.page.get_by_text("Not answered yet.")).to_be_visible()
    await phone.is_usable()

    await phone.inbox(LEGAL)
    await phone.notice(contract.document).filter(has_text="Question: ").tap()
    await expect(phone.page.get_by_text("Which annex is meant?")).to_be_visible()
    await phone.is_usable()
    await phone.page.get_by_label("Your answer").fill("Annex B.")
    await phone.button("Send the answer").tap()
    await expect(phone.page.get_by_text("Annex B.")).to_be_visible()
    assert await phone.page.get_by_role("button").count() == 0

    await phone.inbox(CUSTOMER)
    await phone.notice(contract.document).filter(has_text="Your question has been answered.").tap()
    await expect(phone.button("Read and sign")).to_be_visible()
    await phone.again_until(phone.page.get_by_text("Annex B."))
    assert (await contract.wait_for_view())["question"] is None


async def test_a_question_of_blanks_is_refused_on_the_page(phone: Phone, waiting: Contract) -> None:
    await waiting.wait_for_view(lambda view: view["choices"])
    await phone.open(waiting.link(CUSTOMER))
    await phone.page.get_by_text("Ask a question").tap()
    await phone.page.get_by_label("What would you like to know?").fill("   ")
    await phone.button("Send the question").tap()
    await expect(phone.page.get_by_role("alert")).to_have_text("This was not done: there is no text in it.")
    await phone.is_usable()


@pytest.mark.long
async def test_a_signer_hands_over_with_nothing_but_a_keyboard_and_the_delegate_signs(
    phone: Phone, laptop: Laptop, people: Path
) -> None:
    contract = await Contract.start(laptop, "handed-over", first=f"person: {HEAD}", policy=MAY_HAND_OVER)
    await contract.wait_for_view(lambda view: view["choices"] and view["notifications"])
    await phone.inbox(HEAD)
    await phone.choose(phone.notice(contract.document))
    await phone.choose(phone.page.get_by_text("Hand over", exact=True))
    await phone.is_usable()
    await phone.choose(phone.button("Hand over to Deputy head of sales"))
    await expect(phone.screen(ScreenName.HANDED_OVER)).to_contain_text("Deputy head of sales is asked instead of you.")
    await phone.is_usable()

    await phone.open(contract.link(HEAD))
    await expect(phone.heading("It was handed over")).to_be_visible()
    assert await phone.page.get_by_role("button").count() == 0
    await phone.inbox(HEAD)
    await expect(phone.notice(contract.document)).to_contain_text(["Somebody else is asked now."])

    await phone.inbox(DEPUTY)
    await phone.notice(contract.document).filter(has_text="Sign: ").tap()
    await phone.button("Read and sign").tap()
    await expect(phone.heading("Check your email")).to_be_visible()
    await phone.is_usable()
    await phone.inbox(DEPUTY)
    await phone.notice(contract.document).filter(has_text="Open the document").tap()
    await phone.button("Sign").tap()
    await expect(phone.heading("You have signed")).to_be_visible()

    view_of_end = await contract.wait_for_view(lambda view: state_of(view, DEPUTY) == "signed")
    assert [
        (escalation["from"], escalation["to"], escalation["reason"]) for escalation in view_of_end["escalations"]
    ] == [(HEAD, DEPUTY, "manual")]
    assert state_of(view_of_end, HEAD) == "reassigned"
    assert [entry["who"] for entry in view_of_end["timeline"] if entry["what"].startswith("to be handed over")] == [
        HEAD
    ]


@pytest.mark.long
async def test_an_absence_entered_on_the_phone_moves_what_is_open_to_whoever_acts(
    phone: Phone, laptop: Laptop, people: Path
) -> None:
    asks_delegates = ("to: [alternates]", "to: [delegate, alternates]")
    first = f"person: {ABROAD}"
    contract = await Contract.start(laptop, "holidays", first=first, policy="urgent: true", swap=asks_delegates)
    await contract.wait_for_view(lambda view: view["choices"])
    await phone.open(contract.link(ABROAD))
    await phone.is_usable()
    await phone.page.get_by_role("link", name="I am away").tap()
    await expect(phone.page.get_by_text("Leave it empty for Deputy head of sales, as usual.")).to_be_visible()
    await phone.is_usable()
    await phone.page.get_by_label("Last day").fill(f"{datetime.now(UTC) + timedelta(days=9):%Y-%m-%d}")
    await phone.button("Enter the absence").tap()
    await expect(phone.page.get_by_role("status")).to_contain_text("The absence is entered.")
    await phone.is_usable()

    view_of_hand_over = await contract.wait_for_view(lambda view: view["escalations"])
    assert state_of(view_of_hand_over, DEPUTY) == "turn"
    assert [
        (escalation["from"], escalation["to"], escalation["reason"]) for escalation in view_of_hand_over["escalations"]
    ] == [(ABROAD, DEPUTY, "absence")]
    assert [
        entry["by"] for entry in view_of_hand_over["timeline"] if (entry["what"], entry["who"]) == ("away", ABROAD)
    ] == [ABROAD]
    await phone.inbox(DEPUTY)
    await expect(phone.notice(contract.document).filter(has_text="Sign: ")).to_be_visible()

    await phone.open(contract.link(ABROAD))
    await phone.page.get_by_role("link", name="I am away").tap()
    await expect(phone.page.get_by_text(re.compile("open entr(y takes|ies take) it into account"))).to_be_visible()
    await phone.page.get_by_role("button", name="End it").tap()
    await expect(phone.page.get_by_role("status")).to_contain_text("The absence is ended.")
    assert await phone.page.get_by_role("button", name="End it").count() == 0

    typed = ("people", "away", ABROAD, "--until", "+3d", "--to", DEPUTY, "--kinds", "customer-contract", "--as", LEGAL)
    [entered] = laptop.answer(*typed)["absences"]
    assert (entered["acts"], entered["kinds"]) == (DEPUTY, ["customer-contract"])
    assert entered["entered_by"].startswith(f"claimed:{LEGAL} (")
    assert [absence["id"] for absence in laptop.answer("person", "show", ABROAD)["absences"]] == [entered["id"]]
    assert laptop.answer("people", "back", ABROAD)["absences"] == []
    refused = laptop.type("people", "away", ABROAD, "--until", "+3d", "--to", ABROAD)
    assert (refused.returncode, "acts: the delegates go round in a circle: " in refused.stderr) == (1, True)


@pytest.mark.long
async def test_what_the_request_refuses_is_said_in_words_and_what_was_written_stays(
    second_screen: Page, phone: Phone, laptop: Laptop, people: Path
) -> None:
    contract = await Contract.start(laptop, "refused", first=f"person: {HEAD}", policy=MAY_HAND_OVER)
    await contract.wait_for_view(lambda view: view["choices"])
    await phone.open(contract.link(HEAD))
    async with fresh(second_screen, laptop.addresses["sandbox"]) as another:
        await another.open(contract.link(HEAD))
        await ask(another, "Which annex is meant?")
        await expect(another.page.get_by_text("Not answered yet.")).to_be_visible()

    await ask(phone, "Until when does it hold?")
    await expect(phone.page.get_by_role("alert")).to_have_text("This was not done: a question is open already.")
    await expect(phone.page.get_by_label("What would you like to know?")).to_have_value("Until when does it hold?")
    await phone.is_usable()

    # Whom the directory names by now has asked for the signature and cannot give it.
    with delegate(people, LEGAL):
        await phone.page.get_by_text("Hand over", exact=True).tap()
        await phone.button("Hand over to Deputy head of sales").tap()
        await expect(phone.page.get_by_role("alert")).to_have_text(
            "This was not done: it cannot be handed over to this person any more."
        )
        await expect(phone.button("Read and sign")).to_be_visible()
        await expect(phone.page.get_by_text("Hand over", exact=True)).to_have_count(0)
        await phone.is_usable()
    view = await contract.wait_for_view()
    assert (view["escalations"], state_of(view, HEAD)) == ([], "turn")


async def test_an_onlooker_is_offered_no_command(phone: Phone, waiting: Contract) -> None:
    await phone.open(waiting.link(LEGAL, LinkUse.VIEW))
    assert await phone.page.get_by_role("button").count() == 0


async def ask(phone: Phone, question: str) -> None:
    """Write a question and send it."""
    await phone.page.get_by_text("Ask a question").tap()
    await phone.page.get_by_label("What would you like to know?").fill(question)
    await phone.button("Send the question").tap()
