"""The signed document comes along: everybody has signed, it is kept, signer and requester download what is there."""

import asyncio
import hashlib
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Locator, Page, expect

from tests.browser.contract import CUSTOMER, EXECUTIVE_MAIL, LEGAL, Contract
from tests.browser.phone import Phone, fresh
from tests.browser.test_desk import at_the_desk
from tests.stack.laptop import Laptop

pytestmark = [pytest.mark.long, pytest.mark.browser, pytest.mark.real_server, pytest.mark.asyncio(loop_scope="session")]


async def test_signer_and_requester_download_what_core_signature_has(
    without_scripts: Page, second_screen: Page, laptop: Laptop
) -> None:
    contract = await Contract.start(laptop, "comes-along")
    async with fresh(without_scripts, laptop.addresses["sandbox"]) as phone:
        await phone.open(contract.link(CUSTOMER))
        await phone.button("Read and sign").tap()
        await phone.button("Sign").tap()
        await expect(phone.heading("You have signed")).to_be_visible()
        await phone.open(await contract.signing_page(EXECUTIVE_MAIL))
        await phone.button("Sign").tap()
        view = await contract.wait_for_view(lambda view: view["signed_document"] and view["signing_log"])
        document, log = (view[name]["sha256"] for name in ("signed_document", "signing_log"))
        assert document == await contract.hash_at_core_signature()

        await phone.open(contract.link(CUSTOMER))
        await phone.again_until(link(phone, "Download the signed document"))
        assert await read_download(phone, "Download the signed document") == ("comes-along-document.pdf", document)
        assert await read_download(phone, "Signing log") == ("comes-along-signing-log.pdf", log)
    async with at_the_desk(second_screen, laptop, LEGAL) as desk:
        await desk.open(f"{laptop.addresses['receiver']}/desk/requests/{contract.id}")
        await desk.is_usable()
        assert await read_download(desk, "Download the signed document") == ("comes-along-document.pdf", document)
        await desk.page.reload()
        for text in ("Customer signer downloaded the document", "Legal desk downloaded the document"):
            await expect(desk.page.get_by_text(re.compile(text, re.IGNORECASE))).to_be_visible()


async def test_the_buttons_fit_and_can_be_read(phone: Phone, laptop: Laptop) -> None:
    contract = await Contract.start(laptop, "comes-along-refused")
    await phone.open(contract.link(CUSTOMER))
    await phone.button("Read and sign").tap()
    await phone.page.get_by_text("Decline instead").tap()
    await phone.page.get_by_label("Why do you decline?").fill("The price is not what we agreed on.")
    await phone.button("Decline").tap()
    await contract.wait_for_view(lambda view: view["signed_document"])
    await phone.open(contract.link(CUSTOMER))
    await phone.again_until(link(phone, "Download the document"))
    await phone.is_usable()
    name, _ = await read_download(phone, "Download the document")
    assert name == "comes-along-refused-document.pdf"


def link(phone: Phone, label: str) -> Locator:
    return phone.page.get_by_role("link", name=label, exact=True)


async def read_download(phone: Phone, label: str) -> tuple[str, str]:
    """The name and the SHA-256 of what comes behind a button."""
    async with phone.page.expect_download() as coming:
        await link(phone, label).tap()
    download: Any = await coming.value
    content = await asyncio.to_thread(Path(await download.path()).read_bytes)
    assert content.startswith(b"%PDF-")
    return download.suggested_filename, hashlib.sha256(content).hexdigest()
