"""A page that a browser subscribes from: offered at the second visit, renewed without asking, and whole without it."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import urljoin

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from activities.people.subscriptions import make_web_push_key
from starter.web.screens.web_app import KEY_SECONDS
from tests.browser.phone import Phone, fresh, page_of
from tests.browser.subscribing import PushedBrowser, play_push_service
from tests.faults.town import eventually
from tests.servers import free_ports
from tests.starter.web import paging
from tests.starter.web.pages.test_journey_pages import ACME, link, make_onboarding_view, request, set_views, task
from tests.starter.web.pages.test_link_devices import ENDPOINT, KEYS, OURS
from tests.starter.web.paging import FIRST, NOW
from workflows.kinds import referred

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
OFFER, STOP, ON = "Notify me on this device", "Stop notifying this device", "This device is notified."
PREFIX = "/people"
"""A proxy may put our pages below any path."""
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 Version/17.0 Mobile Safari/604.1"


@pytest_asyncio.fixture(loop_scope="session")
async def customer(tmp_path: Path) -> AsyncIterator[paging.Phone]:
    async with paging.phone(tmp_path, port=free_ports(1)[0], below=PREFIX) as opened_phone:
        set_views(opened_phone, make_onboarding_view(), request(1, FIRST), task(FIRST))
        await opened_phone.store.web_push_keys.add(OURS, NOW)
        yield opened_phone


@asynccontextmanager
async def browser_of_its_own(browser: Browser, *, answers: bool = True) -> AsyncIterator[Phone]:
    """Its push service gives another endpoint each time, or never `answers`."""
    endpoint_count = 0

    async def subscribe(_: str) -> dict[str, str]:
        nonlocal endpoint_count
        endpoint_count += 1
        return {"endpoint": f"{ENDPOINT}{endpoint_count}", **KEYS}

    async with page_of(browser, comes_back=True) as page:
        await play_push_service(page.context, subscribe)
        if not answers:
            await page.add_init_script("PushManager.prototype.subscribe = () => new Promise(() => { asked = true; });")
        async with fresh(page, "") as phone:
            yield phone


@pytest_asyncio.fixture(loop_scope="session")
async def device(browser: Browser) -> AsyncIterator[Phone]:
    async with browser_of_its_own(browser) as phone:
        yield phone


async def endpoints(customer: paging.Phone) -> list[str]:
    """What is subscribed behind the customer's link."""
    by_person = await customer.store.link_subscriptions.list_for([referred(ACME).workflow_id])
    return [subscription.endpoint for subscription in by_person.get(FIRST, ())]


def address(customer: paging.Phone) -> str:
    return urljoin(str(customer.browser.base_url), f"{PREFIX}{link(customer)}")


async def visit_twice(device: Phone, customer: paging.Phone) -> None:
    await device.open(address(customer))
    await device.page.wait_for_function("localStorage.getItem('countersign/visited')")
    await expect(device.button(OFFER)).to_be_hidden()
    await device.open(address(customer))
    await expect(device.button(OFFER)).to_be_visible()


async def test_what_is_pushed_is_shown_replaces_what_it_is_about_and_opens_its_page(
    device: Phone, customer: paging.Phone
) -> None:
    await visit_twice(device, customer)
    await device.is_usable()
    await device.tab_to(device.button(OFFER))
    await device.page.keyboard.press("Enter")
    await expect(device.page.locator("aside [role=status]")).to_have_text(ON)
    await expect(device.button(STOP)).to_be_focused()
    await device.is_usable()
    assert await endpoints(customer) == [f"{ENDPOINT}1"]

    pushed = await PushedBrowser.of_page(device.page)
    ready = {"title": "Sign: MSA", "body": "Due Friday", "tag": "t1", "link": address(customer), "silent": False}
    await pushed.deliver(json.dumps(ready | {"type": "ready"}))
    assert await pushed.find_notification("Sign: MSA") == ready
    withdrawal = ready | {"title": "Signed", "body": "Nothing left to do.", "silent": True}
    await pushed.deliver(json.dumps(withdrawal))
    await pushed.find_notification("Signed")
    assert await pushed.list_notifications() == [withdrawal]
    await device.page.goto("about:blank")
    await pushed.wait_until_left(address(customer))
    assert await pushed.click("Signed") == address(customer)
    assert await pushed.list_notifications() == []


