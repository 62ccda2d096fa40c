"""The page of a customer's onboarding in a browser: usable by thumb, key and ear, live, and whole without scripts."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urljoin

import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, expect

from activities.notifications.links import LinkUse
from starter.web.screens.screens import ScreenName
from tests.browser.phone import Phone, fresh
from tests.stack.laptop import Laptop
from tests.starter.web import paging
from tests.starter.web.pages.test_journey_pages import (
    COLLEAGUE,
    DPA,
    MSA,
    link,
    make_onboarding_view,
    make_part_link,
    request,
    set_views,
    task,
)
from tests.starter.web.paging import DUTCH, FIRST, NOW
from workflows.model.subject import Status

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@pytest_asyncio.fixture(loop_scope="session")
async def customer(tmp_path: Path) -> AsyncIterator[paging.Phone]:
    async with paging.phone(tmp_path) as opened_phone:
        set_views(opened_phone, make_onboarding_view(), request(1, FIRST), task(FIRST))
        yield opened_phone


def make_address(customer: paging.Phone, path: str) -> str:
    return urljoin(str(customer.browser.base_url), path)


def part(phone: Phone, name: str) -> Locator:
    """What is in one place of the page."""
    return phone.page.get_by_role("region", name=name, exact=True)


async def test_the_page_is_usable_by_thumb_and_by_key_and_its_buttons_say_of_what_they_are(
    phone: Phone, customer: paging.Phone
) -> None:
    await phone.open(make_address(customer, link(customer)))
    await phone.is_usable()
    way = part(phone, "Your turn").get_by_role("link", name="Read and sign")
    await expect(way).to_have_accessible_description(MSA)
    await phone.tab_to(way)
    await phone.page.keyboard.press("Enter")
    await expect(phone.page).to_have_url(
        make_address(customer, make_part_link(customer, FIRST, LinkUse.SIGN, "acme.1.1"))
    )


async def test_the_page_moves_by_itself_keeps_the_focus_and_says_so(phone: Phone, customer: paging.Phone) -> None:
    await phone.open(make_address(customer, link(customer)))
    step = part(phone, "Your turn").get_by_role("link", name="Open this step")
    await phone.tab_to(step)
    await phone.page.evaluate("window.stays = true")
    signed = make_onboarding_view().stages[0].agreements[0].replace(state="done", status=Status.SIGNED, at=NOW)
    stage = make_onboarding_view().stages[0]
    set_views(customer, make_onboarding_view(stage.replace(agreements=(signed, *stage.agreements[1:]))), task(FIRST))
    customer.watch.now += 10
    await expect(part(phone, "Done")).to_contain_text(MSA)
    await expect(phone.page.get_by_role("status")).to_have_text("1 thing waits for you")
    await expect(step).to_be_focused()
    assert await phone.page.evaluate("window.stays"), "without a reload"

    set_views(customer, make_onboarding_view(status=Status.DONE))
    customer.watch.now += 10
    await expect(phone.heading("Onboarding completed")).to_be_visible()
    await expect(phone.page.locator("main[data-version]")).to_have_count(0)
    await phone.is_usable()


async def test_without_scripts_the_page_is_whole_and_looked_at_again_by_hand(
    without_scripts: Page, customer: paging.Phone
) -> None:
    async with fresh(without_scripts, "") as phone:
        await phone.open(make_address(customer, link(customer)))
        for text in (MSA, DPA, "Create the account"):
            await expect(phone.page.get_by_text(text).first).to_be_visible()
        set_views(customer, make_onboarding_view(status=Status.CANCELLED))
        customer.watch.now += 10
        await phone.page.get_by_role("link", name="Look again").tap()
        await expect(phone.page.get_by_text("Look again")).to_have_count(0)


async def test_a_preview_has_nothing_to_press_and_every_language_fits(phone: Phone, customer: paging.Phone) -> None:
    preview = link(customer, use=LinkUse.PREVIEW, expires_at=NOW + timedelta(minutes=5))
    await phone.open(make_address(customer, preview))
    await expect(part(phone, "Your turn").get_by_role("link")).to_have_count(0)
    await phone.is_usable()
    set_views(customer, make_onboarding_view(customer=DUTCH, colleagues=(COLLEAGUE,)), request(1, DUTCH), task(DUTCH))
    customer.watch.now += 10
    await phone.open(make_address(customer, link(customer, DUTCH)))
    await expect(phone.page.get_by_role("heading", name="Nu aan u")).to_be_visible()
    await phone.is_usable()


@pytest.mark.long
@pytest.mark.real_server
async def test_a_customer_is_led_from_their_page_to_the_signature_and_the_page_has_moved(
    phone: Phone, laptop: Laptop
) -> None:
    file = laptop.folder / "example" / "initech.yaml"
    file.write_text((laptop.folder / "example" / "acme.yaml").read_text().replace("id: acme", "id: initech"))
    assert laptop.answer("onboard", "start", str(file))["created"]
    page = laptop.answer("onboard", "link", "initech")["link"]
    await phone.finds(page, "2 things wait for you")
    await phone.is_usable()
    await part(phone, "Your turn").get_by_role("link", name="Read and sign").first.tap()
    await expect(phone.button("Read and sign")).to_be_visible()
    agreement = phone.page.url
    await phone.button("Read and sign").tap()
    await phone.button("Sign").tap()
    await expect(phone.heading("You have signed")).to_be_visible()
    await phone.finds(page, "1 thing waits for you")
    await expect(part(phone, "With us")).to_contain_text(MSA.removesuffix(" <i>"))

    preview = laptop.answer("onboard", "preview", "initech")["link"]
    await phone.open(preview)
    await expect(phone.page.get_by_text("A preview of what the customer sees.")).to_be_visible()
    await expect(phone.page.locator("main").get_by_role("link")).to_have_count(0)
    laptop.answer("onboard", "link", "initech", "--renew")
    for old_link in (page, agreement):
        await phone.open(old_link)
        await expect(phone.screen(ScreenName.RENEWED)).to_be_visible()
    await phone.button("Send me a new link").tap()
    await expect(phone.screen(ScreenName.LINK_SENT)).to_be_visible()
    await phone.inbox("customer-signer")
    await phone.notice("Your page: ").tap()
    await expect(phone.heading("1 thing waits for you")).to_be_visible()
    laptop.answer("onboard", "cancel", "initech", "--reason", "seen")
