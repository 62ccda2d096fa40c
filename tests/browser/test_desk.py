"""The desk in a browser: coming in, finding a request, reading why it was declined, and doing something about it."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from http.cookies import SimpleCookie

import pytest
from playwright.async_api import Page, expect
from pydantic import SecretStr
from starlette.responses import Response

from activities.keys import KeyRing
from starter.boot import clients
from starter.config import settings
from starter.web.desk.sessions import Cookies, Session
from tests.browser.contract import CUSTOMER, CUSTOMER_MAIL, EXECUTIVE, LEGAL, Contract, state_of
from tests.browser.phone import Phone, fresh
from tests.browser.test_tasks import start as start_task
from tests.stack.laptop import Laptop

pytestmark = [pytest.mark.long, pytest.mark.browser, pytest.mark.real_server, pytest.mark.asyncio(loop_scope="session")]

WHY = "Clause 4 was never agreed."
_LINES = """button => { const range = document.createRange(); range.selectNodeContents(button);
    return new Set([...range.getClientRects()].map(one => Math.round(one.top))).size; }"""
"""How many lines the words of a button have."""


@asynccontextmanager
async def at_the_desk(screen: Page, laptop: Laptop, person: str) -> AsyncIterator[Phone]:
    """A browser in which somebody has come in."""
    base = laptop.addresses["receiver"]
    async with fresh(screen, laptop.addresses["sandbox"]) as phone:
        name, value = await session_of(laptop, person)
        await screen.context.add_cookies([{"name": name, "value": value, "url": base}])
        await phone.open(f"{base}/desk")
        await expect(phone.heading("At a glance")).to_be_visible()
        yield phone


async def session_of(laptop: Laptop, person: str) -> tuple[str, str]:
    """The cookie of somebody who has come in: for a message there would be a minute to wait."""
    addresses, answer, session = laptop.addresses, Response(), Session.new(person, datetime.now(UTC))
    store = clients.store(settings.load(environment=addresses["env"]))
    await store.desk_sessions.begin(session.nonce_sha256, person, session.since)
    store.close()
    cookies = Cookies(KeyRing([SecretStr(addresses["env"]["COUNTERSIGN_LINK_SECRET"])]), addresses["receiver"])
    cookies.keep_session(answer, session)
    [(name, cookie), *_] = SimpleCookie(answer.headers["set-cookie"]).items()
    return name, cookie.value


async def begin(desk: Page, kind: str) -> None:
    """Choose something under New, on the first page of the desk."""
    await desk.locator("details.new > summary").click()
    await desk.get_by_role("link", name=kind).click()


async def come_in(phone: Phone, laptop: Laptop, person: str) -> None:
    """Ask for a way in, and take the link."""
    await ask(phone, laptop, person)
    await phone.inbox(person)
    notice = phone.page.get_by_role("link").filter(has_text="Sign in").first
    await notice.click()
    await phone.button("Sign in").click()
    await expect(phone.heading("At a glance")).to_be_visible()


async def ask(phone: Phone, laptop: Laptop, person: str) -> None:
    """Ask for a way in, from the first page there is."""
    await phone.open(laptop.addresses["receiver"])
    await phone.page.get_by_role("link", name="To the desk").click()
    await phone.page.get_by_label("Your id or email address").fill(person)
    await phone.button("Send me a link").click()
    await expect(phone.heading("Look at your phone")).to_be_visible()


async def test_a_laptop_is_let_in_by_the_number_on_the_phone(second_screen: Page, laptop: Laptop, phone: Phone) -> None:
    async with fresh(second_screen, laptop.addresses["sandbox"]) as another:
        await another.open(laptop.addresses["receiver"])
        await another.is_usable()
        await ask(another, laptop, "hr-desk")
        await another.is_usable()
        await phone.inbox("hr-desk")
        notice = phone.page.get_by_role("link").filter(has_text="Sign in").first
        code = re.search(r"\b\d{6}\b", await notice.inner_text())
        assert code
        await another.page.get_by_label("Six-digit number").fill(code[0])
        await another.button("Sign in").tap()
        await expect(another.heading("At a glance")).to_be_visible()
        await another.is_usable()
        await another.button("Sign out").tap()
        await expect(another.heading("Sign in")).to_be_visible()


async def test_who_asked_finds_moves_pauses_and_cancels_a_request(second_screen: Page, laptop: Laptop) -> None:
    contract = await Contract.start(laptop, "desk-moved")
    await contract.wait_for_view(lambda view: view["waiting_for"])
    async with at_the_desk(second_screen, laptop, LEGAL) as desk:
        await desk.page.get_by_role("link", name="Asked by me").tap()
        await expect(desk.heading("Asked by me")).to_be_visible()
        row = desk.page.get_by_role("link", name=contract.document)
        await desk.again_until(row)
        await desk.is_usable()
        await desk.open(f"{laptop.addresses['receiver']}/desk/asked?person={EXECUTIVE}")
        await expect(row).to_have_count(0)
        await desk.page.get_by_label("Waiting for (name or id)").fill(CUSTOMER)
        await desk.button("Show").tap()
        await expect(desk.page).to_have_url(re.compile(f"={CUSTOMER}"))
        # A row is there before the index knows whom it waits for.
        await desk.again_until(row)
        await desk.is_usable()
        await row.tap()
        await expect(desk.page.get_by_text("Waiting for Customer signer.")).to_be_visible()
        await desk.is_usable()

        await desk.page.get_by_role("link", name="Move the due date").tap()
        due = (datetime.now(UTC) + timedelta(days=60)).date()
        await desk.page.get_by_label("New due date").fill(due.isoformat())
        await desk.is_usable()
        await desk.button("Move the due date").tap()
        await expect(desk.page.get_by_role("status")).to_have_text("The due date was moved.")
        moved_text = re.compile(rf"Legal desk moved the due date to \w+, {due:%-d %b %Y}")
        await expect(desk.page.get_by_text(moved_text)).to_be_visible()

        await desk.page.get_by_role("link", name="Cancel the request").tap()
        await desk.page.get_by_label("Why").fill("no longer needed")
        await desk.is_usable()
        await desk.button("Cancel the request").tap()
        await expect(desk.page.get_by_role("status")).to_be_visible()
        await desk.again_until(desk.page.get_by_text("It was cancelled (Legal desk)"))
        await expect(desk.page.get_by_role("link", name="Cancel the request")).to_have_count(0)
        await desk.is_usable()
    assert (await contract.wait_for_view(lambda view: view["status"] == "cancelled"))["timeline"]


async def test_a_question_is_answered_and_a_reason_to_decline_is_read(
    second_screen: Page, laptop: Laptop, phone: Phone
) -> None:
    contract = await Contract.start(laptop, "desk-declined")
    await contract.wait_for_view(lambda view: view["choices"])
    await phone.open(contract.link(CUSTOMER))
    await phone.page.get_by_text("Ask a question").tap()
    await phone.page.get_by_label("What would you like to know?").fill("Which annex is meant?")
    await phone.button("Send the question").tap()
    async with at_the_desk(second_screen, laptop, LEGAL) as desk:
        await desk.open(f"{laptop.addresses['receiver']}/desk/requests/{contract.id}")
        await desk.again_until(desk.page.get_by_text("Which annex is meant?"))
        await desk.page.get_by_role("link", name="Answer the question", exact=True).tap()
        await desk.page.get_by_label("Your answer").fill("Annex B.")
        await desk.is_usable()
        await desk.button("Answer the question").tap()
        await expect(desk.page.get_by_text("Annex B.")).to_be_visible()

        await phone.open(await contract.signing_page(CUSTOMER_MAIL))
        await phone.page.get_by_text("Decline instead").tap()
        await phone.page.get_by_role("textbox").fill(WHY)
        await phone.button("Decline").tap()
        await contract.wait_for_view(lambda view: state_of(view, CUSTOMER) == "declined")
        await desk.again_until(desk.page.get_by_text("Customer signer declined, with these words:"))
        await expect(desk.page.get_by_text(WHY).first).to_be_visible()
        await desk.is_usable()


async def test_a_task_is_found_by_words_of_its_title_and_a_person(second_screen: Page, laptop: Laptop) -> None:
    await start_task(laptop, "desk-lanyards", "Order the lanyards")
    async with at_the_desk(second_screen, laptop, LEGAL) as desk:
        await desk.open(f"{laptop.addresses['receiver']}/desk/asked")
        await desk.page.get_by_role("searchbox").fill("lany order")
        await desk.button("Search").tap()
        await expect(desk.page.get_by_role("searchbox")).to_have_value("lany order")
        await expect(desk.page.get_by_role("link", name="Order the lanyards")).to_be_visible()
        await desk.is_usable()
        assert await desk.button("Search").evaluate(_LINES) == 1, "its word is broken"
        await desk.page.get_by_role("searchbox").fill("nothing-of-the-kind")
        await desk.button("Search").tap()
        await expect(desk.page.get_by_text("There is nothing to show.")).to_be_visible()


async def test_a_task_is_found_beside_requests_and_waived(second_screen: Page, laptop: Laptop) -> None:
    await start_task(laptop, "desk-badges", "Print the badges")
    async with at_the_desk(second_screen, laptop, LEGAL) as desk:
        await desk.open(f"{laptop.addresses['receiver']}/desk/asked?what=task")
        row = desk.page.get_by_role("link", name="Print the badges")
        await desk.again_until(row)
        await desk.is_usable()
        await row.tap()
        await expect(desk.page.get_by_text("One for everybody.")).to_be_visible()
        await desk.is_usable()
        await desk.page.get_by_role("link", name="Waive the task").tap()
        await desk.page.get_by_label("Why").fill("Nobody moves in.")
        await desk.is_usable()
        await desk.button("Waive the task").tap()
        await expect(desk.page.get_by_text("Legal desk waived it")).to_be_visible()
        await expect(desk.page.get_by_text("Nobody moves in.")).to_be_visible()


async def test_an_owner_finds_an_onboarding_and_looks_at_what_the_customer_sees(
    second_screen: Page, laptop: Laptop
) -> None:
    file = laptop.folder / "example" / "umbrella.yaml"
    example = (laptop.folder / "example" / "acme.yaml").read_text()
    file.write_text(example.replace("id: acme", "id: umbrella").replace("name: Acme", "name: Umbrella"))
    assert laptop.answer("onboard", "start", str(file))["created"]
    async with at_the_desk(second_screen, laptop, "account-executive") as desk:
        await desk.open(f"{laptop.addresses['receiver']}/desk/onboardings")
        row = desk.page.get_by_role("link", name="Umbrella")
        await desk.again_until(row)
        await desk.is_usable()
        await row.tap()
        await expect(desk.heading("Umbrella")).to_be_visible()
        await desk.is_usable()
        await desk.page.get_by_role("link", name="See what the customer sees").tap()
        await expect(desk.page.get_by_text("A preview of what the customer sees.")).to_be_visible()


async def test_a_manager_comes_in_by_the_link_and_sees_what_waits_for_their_people(
    second_screen: Page, laptop: Laptop, waiting: Contract
) -> None:
    async with fresh(second_screen, laptop.addresses["sandbox"]) as desk:
        await come_in(desk, laptop, "chair")
        await desk.page.get_by_role("link", name="My people").tap()
        await desk.page.get_by_role("link", name=waiting.document, exact=True).tap()
        await expect(desk.page.get_by_role("heading", name="What happened")).to_be_visible()
        await desk.page.get_by_role("link", name="Needs attention").tap()
        await expect(desk.heading("Needs attention")).to_be_visible()
        await desk.is_usable()


async def test_an_owner_watches_a_campaign_and_a_manager_has_their_own_people_reminded(
    second_screen: Page, laptop: Laptop
) -> None:
    # Whoever manages somebody in the example is an operator as well.
    with (laptop.folder / "example" / "people.yaml").open("a") as example:
        for id, manager in (("team-lead", ""), ("newcomer", ", manager: team-lead")):
            fields = f"email: {id}@supplier.test, zone: Europe/Amsterdam, devices: [{{token: {id}~1, platform: web}}]"
            example.write(f"  - {{id: {id}, name: A {id}, {fields}{manager}}}\n")
    file = laptop.folder / "example" / "conduct.yaml"
    people = "account-executive, hr-desk, success-desk, customer-signer, newcomer"
    file.write_text(
        "id: conduct-2026\nkind: policy-acknowledgement\nowner: chair\n"
        'document: {file: msa.pdf, name: Code of conduct 2026, version: "2026.1", effective: 2026-11-01}\n'
        f"audience: {{people: [{people}]}}\n"
    )
    assert laptop.answer("campaign", "start", str(file))["created"]
    async with at_the_desk(second_screen, laptop, "chair") as desk:
        await desk.page.get_by_role("link", name="Campaigns").tap()
        await expect(desk.page).to_have_url(re.compile("/desk/campaigns"))
        row = desk.page.get_by_role("link", name="Code of conduct 2026")
        await desk.again_until(desk.page.get_by_text("0 of 5 · 5 open"))
        await desk.is_usable()
        await desk.choose(row)
        await expect(desk.heading("Code of conduct 2026")).to_be_visible()
        await desk.again_until(desk.page.locator(".missing").get_by_text("asked", exact=True).nth(4))
        await desk.again_until(desk.page.get_by_role("img", name="The line of acknowledgements"))
        await desk.is_usable()
        await desk.page.get_by_role("link", name="Stop the campaign").tap()
        await expect(desk.heading("Stop the campaign")).to_be_visible()
        await desk.is_usable()
    async with at_the_desk(second_screen, laptop, "team-lead") as desk:
        await desk.open(f"{laptop.addresses['receiver']}/desk/campaigns/conduct-2026")
        await expect(desk.page.get_by_text("0 of your 1 people have acknowledged.")).to_be_visible()
        await expect(desk.page.get_by_text("HR desk")).to_have_count(0)
        await desk.is_usable()
        await desk.choose(desk.button("Remind A newcomer now"))
        await expect(desk.page.get_by_role("alert")).to_contain_text("they were told less than an hour ago.")
        await desk.is_usable()
