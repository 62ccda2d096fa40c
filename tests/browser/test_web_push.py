"""Web push from end to end: a page is subscribed from, the sandbox's push service decrypts what our worker sends, and
Chromium shows it.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import httpx
import pytest
from playwright.async_api import Browser, expect

from tests.browser.contract import Contract, state_of
from tests.browser.phone import Phone, fresh, page_of
from tests.browser.pictures import pass_days_until_somebody_else_is_asked
from tests.browser.subscribing import PushedBrowser, play_push_service
from tests.browser.test_desk import session_of
from tests.browser.test_devices import OFFER, ON
from tests.faults.town import eventually
from tests.stack.laptop import Laptop

pytestmark = [pytest.mark.long, pytest.mark.browser, pytest.mark.real_server, pytest.mark.asyncio(loop_scope="session")]
CLERK: Final = "clerk"
_EMPLOYEE: Final = f"""
  - {{id: {CLERK}, name: Clerk, email: clerk@supplier.test, zone: Europe/Amsterdam, groups: [all-staff]}}
"""
_ONBOARDING: Final = """
id: web-customer
customer: {company: Web, name: Web customer, email: web@customer.test, zone: Europe/Paris}
owner: account-executive
stages:
  - name: agreements
    agreements:
      - kind: customer-contract
        document: {file: dpa.pdf, name: Data processing agreement}
        signers: [{person: customer}]
  - name: your details
    steps: [{id: billing, title: Tell us where the invoices go, within: 7d}]
"""
STATUS: Final = "aside [role=status]"


@dataclass
class WebPushedPhone:
    """A phone whose browser gets what the sandbox's push service has for `person`."""

    phone: Phone
    laptop: Laptop
    pushed: PushedBrowser | None = None
    delivered: int = 0

    async def subscribe(self, url: str) -> None:
        """Take the offer of this page, at the second visit."""
        await self.phone.open(url)
        await self.phone.page.wait_for_function("localStorage.getItem('countersign/visited')")
        await self.phone.open(url)
        await self.phone.button(OFFER).tap()
        await expect(self.phone.page.locator(STATUS)).to_have_text(ON)
        self.pushed = await PushedBrowser.of_page(self.phone.page)

    async def receive(self, title: str, person: str) -> dict[str, Any]:
        """The notification with this title, once our worker has sent it and the browser shows it."""
        assert self.pushed

        async def is_sent() -> dict[str, Any] | None:
            return next((push for push in await self._list_pushes(person) if title in push["title"]), None)

        push = await eventually(is_sent)
        payload = {
            "title": push["title"],
            "body": push["text"],
            "link": push["link"],
            "tag": push["key"],
            "silent": json.loads(push["data"]["silent"]),
            "type": push["action"],
        }
        await self.pushed.deliver(json.dumps(payload))
        return await self.pushed.find_notification(push["title"])

    async def _list_pushes(self, person: str) -> list[dict[str, Any]]:
        async with httpx.AsyncClient() as client:
            entries = (await client.get(f"{self.laptop.addresses['sandbox']}/_sandbox/ledger")).json()
        return [
            entry
            for entry in entries
            if entry["type"] == "push" and str(entry["token"]).startswith(f"{person}~browser")
        ]


@asynccontextmanager
async def web_pushed(browser: Browser, laptop: Laptop, person: str) -> AsyncIterator[WebPushedPhone]:
    """A browser without an app; its vendor's push service is the sandbox's."""
    sandbox = laptop.addresses["sandbox"]

    async def subscribe(key: str) -> dict[str, str]:
        async with httpx.AsyncClient() as client:
            answer = await client.post(f"{sandbox}/_sandbox/browsers", json={"person": person, "vapid_key": key})
            subscription: dict[str, str] = answer.raise_for_status().json()
            return subscription

    async with page_of(browser, comes_back=True) as page:
        await play_push_service(page.context, subscribe)
        async with fresh(page, sandbox) as phone:
            yield WebPushedPhone(phone, laptop)


async def sign_in(device: WebPushedPhone, person: str) -> None:
    """As an employee without a device."""
    people = device.laptop.folder / "example" / "people.yaml"
    if f"id: {person}," not in people.read_text():
        people.write_text(people.read_text().rstrip() + _EMPLOYEE)
    base = device.laptop.addresses["receiver"]
    name, cookie = await session_of(device.laptop, person)
    await device.phone.page.context.add_cookies([{"name": name, "value": cookie, "url": base}])
    await device.subscribe(f"{base}/desk/devices")


async def test_an_employee_without_an_app_is_pushed_signs_and_another_s_notice_goes_after_an_escalation(
    browser: Browser, laptop: Laptop
) -> None:
    async with web_pushed(browser, laptop, CLERK) as device:
        await sign_in(device, CLERK)
        assert device.pushed
        await expect(device.phone.page.get_by_text("None of your devices is notified yet.")).to_be_hidden()
        contract = await Contract.start(laptop, "web-pushed", first=f"person: {CLERK}")
        ready = await device.receive(contract.document, CLERK)
        assert (ready["silent"], ready["link"].rpartition("/")[0]) == (False, f"{laptop.addresses['receiver']}/open")
        await device.phone.open(await device.pushed.click(ready["title"]))
        await device.phone.button("Read and sign").tap()
        await device.phone.button("Sign").tap()
        await expect(device.phone.heading("You have signed")).to_be_visible()
        await contract.wait_for_view(lambda view: state_of(view, CLERK) == "signed")
        withdrawal = await device.receive("Signed", CLERK)
        assert (withdrawal["silent"], withdrawal["tag"]) == (True, ready["tag"])

        late = await Contract.start(laptop, "web-late", first=f"person: {CLERK}")
        notice = await device.receive(late.document, CLERK)
        await pass_days_until_somebody_else_is_asked(late)
        replacement = await device.receive("Passed on", CLERK)
        assert replacement["tag"] == notice["tag"]
        assert notice["title"] not in [entry["title"] for entry in await device.pushed.list_notifications()]


async def test_a_customer_who_opened_their_page_gets_its_next_step(browser: Browser, laptop: Laptop) -> None:
    file = laptop.folder / "example" / "web-customer.yaml"
    file.write_text(_ONBOARDING)
    assert laptop.answer("onboard", "start", str(file))["created"]
    page = laptop.answer("onboard", "link", "web-customer")["link"]
    async with web_pushed(browser, laptop, "web-customer") as device:
        await device.phone.finds(page, "1 thing waits for you")
        await device.subscribe(page)
        assert device.pushed
        # A browser behind a link is an addition: Core Signature mails as if it were not there.
        await device.phone.inbox("web")
        await device.phone.notice("Data processing agreement").first.tap()
        await device.phone.button("Sign").tap()
        await expect(device.phone.heading("You have signed")).to_be_visible()
        step = await device.receive("Tell us where the invoices go", "web-customer")
        assert await device.phone.open(await device.pushed.click(step["title"])) == 200
        await expect(device.phone.page.get_by_text("Tell us where the invoices go").first).to_be_visible()
