"""The report of a campaign as an auditor opens it: a file that sorts, can be heard, and asks nobody for anything."""

import asyncio
from collections.abc import AsyncIterator
from importlib.resources import files
from itertools import product
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from activities.records.outcomes import MemberOutcome
from tests.browser.phone import HEIGHT, WIDTH, Phone, fresh, page_of
from tests.starter.queries.test_campaign_report import everybody, html, some_report

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

AXE: Final = (files("axe_playwright_python") / "axe.min.js").read_text()
MANY: Final = 60


@pytest.fixture(scope="session")
def lines() -> list[MemberOutcome]:
    return list(everybody(MANY))


@pytest.fixture(scope="session")
def file(tmp_path_factory: pytest.TempPathFactory, lines: list[MemberOutcome]) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(asyncio.run(html(some_report(*lines))))
    return path


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def reader(browser: Browser) -> AsyncIterator[tuple[Page, list[str]]]:
    """A page, and everything that it ever asked for or complained of."""
    async with page_of(browser) as it:
        heard: list[str] = []
        it.on("console", lambda message: heard.append(message.text))
        it.on("pageerror", lambda error: heard.append(str(error)))
        it.on("request", lambda request: heard.append(request.url))
        yield it, heard


@pytest_asyncio.fixture(loop_scope="session")
async def said(reader: tuple[Page, list[str]]) -> tuple[Page, list[str]]:
    """The page as at first, with nothing said yet."""
    it, heard = reader
    await it.set_viewport_size({"width": WIDTH, "height": HEIGHT})
    await it.emulate_media(media="screen", color_scheme="light")
    heard.clear()
    return it, heard


async def column(it: Page, name: str) -> list[str]:
    """What stands in a column of everybody."""
    found: Any = await it.evaluate(
        """name => {
          const table = document.querySelector(".everybody table");
          const at = [...table.tHead.rows[0].cells].findIndex(head => head.textContent === name);
          return [...table.tBodies[0].rows].map(row => row.cells[at].textContent);
        }""",
        name,
    )
    return list(found)


async def test_the_heads_of_everybody_sort_by_the_keyboard_and_say_so(
    said: tuple[Page, list[str]], file: Path, lines: list[MemberOutcome]
) -> None:
    it, heard = said
    await it.goto(file.as_uri())
    head = it.locator(".everybody").get_by_role("columnheader", name="reminders")
    before = await column(it, "row")
    await head.get_by_role("button").press("Enter")
    rising = await column(it, "reminders")
    assert await head.get_attribute("aria-sort") == "ascending"
    await head.get_by_role("button").press("Space")
    falling = await column(it, "reminders")
    assert await head.get_attribute("aria-sort") == "descending"
    assert before == [str(line.row) for line in lines]
    known = [count for count in rising if count]
    blank = [""] * (len(rising) - len(known))
    assert blank and known == sorted(known, key=int) != known[::-1]
    assert (rising, falling) == ([*known, *blank], [*known[::-1], *blank])
    await it.locator(".everybody").get_by_role("button", name="acknowledged (UTC)").press("Enter")
    signed = [at for at in await column(it, "acknowledged (UTC)") if at]
    assert signed == sorted(signed)
    assert (await column(it, "acknowledged (UTC)"))[len(signed) :] == [""] * (MANY - len(signed))
    assert heard == [file.as_uri()]


@pytest.mark.long
async def test_axe_finds_nothing_by_day_and_by_night_and_nothing_lies_outside_a_phone(
    said: tuple[Page, list[str]], file: Path
) -> None:
    it, _ = said
    await it.goto(file.as_uri())
    await it.evaluate(AXE)
    for scheme, asked in (("light", {}), ("dark", {"runOnly": ["color-contrast"]})):
        await it.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        found: Any = await it.evaluate("asked => axe.run({resultTypes: ['violations'], ...asked})", asked)
        assert [(one["id"], node["html"]) for one in found["violations"] for node in one["nodes"]] == [], scheme
    await Phone(it, "").fits()


async def test_on_a_phone_dates_and_standings_stay_whole_and_the_line_can_be_read(
    said: tuple[Page, list[str]], file: Path
) -> None:
    it, _ = said
    await it.goto(file.as_uri())
    high: Any = await it.evaluate(
        """() => [...document.querySelectorAll(".everybody td.status, .everybody td.at")].filter(cell => {
          const range = document.createRange();
          range.selectNodeContents(cell);
          const lines = new Set([...range.getClientRects()].map(box => Math.round(box.top)));
          return lines.size > cell.textContent.split(" ").length || cell.matches(".at") && lines.size > 1;
        }).map(cell => cell.textContent)"""
    )
    assert high == []
    small: Any = await it.evaluate(
        """() => Math.min(
          ...[...document.querySelectorAll("figure text")].map(one => one.getBoundingClientRect().height)
        )"""
    )
    assert small >= 10
    status = await it.locator(".everybody td.status").first.bounding_box()
    assert status and status["x"] + status["width"] <= WIDTH


async def test_no_id_is_broken_on_any_screen_or_on_paper(
    said: tuple[Page, list[str]], tmp_path: Path, lines: list[MemberOutcome]
) -> None:
    it, _ = said
    long = [one._replace(request=f"code-of-conduct-2026.{one.person}", manager="head-of-operations") for one in lines]
    (tmp_path / "report.html").write_text(await html(some_report(*long)))
    await it.goto((tmp_path / "report.html").as_uri())
    for width, media in product((WIDTH, 1100, 1440), ("screen", "print")):
        await it.set_viewport_size({"width": width, "height": 900})
        await it.emulate_media(media="screen" if media == "screen" else "print")
        broken: Any = await it.evaluate(
            """() => [...document.querySelectorAll(".everybody tbody th, .everybody td.id")].filter(cell => {
              const range = document.createRange();
              range.selectNodeContents(cell);
              return new Set([...range.getClientRects()].map(box => Math.round(box.top))).size > 1;
            }).map(cell => cell.textContent)"""
        )
        assert broken == [], (width, media)
        wide: Any = await it.evaluate("document.documentElement.scrollWidth")
        assert media == "print" or wide <= width


async def test_without_scripts_everybody_stands_in_the_order_of_the_record(
    without_scripts: Page, file: Path, lines: list[MemberOutcome]
) -> None:
    async with fresh(without_scripts, "") as it:
        await it.open(file.as_uri())
        assert await it.page.get_by_role("button").count() == 0
        assert await it.page.locator(".everybody tbody tr").count() == len(lines)


@pytest.mark.parametrize("width", [WIDTH, 1280])
async def test_a_table_that_goes_on_beyond_the_screen_shows_that_it_does(
    said: tuple[Page, list[str]], file: Path, width: int
) -> None:
    it, _ = said
    await it.set_viewport_size({"width": width, "height": HEIGHT})
    await it.goto(file.as_uri())
    for style, wanted in (("overflow-x", "auto"), ("background-image", "gradient")):
        found = await it.evaluate(f"() => getComputedStyle(document.querySelector('.everybody'))['{style}']")
        assert wanted in found
