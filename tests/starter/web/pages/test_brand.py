"""The company's logo: shown by us, and refused in words before a page would show a broken one."""

from pathlib import Path

import httpx
import pytest

from starter.config.settings import SettingsError, load
from starter.config.values import CONTACT_AT_MOST
from starter.web.app import make_app
from starter.web.screens.rendering import ICON_PATH, LOGO_AT_MOST, LOGO_PATH, OURS, Brand, UnusableLogo

SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>'


@pytest.mark.parametrize(
    ("content", "kind"),
    [(SVG, "image/svg+xml"), (b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg")],
)
async def test_a_logo_is_served_as_what_it_is_and_can_run_nothing(tmp_path: Path, content: bytes, kind: str) -> None:
    file = tmp_path / "logo"
    file.write_bytes(content)
    app = make_app(Brand.from_settings("Acme", file).routes())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as browser:
        answer = await browser.get(LOGO_PATH)
    assert (answer.content, answer.headers["content-type"]) == (content, kind)
    assert "sandbox" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<html>", "must be a PNG, JPEG or SVG file"),
        (b"", "must be a PNG, JPEG or SVG file"),
        (SVG + b" " * 10 * LOGO_AT_MOST, "is larger than 256 KiB"),
        (None, "cannot be read (No such file or directory)"),
    ],
)
def test_what_is_no_logo_is_refused_in_words(tmp_path: Path, content: bytes | None, message: str) -> None:
    file = tmp_path / "logo"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UnusableLogo) as refused:
        Brand.from_settings("Acme", file)
    assert str(refused.value) == f"COUNTERSIGN_COMPANY_LOGO: {message}"


def test_a_logo_as_large_as_may_be_is_taken_and_one_byte_more_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "logo"
    file.write_bytes(SVG.ljust(LOGO_AT_MOST))
    assert Brand.from_settings("Acme", file).logo is not None
    file.write_bytes(SVG.ljust(LOGO_AT_MOST + 1))
    with pytest.raises(UnusableLogo, match="is larger than 256 KiB"):
        Brand.from_settings("Acme", file)


async def test_without_a_logo_there_is_no_address_for_one_and_an_icon_all_the_same() -> None:
    app = make_app(OURS.routes())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as browser:
        assert (await browser.get(LOGO_PATH)).status_code == 404
        icon = await browser.get(ICON_PATH)
    assert (icon.status_code, icon.headers["content-type"]) == (200, "image/svg+xml")
    assert "sandbox" in icon.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("contact", "leads_to"),
    [
        ("legal@acme.test", "mailto:legal@acme.test"),
        ("+31 (0)20 555-0100", "tel:+310205550100"),
        ("https://acme.test/help", "https://acme.test/help"),
        ("Room 3, ask for Kim", ""),
        ("javascript:alert(1)", ""),
        ("a@b.test?bcc=c@d.test", ""),
    ],
)
def test_a_contact_leads_where_it_can_and_stays_words_where_it_cannot(contact: str, leads_to: str) -> None:
    assert Brand.from_settings("Acme", None, contact).contact_at == leads_to


def test_a_contact_that_is_too_long_is_refused_in_words() -> None:
    with pytest.raises(SettingsError) as refused:
        load(environment={"COUNTERSIGN_CONTACT": "x" * 10 * CONTACT_AT_MOST})
    assert refused.value.faults == (
        f"COUNTERSIGN_CONTACT: must be at most {CONTACT_AT_MOST} characters that can be seen",
    )
