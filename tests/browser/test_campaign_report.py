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
from tests.starter.queries.test_campaign_report import html, make_outcomes_of_all_kinds, some_report

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

AXE: Final = (files("axe_playwright_python") / "axe.min.js").read_text()
MANY: Final = 60


@pytest.fixture(scope="session")
def lines() -> list[MemberOutcome]:
    return list(make_outcomes_of_all_kinds(MANY))


@pytest.fixture(scope="session")
def file(tmp_path_factory: pytest.TempPathFactory, lines: list[MemberOutcome]) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(asyncio.run(html(some_report(*lines))))
    return path


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def reader(browser: Browser) -> AsyncIterator[tuple[Page, list[str]]]:
    """A page, and everything that it ever asked for or complained of."""
    async with page_of(browser) as opened_page:
        heard: list[str] = []
        opened_page.on("console", lambda message: heard.append(message.text))
        opened_page.on("pageerror", lambda error: heard.append(str(error)))
        opened_page.on("request", lambda request: heard.append(request.url))
        yield opened_page, heard


@pytest_asyncio.fixture(loop_scope="session")
async def fresh_reader(reader: tuple[Page, list[str]]) -> tuple[Page, list[str]]:
    """The page as at first, with nothing said yet."""
    report_page, heard = reader
    await report_page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
    await report_page.emulate_media(media="screen", color_scheme="light")
    heard.clear()
    return report_page, heard


async def read_column(report_page: Page, name: str) -> list[str]:
    """What stands in a column of everybody."""
    cells: Any = await report_page.evaluate(
        """name => {
          const table = document.querySelector(".everybody table");
          const at = [...table.tHead.rows[0].cells].findIndex(head => head.textContent === name);
          return [...table.tBodies[0].rows].map(row => row.cells[at].textContent);
        }""",
        name,
    )
    return list(cells)


async def test_the_heads_of_everybody_sort_by_the_keyboard_and_say_so(
    fresh_reader: tuple[Page, list[str]], file: Path, lines: list[MemberOutcome]
) -> None:
    report_page, heard = fresh_reader
    await report_page.goto(file.as_uri())
    head = report_page.locator(".everybody").get_by_role("columnheader", name="reminders")
    rows_before = await read_column(report_page, "row")
    await head.get_by_role("button").press("Enter")
    rising = await read_column(report_page, "reminders")
    assert await head.get_attribute("aria-sort") == "ascending"
    await head.get_by_role("button").press("Space")
    falling = await read_column(report_page, "reminders")
    assert await head.get_attribute("aria-sort") == "descending"
    assert rows_before == [str(line.row) for line in lines]
    counts = [count for count in rising if count]
    blank = [""] * (len(rising) - len(counts))
    assert blank and counts == sorted(counts, key=int) != counts[::-1]
    assert (rising, falling) == ([*counts, *blank], [*counts[::-1], *blank])
    await report_page.locator(".everybody").get_by_role("button", name="acknowledged (UTC)").press("Enter")
    signed = [signed_at for signed_at in await read_column(report_page, "acknowledged (UTC)") if signed_at]
    assert signed == sorted(signed)
    assert (await read_column(report_page, "acknowledged (UTC)"))[len(signed) :] == [""] * (MANY - len(signed))
    assert heard == [file.as_uri()]


@pytest.mark.long
async def test_axe_finds_nothing_by_day_and_by_night_and_nothing_lies_outside_a_phone(
    fresh_reader: tuple[Page, list[str]], file: Path
) -> None:
    report_page, _ = fresh_reader
    await report_page.goto(file.as_uri())
    await report_page.evaluate(AXE)
    for scheme, axe_options in (("light", {}), ("dark", {"runOnly": ["color-contrast"]})):
        await report_page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        axe_result: Any = await report_page.evaluate(
            "asked => axe.run({resultTypes: ['violations'], ...asked})", axe_options
        )
        assert [
            (violation["id"], node["html"]) for violation in axe_result["violations"] for node in violation["nodes"]
        ] == [], scheme
    await Phone(report_page, "").fits()


async def test_on_a_phone_dates_and_standings_stay_whole_and_the_line_can_be_read(
    fresh_reader: tuple[Page, list[str]], file: Path
) -> None:
    report_page, _ = fresh_reader
    await report_page.goto(file.as_uri())
    high: Any = await report_page.evaluate(
        """() => [...document.querySelectorAll(".everybody td.status, .everybody td.at")].filter(cell => {
          const range = document.createRange();
          range.selectNodeContents(cell);
          const lines = new Set([...range.getClientRects()].map(box => Math.round(box.top)));
          return lines.size > cell.textContent.split(" ").length || cell.matches(".at") && lines.size > 1;
        }).map(cell => cell.textContent)"""
    )
    assert high == []
    small: Any = await report_page.evaluate(
        """() => Math.min(
          ...[...document.querySelectorAll("figure text")].map(one => one.getBoundingClientRect().height)
        )"""
    )
    assert small >= 10
    status = await report_page.locator(".everybody td.status").first.bounding_box()
    assert status and status["x"] + status["width"] <= WIDTH


async def test_no_id_is_broken_on_any_screen_or_on_paper(
    fresh_reader: tuple[Page, list[str]], tmp_path: Path, lines: list[MemberOutcome]
) -> None:
    report_page, _ = fresh_reader
    long = [
        outcome._replace(request=f"code-of-conduct-2026.{outcome.person}", manager="head-of-operations")
        for outcome in lines
    ]
    (tmp_path / "report.html").write_text(await html(some_report(*long)))
    await report_page.goto((tmp_path / "report.html").as_uri())
    for width, media in product((WIDTH, 1100, 1440), ("screen", "print")):
        await report_page.set_viewport_size({"width": width, "height": 900})
        await report_page.emulate_media(media="screen" if media == "screen" else "print")
        broken: Any = await report_page.evaluate(
            """() => [...document.querySelectorAll(".everybody tbody th, .everybody td.id")].filter(cell => {
              const range = document.createRange();
              range.selectNodeContents(cell);
              return new Set([...range.getClientRects()].map(box => Math.round(box.top))).size > 1;
            }).map(cell => cell.textContent)"""
        )
        assert broken == [], (width, media)
        wide: Any = await report_page.evaluate("document.documentElement.scrollWidth")
        assert media == "print" or wide <= width


async def test_without_scripts_everybody_stands_in_the_order_of_the_record(
    without_scripts: Page, file: Path, lines: list[MemberOutcome]
) -> None:
    async with fresh(without_scripts, "") as phone:
        await phone.open(file.as_uri())
        assert await phone.page.get_by_role("button").count() == 0
        assert await phone.page.locator(".everybody tbody tr").count() == len(lines)


@pytest.mark.parametrize("width", [WIDTH, 1280])
async def test_a_table_that_goes_on_beyond_the_screen_shows_that_it_does(
    fresh_reader: tuple[Page, list[str]], file: Path, width: int
) -> None:
    report_page, _ = fresh_reader
    await report_page.set_viewport_size({"width": width, "height": HEIGHT})
    await report_page.goto(file.as_uri())
    for style, expected_part in (("overflow-x", "auto"), ("background-image", "gradient")):
        computed = await report_page.evaluate(
            f"() => getComputedStyle(document.querySelector('.everybody'))['{style}']"
        )
        assert expected_part in computed