async def test_whatever_is_pushed_something_is_shown_and_only_pages_of_ours_or_https_are_opened(
    device: Phone, customer: paging.Phone
) -> None:
    await visit_twice(device, customer)
    await device.button(OFFER).tap()
    await expect(device.page.locator("aside [role=status]")).to_have_text(ON)
    pushed, base = await PushedBrowser.of_page(device.page), urljoin(str(customer.browser.base_url), f"{PREFIX}/")
    for payload in ("{", "[]", "null", '{"title": 7, "body": {}, "tag": []}'):
        await pushed.deliver(payload)
        neutral = await pushed.find_notification("Acme")
        assert (neutral["body"], neutral["link"]) == ("There is something new for you.", base)
        await pushed.click("Acme")
    for number, (pushed_link, opened) in enumerate(
        [
            ("https://sign.example/x", "https://sign.example/x"),
            ("javascript:alert(1)", base),
            ("http://evil.test", base),
        ]
    ):
        await pushed.deliver(json.dumps({"title": f"T{number}", "link": pushed_link}))
        shown = await pushed.find_notification(f"T{number}")
        assert shown["link"] == opened


async def test_after_a_new_key_it_subscribes_again_without_asking_and_what_is_stopped_stays_so(
    device: Phone, customer: paging.Phone
) -> None:
    await visit_twice(device, customer)
    await device.button(OFFER).tap()
    await expect(device.page.locator("aside [role=status]")).to_have_text(ON)
    await customer.store.web_push_keys.add(make_web_push_key(), NOW + timedelta(days=1))
    customer.watch.now += KEY_SECONDS
    await device.open(address(customer))
    await expect(device.page.locator("aside [role=status]")).to_have_text(ON)
    assert await endpoints(customer) == [f"{ENDPOINT}2"]
    await device.button(STOP).tap()
    await expect(device.page.locator("aside [role=status]")).to_have_text("This device is not notified any more.")
    await expect(device.button(OFFER)).to_be_visible()
    assert await endpoints(customer) == []
    await device.open(address(customer))
    await expect(device.button(OFFER)).to_be_visible()
    assert await endpoints(customer) == []


async def test_what_the_browser_changes_by_itself_its_service_worker_tells(
    device: Phone, customer: paging.Phone
) -> None:
    await visit_twice(device, customer)
    await device.button(OFFER).tap()
    await expect(device.page.locator("aside [role=status]")).to_have_text(ON)
    pushed = await PushedBrowser.of_page(device.page)
    await pushed.change_subscription(f"{ENDPOINT}1", f"{ENDPOINT}9", KEYS)
    assert await endpoints(customer) == [f"{ENDPOINT}9"]


async def test_a_push_service_that_does_not_answer_is_given_up_after_ten_seconds(
    browser: Browser, customer: paging.Phone
) -> None:
    async with browser_of_its_own(browser, answers=False) as device:
        await visit_twice(device, customer)
        await device.page.clock.install()
        await device.button(OFFER).tap()
        await eventually(lambda: device.page.evaluate("window.asked"))
        await device.page.clock.run_for(10_000)
        await expect(device.page.locator("aside [role=status]")).to_have_text(
            "The push service of your browser does not answer. Please try again later."
        )
        assert await endpoints(customer) == []


async def test_an_iphone_is_led_to_its_home_screen(browser: Browser, customer: paging.Phone) -> None:
    context = await browser.new_context(user_agent=IPHONE, viewport={"width": 390, "height": 844})
    try:
        page = await context.new_page()
        await page.add_init_script("delete window.PushManager;")
        await page.goto(address(customer))
        await page.wait_for_function("localStorage.getItem('countersign/visited')")
        await page.goto(address(customer))
        await expect(page.locator("aside [role=status]")).to_contain_text("add this page to the home screen")
        await expect(page.get_by_role("button", name=OFFER)).to_be_hidden()
    finally:
        await context.close()


async def test_without_scripts_or_where_notices_are_blocked_nothing_is_offered(
    without_scripts: Page, device: Phone, customer: paging.Phone
) -> None:
    await without_scripts.goto(address(customer))
    await expect(without_scripts.locator("aside.device")).to_be_hidden()
    await visit_twice(device, customer)
    await device.page.add_init_script("Object.defineProperty(Notification, 'permission', { get: () => 'denied' });")
    await device.open(address(customer))
    await expect(device.page.locator("aside.device")).to_be_hidden()
