"""The desk on the screen of a phone: the line of a campaign is seen whole, and what one can do stands in its place."""

from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from activities.people.language import Language
from starter.web.desk.access import LABELS, View
from tests.browser.phone import HEIGHT, NARROWEST, THUMB, WIDTH, page_of
from tests.lines import chart
from tests.starter.queries.test_campaign_curve import some_show
from tests.starter.queries.test_campaign_report import make_outcomes_of_all_kinds

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

STARTER: Final = Path(__file__).parents[2] / "starter"
STYLES: Final = "".join(
    (STARTER / "web" / "templates" / style).read_text("utf-8") for style in ("page.css", "desk.css")
)
TEXTS: Final = """group => [...document.querySelectorAll(`.chart ${group} text`)].filter(one => one.checkVisibility())
  .map(one => one.getBoundingClientRect()).map(box => [box.left, box.right, box.height])"""
TABS: Final = """() => [...document.querySelectorAll("nav a")].map(one => one.getBoundingClientRect())
  .map(box => [box.top, box.left, box.right, box.height])"""
LEFT: Final = "wanted => document.querySelector(wanted).getBoundingClientRect().left"


@pytest_asyncio.fixture(loop_scope="session")
async def campaign(browser: Browser) -> AsyncIterator[Page]:
    """The parts of a campaign's page that are wide: its line, of thousands, and the row of what one can do."""
    drawn = chart(some_show(), list(make_outcomes_of_all_kinds(9_000)), language=Language.from_tag("de"))
    actions = "".join(f'<li><a href="#">{label}</a></li>' for label in ("Remind now", "Move the due date", "Hand over"))
    async with page_of(browser) as opened_page:
        await opened_page.set_content(f"""<meta name="viewport" content="width=device-width"><style>{STYLES}</style>
          <body class="desk"><main class="wide">
          <article><div class="chart" tabindex="0">{drawn}</div></article>
          <nav class="actions"><ul>{actions}</ul></nav>
          </main></body>""")
        yield opened_page


@pytest.mark.parametrize("width", [NARROWEST, WIDTH])
async def test_the_line_of_a_campaign_is_seen_whole_with_words_that_can_be_read(campaign: Page, width: int) -> None:
    await campaign.set_viewport_size({"width": width, "height": HEIGHT})
    texts: list[list[Any]] = await campaign.evaluate(TEXTS, "")
    assert len(texts) > 8
    assert all(left_edge >= 0 and right_edge <= width and height >= 8 for left_edge, right_edge, height in texts), texts
    days: list[list[Any]] = await campaign.evaluate(TEXTS, ".day-ticks")
    assert all(left_day[1] < right_day[0] for left_day, right_day in pairwise(days)), days


async def test_beside_what_happened_the_line_of_a_campaign_is_seen_whole_too(campaign: Page) -> None:
    await campaign.set_viewport_size({"width": 1000, "height": HEIGHT})
    await campaign.evaluate("document.querySelector('main').classList.add('page')")
    widths = await campaign.evaluate("(it => [it.scrollWidth, it.clientWidth])(document.querySelector('.chart'))")
    await campaign.evaluate("document.querySelector('main').classList.remove('page')")
    assert widths[0] == widths[1]


async def test_what_one_can_do_stands_in_line_with_what_it_is_about(campaign: Page) -> None:
    await campaign.set_viewport_size({"width": WIDTH, "height": HEIGHT})
    assert await campaign.evaluate(LEFT, ".actions a") == await campaign.evaluate(LEFT, "article")


@pytest.mark.parametrize("current_view", View)
@pytest.mark.parametrize("width", [NARROWEST, WIDTH])
async def test_the_view_that_is_open_is_on_the_screen_of_a_phone(
    browser: Browser, width: int, current_view: View
) -> None:
    say = Language.from_tag("de").say
    tabs = "".join(
        f'<li><a href="#"{" aria-current=page" * (view is current_view)}>{say(label)}</a></li>'
        for view, label in LABELS.items()
    )
    async with page_of(browser) as opened_page:
        await opened_page.set_viewport_size({"width": width, "height": HEIGHT})
        await opened_page.set_content(f"""<meta name="viewport" content="width=device-width"><style>{STYLES}</style>
          <body class="desk"><header class="top"><p class="brand">Northwind</p><nav><ul>{tabs}</ul></nav></header>""")
        places: list[list[float]] = await opened_page.evaluate(TABS)
        assert all(height >= THUMB for *_, height in places)
        assert len({top for top, *_ in places}) == 1, "the others are reached by a swipe"
        _, left_edge, right_edge, _ = places[list(LABELS).index(current_view)]
        assert left_edge > -1 and right_edge < width + 1
        assert await opened_page.evaluate("document.documentElement.scrollWidth") == width


async def test_a_row_of_a_list_is_one_line_of_forty_pixels_on_a_wide_screen(browser: Browser) -> None:
    long = "A title that has so many words that they never fit into the first column of a list"
    chip = '<span class="chip open"><svg viewBox="0 0 24 24"></svg>sent</span>'
    async with page_of(browser) as page:
        await page.set_viewport_size({"width": 1280, "height": 800})
        await page.set_content(f"""<style>{STYLES}</style><body class="desk"><main class="wide"><ul class="rows"><li>
          <div class="what"><a href="#"><bdi>{long}</bdi></a> <span class="soft">{chip} Contract</span></div>
          <div>Legal desk</div><div>{long}</div>
          <div><details class="when near"><summary>in 30 days, Fri, 1 Jan 2027</summary></details></div>
          </li></ul></main></body>""")
        height = await page.evaluate("document.querySelector('.rows li').getBoundingClientRect().height")
    assert 40 <= height <= 42


async def test_a_logo_without_a_size_of_its_own_leaves_room_for_who_is_signed_in(browser: Browser) -> None:
    logo = "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 8 8'><path d='M0 0h8v8z'/></svg>"
    async with page_of(browser) as page:
        await page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
        await page.set_content(f"""<meta name="viewport" content="width=device-width"><style>{STYLES}</style>
          <body class="desk"><header class="top"><p class="brand"><img src="{logo}" alt=""><bdi>Northwind</bdi></p>
          <div class="who"><span><bdi>Chief executive</bdi></span><button class="plain">Sign out</button></div>
          </header></body>""")
        room, name = await page.evaluate(
            """() => {
              const box = wanted => document.querySelector(wanted).getBoundingClientRect();
              return [box(".brand").right, box(".brand bdi").right];
            }"""
        )
    assert name <= room
