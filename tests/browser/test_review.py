"""A whole review: begun at the desk with a reviewer, sent back from a phone, revised at the desk, approved; then the
signer hears of it.
"""

import re
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.browser.contract import EXECUTIVE, LEGAL
from tests.browser.phone import Phone
from tests.browser.test_begin import fill_in_the_document, with_a_mouse
from tests.browser.test_desk import at_the_desk
from tests.browser.test_desk import begin as begin_at_desk
from tests.stack.laptop import Laptop

pytestmark = [pytest.mark.long, pytest.mark.browser, pytest.mark.real_server, pytest.mark.asyncio(loop_scope="session")]

WIDE = 1280
REVIEWER, SIGNER = "Chief executive", "Operating officer"
READY = "A document is ready to review"


async def choose(desk: Phone, box: str, typed: str, name: str) -> None:
    """Somebody of the directory, by what is offered while one types."""
    await desk.page.set_viewport_size({"width": WIDE, "height": 900})
    await desk.page.get_by_role("combobox", name=re.compile(f"^{box}")).press_sequentially(typed)
    await desk.page.get_by_role("option", name=re.compile(name)).click()
    await expect(desk.button(f"Remove {name}")).to_be_visible()
    await desk.is_usable()


async def begin(desk: Phone, pdf: Path, name: str) -> None:
    await begin_at_desk(desk.page, "New request")
    await fill_in_the_document(desk, pdf, name)
    await desk.button("Go on").click()
    await choose(desk, "Add somebody of the directory", "opera off", SIGNER)
    await desk.button("Go on").click()
    await choose(desk, "Add a reviewer", "chief", REVIEWER)
    await desk.button("Go on").click()
    await desk.button("Go on").click()
    await expect(desk.page.get_by_role("heading", name="If nobody reviews it")).to_be_visible()
    await desk.is_usable()
    await desk.button("Send").click()
    await desk.again_until(desk.page.get_by_text(f"Waiting for {REVIEWER}."))


async def revise(desk: Phone, pdf: Path, reason: str) -> None:
    await desk.again_until(desk.page.get_by_role("link", name="Give a new version"))
    await expect(desk.page.get_by_text(reason).first).to_be_visible()
    await desk.is_usable()
    await desk.page.get_by_role("link", name="Give a new version").click()
    await desk.page.get_by_label("The new version (PDF)").set_input_files(pdf)
    await desk.is_usable()
    await desk.button("Give a new version").click()
    await expect(desk.page.get_by_role("status")).to_have_text("The reviewers are asked again.")


async def opened(phone: Phone, person: str, name: str) -> None:
    """The page behind the notice that somebody has on their phone."""
    await phone.inbox(person)
    await phone.again_until(phone.notice(name).first)
    await phone.notice(name).first.tap()
    await phone.page.wait_for_url("**/open/**")


async def test_a_document_is_sent_back_revised_approved_and_only_then_to_be_signed(
    browser: Browser, laptop: Laptop, phone: Phone, tmp_path: Path
) -> None:
    first, second, name = laptop.folder / "example" / "msa.pdf", tmp_path / "second.pdf", "Lease of the old office"
    second.write_bytes(first.read_bytes() + b"\n% the second version\n")
    reason = "Clause 3 is wrong."
    async with with_a_mouse(browser) as page, at_the_desk(page, laptop, LEGAL) as desk:
        await begin(desk, first, name)
        await opened(phone, EXECUTIVE, f"Ready to review: {name}")
        await expect(phone.heading(READY)).to_be_visible()
        await phone.is_usable()
        await phone.page.get_by_text("Ask for changes", exact=True).tap()
        await phone.page.get_by_label("What is to be changed?").fill(reason)
        await phone.is_usable()
        await phone.button("Send this").tap()
        await expect(phone.heading("You have asked for changes")).to_be_visible()

        await revise(desk, second, reason)
        await opened(phone, EXECUTIVE, f"New version to review: {name}")
        await phone.again_until(phone.page.get_by_text("Read the document, version 2"))
        await expect(phone.page.get_by_text(reason)).to_be_visible()
        await phone.is_usable()
        await phone.inbox("operating-officer")
        await expect(phone.notice(name)).to_have_count(0)
        await opened(phone, EXECUTIVE, f"New version to review: {name}")
        await phone.button("Approve").tap()
        await expect(phone.button("Approve")).to_have_count(0)
        await phone.again_until(phone.page.get_by_text("It was approved for sending."))
        await phone.is_usable()

        await opened(phone, "operating-officer", name)
        await expect(phone.button("Read and sign")).to_be_visible()
        await desk.again_until(desk.page.get_by_text(f"Waiting for {SIGNER}."))
        await expect(desk.page.get_by_role("heading", name="Version 2")).to_be_visible()
        await desk.is_usable()
