"""A worker without a mailbox is asked by SMS, and signs on another's device by a link that the desk hands over."""

import asyncio
import base64
from pathlib import Path
from typing import Any, Final
from zipfile import ZipFile

import httpx
import pytest
import segno
from playwright.async_api import Browser, Page, expect

from tests.browser.contract import LEGAL, Contract, state_of
from tests.browser.phone import Phone, fresh, page_of
from tests.browser.test_desk import at_the_desk
from tests.faults.town import eventually
from tests.stack.laptop import Laptop

pytestmark = [pytest.mark.long, pytest.mark.browser, pytest.mark.real_server, pytest.mark.asyncio(loop_scope="session")]
DRIVER, NUMBER = "driver", "+31205550100"
_WORKER: Final = f"""
  - {{id: {DRIVER}, name: Dana Driver, zone: Europe/Amsterdam, phone: "{NUMBER}"}}
"""
_READ_MODULES: Final = """async ([picture, size]) => {
  const bytes = Uint8Array.from(atob(picture), character => character.charCodeAt(0));
  const image = await createImageBitmap(new Blob([bytes], {type: "image/png"}));
  const context = new OffscreenCanvas(image.width, image.height).getContext("2d");
  context.drawImage(image, 0, 0);
  const isDark = (column, row) => context.getImageData(
    (column + 0.5) * image.width / size, (row + 0.5) * image.height / size, 1, 1).data[0] < 128;
  const numbers = [...Array(size).keys()];
  return numbers.map(row => numbers.map(column => isDark(column, row)));
}"""
_KEPT: Final = "() => [localStorage.length, sessionStorage.length, document.cookie]"


async def test_a_worker_without_a_mailbox_is_asked_by_sms_and_signs_by_a_code_at_the_desk(
    browser: Browser, second_screen: Page, laptop: Laptop, tmp_path: Path
) -> None:
    people = laptop.folder / "example" / "people.yaml"
    people.write_text(people.read_text().rstrip() + _WORKER)
    contract = await Contract.start(laptop, "by-code", first=f"person: {DRIVER}")
    text_message = await eventually(lambda: find_text_message(laptop))
    assert contract.document in text_message["text"]

    link = await hand_over(second_screen, laptop, contract)
    async with page_of(browser, comes_back=True) as page, fresh(page, laptop.addresses["sandbox"]) as device:
        await sign_by(device, link, contract)
        cookies = await page.context.cookies(laptop.addresses["receiver"])
        assert (await page.evaluate(_KEPT), cookies) == ([0, 0, ""], [])
        assert await device.open(link) == 410
        await expect(device.heading("This link is no longer valid")).to_be_visible()
        await device.is_usable()

    view = await contract.wait_for_view(lambda view: state_of(view, DRIVER) == "signed")
    handed = [entry for entry in view["timeline"] if entry["happened"] == "link_handed"]
    assert [(entry["who"], entry["by"]) for entry in handed] == [(DRIVER, LEGAL)]
    await contract.cancel()
    await contract.wait_for_view(lambda view: view["status"] == "cancelled")
    await in_pack(laptop, contract, tmp_path / "by-code.zip", link)


async def find_text_message(laptop: Laptop) -> dict[str, Any] | None:
    async with httpx.AsyncClient() as client:
        entries = (await client.get(f"{laptop.addresses['sandbox']}/_sandbox/ledger")).json()
    messages = [entry for entry in entries if entry["type"] == "message" and entry["kind"] == "sms"]
    return next((message for message in messages if message["to"].endswith(NUMBER.removeprefix("+"))), None)


async def hand_over(screen: Page, laptop: Laptop, contract: Contract) -> str:
    """The address that the desk shows, and as a code."""
    async with at_the_desk(screen, laptop, LEGAL) as desk:
        await desk.open(f"{laptop.addresses['receiver']}/desk/requests/{contract.id}")
        await desk.again_until(desk.page.get_by_role("link", name="Hand over a link"))
        await desk.page.get_by_role("link", name="Hand over a link").tap()
        await desk.page.get_by_label("Signer").select_option(DRIVER)
        await desk.is_usable()
        await desk.button("Hand over a link").tap()
        code = desk.page.get_by_role("img", name="QR code of the link")
        await expect(code).to_be_visible()
        await desk.is_usable()
        link = await desk.page.locator("#link").get_attribute("href")
        assert link
        modules = [[bool(module) for module in row] for row in segno.make_qr(link).matrix_iter()]
        assert await read_modules(desk.page, await code.locator("svg").screenshot(), len(modules)) == modules
        return link


async def read_modules(page: Page, picture: bytes, size: int) -> list[list[bool]]:
    """Whether the centre of each module is dark, as a scanner sees a code of so many modules with its border."""
    modules: list[list[bool]] = await page.evaluate(_READ_MODULES, [base64.b64encode(picture).decode(), size])
    return modules


async def sign_by(device: Phone, link: str, contract: Contract) -> None:
    """Look twice, as a scanner does before; press, sign, and come back."""
    for _ in range(2):
        await device.open(link)
        await expect(device.heading("Your signature is needed")).to_be_visible()
    assert await device.acts() == {"sign"}
    await device.is_usable()
    await device.button("Read and sign").tap()
    await expect(device.heading(contract.document)).to_be_visible()
    await device.button("Sign").tap()
    await expect(device.heading("You have signed")).to_be_visible()
    await device.page.get_by_role("link", name="Back to where you came from").tap()
    await expect(device.heading("Thank you")).to_be_visible()
    await expect(device.page.get_by_text(contract.document)).to_have_count(0)
    await device.is_usable()


async def in_pack(laptop: Laptop, contract: Contract, path: Path, link: str) -> None:
    """The pack says who handed over a link and to whom, and has no link."""
    await asyncio.to_thread(laptop.answer, "audit", "export", contract.id, "-o", str(path))
    with ZipFile(path) as pack:
        parts = [pack.read(name) for name in pack.namelist()]
    timelines = [part for part in parts if b"link_handed" in part]
    assert timelines and all(DRIVER.encode() in part and LEGAL.encode() in part for part in timelines)
    assert not any(link.rpartition("/")[2].encode() in part for part in parts)
