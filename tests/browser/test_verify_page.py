"""docs/verify.html in Chromium, opened as a file: what `audit verify` says of a pack, this page says as well."""

from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from activities.records.store import Store
from deploy.demo.chromium import chromium, executable
from starter.cli.audit import UNCONFIRMED
from tests.activities.evidence.forgeries import FORGERIES
from tests.activities.evidence.kept import CONDUCT, MSA, keep_campaign, keep_signed_request, key_in, packer
from tests.activities.evidence.test_pack import parts_of, written

pytestmark = [pytest.mark.browser, pytest.mark.long]
VERIFY = (Path(__file__).parents[2] / "docs" / "verify.html").as_uri()


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    """The page as a file, of a machine that is not online; whatever it asked for is a failure."""
    async with chromium(executable() or "") as browser:
        context = await browser.new_context(offline=True)
        opened = await context.new_page()
        complaints: list[str] = []
        opened.on("request", lambda request: complaints.append(request.url))
        opened.on("pageerror", lambda error: complaints.append(str(error)))
        await opened.goto(VERIFY)
        yield opened
        assert set(complaints) == {VERIFY}


async def test_a_pack_that_holds_and_each_fault(tmp_path: Path, page: Page) -> None:
    with closing(Store(str(tmp_path / "kept"))) as store:
        await keep_signed_request(store)
        await keep_campaign(store)
        for workflow_name in (MSA, CONDUCT):
            await packer(store, tmp_path).export(workflow_name, tmp_path / f"{workflow_name.id}.zip")
    result = page.get_by_role("status")

    async def drop(pack: Path) -> None:
        await choose(page, pack)

    await drop(tmp_path / "msa-0042.zip")
    await expect_unconfirmed(page, key_in(tmp_path).id)
    await page.get_by_label("The public keys").fill((tmp_path / "evidence.pem.pub").read_text())
    await drop(tmp_path / "conduct.zip")
    await expect(result).to_contain_text("It holds: campaign conduct, done")
    await expect(result).to_contain_text(f"Signed by the key {key_in(tmp_path).id}")
    await expect(result).to_have_class("good")
    parts = parts_of(tmp_path / "msa-0042.zip")
    for name, content in parts.items():
        changed = parts | {name: content[:-2] + bytes([content[-2] ^ 1]) + content[-1:]}
        await drop(await written(tmp_path / f"changed-{name.replace('/', '-')}.zip", changed))
        await expect(result).to_contain_text("It does not hold.")
        if name != "manifest.dsse.json":
            await expect(result).to_contain_text(name)
    await drop(await written(tmp_path / "extra.zip", parts | {"more.json": b"{}"}))
    await expect(result).to_contain_text("more.json: expected nothing")
    (tmp_path / "none.zip").write_bytes(b"no zip")
    await drop(tmp_path / "none.zip")
    await expect(result).to_contain_text("the file: expected a zip")
    key_in(tmp_path / "other")
    await page.get_by_label("The public keys").fill((tmp_path / "other" / "evidence.pem.pub").read_text())
    await drop(tmp_path / "msa-0042.zip")
    await expect_unconfirmed(page, key_in(tmp_path).id)


async def choose(page: Page, pack: Path) -> None:
    await page.get_by_label("The pack").set_input_files([])
    await page.get_by_label("The pack").set_input_files(pack)


async def expect_unconfirmed(page: Page, key: str) -> None:
    """Amber, and said first."""
    result = page.get_by_role("status")
    await expect(result.locator("p").first).to_have_text(UNCONFIRMED)
    await expect(result).to_have_class("near")
    await expect(result).to_contain_text(f"Signed by the key {key}")
    await expect(result).not_to_contain_text("It holds")


async def test_the_page_refuses_each_forged_layout(tmp_path: Path, page: Page) -> None:
    with closing(Store(str(tmp_path / "kept"))) as store:
        await keep_signed_request(store)
        await packer(store, tmp_path).export(MSA, tmp_path / "msa.zip")
    parts, result = parts_of(tmp_path / "msa.zip"), page.get_by_role("status")
    await page.get_by_label("The public keys").fill((tmp_path / "evidence.pem.pub").read_text())
    for name, forge in FORGERIES.items():
        (tmp_path / "forged.zip").write_bytes(forge(parts))
        await choose(page, tmp_path / "msa.zip")
        await expect(result).to_have_class("good")
        await choose(page, tmp_path / "forged.zip")
        await expect(result, name).to_have_class("bad")
        await expect(result).to_contain_text("It does not hold.")


async def test_a_browser_without_ed25519_is_told_what_to_use(page: Page) -> None:
    await page.add_init_script("crypto.subtle.importKey = async () => { throw new Error('not supported') }")
    await page.reload()
    await expect(page.get_by_role("status")).to_contain_text("cannot check Ed25519")
    await expect(page.get_by_label("The pack")).to_be_disabled()
