"""The views of the desk on a phone: one row, whatever language they are in."""

import pytest
from playwright.async_api import Browser

from activities.people.language import LANGUAGES, Language
from starter.web.desk.access import LABELS, View
from starter.web.desk.fixed_screens import NOT_THERE
from starter.web.screens.rendering import Frame, Renderer, Tab
from tests.browser.phone import NARROWEST, THUMB, WIDTH, Phone, page_of

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@pytest.mark.parametrize("code", LANGUAGES)
async def test_all_views_stand_in_one_row_that_scrolls_on_a_phone(browser: Browser, code: str) -> None:
    language = Language.from_tag(code)
    tabs = tuple(Tab(view, language.say(LABELS[view]), view is View.CAMPAIGNS) for view in View)
    answer = Renderer(desk="/desk").screen(NOT_THERE.in_language(language), frame=Frame("Anna", tabs, "token"))
    async with page_of(browser) as opened_page:
        for width in (NARROWEST, WIDTH):
            await opened_page.set_viewport_size({"width": width, "height": 800})
            await opened_page.set_content(bytes(answer.body).decode())
            boxes = [await tab.bounding_box() for tab in await opened_page.locator("nav a").all()]
            assert len({box["y"] for box in boxes if box}) == 1
            assert min(box["height"] for box in boxes if box) >= THUMB
            last = opened_page.locator("nav a").last
            await last.scroll_into_view_if_needed()
            box = await last.bounding_box()
            assert box and box["x"] + box["width"] <= width
        await Phone(opened_page, "").fits()
