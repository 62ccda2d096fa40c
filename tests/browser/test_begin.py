"""From a button at the desk to the notice on a phone: a new request with a script on a wide screen, and a new task
without any on a narrow one.
"""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.contract import LEGAL
from tests.browser.phone import DESK_WIDTH, Phone
from tests.browser.test_desk import at_the_desk, begin
from tests.stack.laptop import Laptop

pytestmark = [pytest.mark.long, pytest.mark.browser, pytest.mark.real_server, pytest.mark.asyncio(loop_scope="session")]

HIS, HERS = "Operating officer", "Chief executive"


async def fill_in_the_document(desk: Phone, pdf: Path, name: str) -> None:
    """The first step of a request."""
    await desk.page.get_by_label("Kind").select_option(label="Sales contract")
    await desk.page.get_by_label("PDF", exact=True).set_input_files(pdf)
    await desk.page.get_by_label("Name of the document").fill(name)


@asynccontextmanager
async def with_a_mouse(browser: Browser) -> AsyncIterator[Page]:
    """A screen on a desk: only there something is dragged."""
    context = await browser.new_context(viewport={"width": DESK_WIDTH, "height": 900})
    try:
        yield await context.new_page()
    finally:
        await context.close()


async def test_a_request_is_begun_with_names_offered_and_signers_dragged_and_the_phone_hears(
    browser: Browser, laptop: Laptop, phone: Phone, tmp_path: Path
) -> None:
    pdf, name = laptop.folder / "example" / "msa.pdf", "Lease of the new office"
    async with with_a_mouse(browser) as page, at_the_desk(page, laptop, LEGAL) as desk:
        await desk.is_usable()
        await desk.page.set_viewport_size({"width": DESK_WIDTH, "height": 900})
        await begin(desk.page, "New request")
        await desk.button("Go on").click()
        await expect(desk.page.get_by_role("alert")).to_contain_text("2 things are still missing or wrong.")
        await expect(desk.page.get_by_label("Kind")).to_have_accessible_description("This is needed.")
        await desk.is_usable()
        locked = tmp_path / "locked.pdf"
        locked.write_bytes(b"%PDF-1.7\ntrailer\n<< /Encrypt 5 0 R >>\n")
        await fill_in_the_document(desk, locked, name)
        await desk.button("Go on").click()
        await expect(desk.page.get_by_text("This PDF is protected by a password")).to_be_visible()
        await fill_in_the_document(desk, pdf, name)
        await desk.button("Go on").click()

        await desk.page.set_viewport_size({"width": DESK_WIDTH, "height": 900})
        box = desk.page.get_by_role("combobox", name=re.compile("^Add somebody of the directory"))
        for search_text, person_name in (("opera off", HIS), ("chief", HERS)):
            await box.press_sequentially(search_text)
            await expect(desk.page.get_by_role("option", name=re.compile(person_name))).to_be_visible()
            await desk.is_usable()
            await box.press("ArrowDown")
            await box.press("Enter")
            await expect(desk.button(f"Remove {person_name}")).to_be_visible()
        await desk.page.set_viewport_size({"width": DESK_WIDTH, "height": 900})
        grips = desk.page.locator("[data-move] .grip")
        await grips.nth(1).drag_to(grips.nth(0))
        await expect(desk.page.locator("[data-move] .who-is bdi")).to_have_text([HERS, HIS])
        move_up = desk.button(f"Move {HIS} up")
        await move_up.focus()
        await desk.page.keyboard.press("Enter")
        await expect(desk.page.locator("[data-move] .who-is bdi")).to_have_text([HIS, HERS])
        await expect(move_up).to_be_focused()
        await desk.is_usable()
        await desk.button("Go on").click()
        await desk.button("Go on").click()  # It has no reviewers.

        due = (datetime.now(UTC) + timedelta(days=40)).date()
        await desk.page.get_by_label("Due date").fill(due.isoformat())
        await desk.page.get_by_label("Message to the signers").fill("Before the move, please.")
        await desk.is_usable()
        await desk.button("Go on").click()
        await expect(desk.page.get_by_role("heading", name="If nobody acts")).to_be_visible()
        await expect(desk.page.get_by_text("reminder 1 of 4, 3 days after the request arrived").first).to_be_visible()
        await desk.is_usable()
        await desk.button("Send").click()
        await expect(desk.page.get_by_role("status")).to_have_text("It is on its way. Here you see what becomes of it.")
        await desk.again_until(desk.page.get_by_text(f"Waiting for {HIS}."))
    await phone.inbox("operating-officer")
    await phone.again_until(phone.notice(name))
    await phone.notice(name).first.tap()
    await expect(phone.button("Read and sign")).to_be_visible()
    await expect(phone.page.get_by_text("Before the move, please.")).to_be_visible()


async def test_a_task_is_begun_on_a_narrow_screen_without_a_script(without_scripts: Page, laptop: Laptop) -> None:
    async with at_the_desk(without_scripts, laptop, LEGAL) as desk:
        await begin(desk.page, "New task")
        await desk.page.get_by_label("Kind").select_option(label="Task")
        await desk.page.get_by_label("What is to be done").fill("Hand out the keys")
        await desk.fits()
        await desk.button("Save and leave").tap()
        await desk.page.get_by_text("1 draft").tap()
        await desk.page.get_by_role("link", name="Hand out the keys").tap()
        await desk.button("Go on").tap()
        find = desk.page.get_by_label("Who is to do it: name, id, email address or group")
        await find.fill("desk")
        await find.press("Enter")
        await desk.fits()
        await desk.page.get_by_role("button", name=re.compile("HR desk")).tap()
        await expect(desk.page.get_by_text("hr-desk")).to_be_visible()
        await desk.button("Go on").tap()
        await expect(desk.page.get_by_role("heading", name="If nobody acts")).to_be_visible()
        await expect(desk.button("Send")).to_be_in_viewport()
        await desk.fits()
        await desk.button("Send").tap()
        await expect(desk.page.get_by_role("status")).to_have_text("It is on its way. Here you see what becomes of it.")
        await desk.again_until(desk.page.get_by_text("Waiting for HR desk."))
        await desk.page.wait_for_load_state()
