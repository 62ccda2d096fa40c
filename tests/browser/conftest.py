"""One browser for all stories."""

from collections.abc import AsyncIterator

import pytest_asyncio
from playwright.async_api import Browser, Page

from deploy.demo.chromium import chromium, executable
from tests.browser.contract import Contract
from tests.browser.phone import Phone, fresh, page_of
from tests.stack.laptop import Laptop


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """The browser, which has the screen that the stories share, and for some of them another one."""
    async with chromium(executable() or "") as started_browser:
        yield started_browser


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def screen(browser: Browser) -> AsyncIterator[Page]:
    """One screen for all stories: a new one costs a browser more than most pages do."""
    async with page_of(browser) as opened_page:
        yield opened_page


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def second_screen(browser: Browser) -> AsyncIterator[Page]:
    """Another one with cookies of its own, for who sits at the desk, and for stories with two people."""
    async with page_of(browser) as opened_page:
        yield opened_page


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def without_scripts(browser: Browser) -> AsyncIterator[Page]:
    """One that runs no script of any page."""
    async with page_of(browser, scripts=False) as opened_page:
        yield opened_page


@pytest_asyncio.fixture(loop_scope="session")
async def phone(screen: Page, laptop: Laptop) -> AsyncIterator[Phone]:
    """A phone without a history."""
    async with fresh(screen, laptop.addresses["sandbox"]) as fresh_phone:
        yield fresh_phone


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def waiting(laptop: Laptop) -> Contract:
    """A contract that waits for the customer, for stories that only look at it."""
    return await Contract.start(laptop, "waiting")
