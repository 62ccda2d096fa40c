"""A phone in somebody's hand: its screen, its keyboard, and what may be expected of whatever it shows."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from importlib.resources import files
from typing import Any, Final

from playwright.async_api import Browser, ConsoleMessage, Error, Locator, Page, expect

from starter.web.screens.screens import ScreenName
from tests.starter.web.paging import text_of

WIDTH, HEIGHT = 390, 844
DESK_WIDTH: Final = 1440
"""A page may lie otherwise on a screen as wide as a desk's."""
NARROWEST: Final = 320
"""Where WCAG 2.2 (1.4.10) still wants everything readable without scrolling sideways."""

THUMB: Final = 44
"""What WCAG 2.2 (2.5.5) and the phones' own guidelines want a button to measure, in CSS pixels."""

_AXE: Final = (files("axe_playwright_python") / "axe.min.js").read_text()
_AXE_OPTIONS: Final = {"resultTypes": ["violations"], "rules": {"target-size": {"enabled": True}}}
_ONLY_COLOURS: Final = {"resultTypes": ["violations"], "runOnly": ["color-contrast"]}
"""What else there is to find once the same page was looked at in other colours."""
_ONLY_PLACES: Final = {
    "resultTypes": ["violations"],
    "runOnly": ["color-contrast", "link-in-text-block", "scrollable-region-focusable", "target-size"],
}
"""What else there is to find once the same page was looked at where it lies otherwise, and shows the same."""
_VIOLATIONS: Final = """async options => (await axe.run(options)).violations
  .flatMap(one => one.nodes.map(node => `${one.id}: ${node.html}`))"""
_FAULTLESS: Final[set[str]] = set()
"""What the pages are made of that axe found nothing in: another one made of the same differs in its words alone."""
_SHOWN: Final = "() => [...document.body.querySelectorAll('*')].map(one => one.checkVisibility()).join()"
_PATIENCE: Final = 20.0
_GLANCE: Final = 0.5
"""Between two looks at what a page says now: more often than it is allowed to nobody who has a link."""
_LEAVES_WITHIN_MS: Final = 5_000
_MOST_STOPS: Final = 25
_MADE_OF: Final = """() => {
  const words = new Set(["action", "datetime", "href", "nonce", "src", "value"]);
  const kept = it => !it.name.startsWith("data-") && !words.has(it.name);
  const plain = it => `${it.name}=${it.value.replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, "")}`;
  const said = one => [...one.childNodes].some(it => it.nodeType === Node.TEXT_NODE && it.data.trim());
  const made = one => {
    if (one.matches("style, link")) return one.outerHTML;
    const parts = [...one.children].map(made).filter((part, at, all) => part !== all[at - 1] || part !== all[at - 2]);
    const named = [...one.attributes].filter(kept).map(plain);
    return `<${[one.tagName, ...named].join(" ")}>${said(one) ? "…" : ""}${parts.join("")}</>`;
  };
  return made(document.documentElement);
}"""
"""A page without its words and addresses; of a row of equals no more than two."""
_FOCUS: Final = """async () => {
  // What has the focus is scrolled into view with the next frame.
  for (const _ of [1, 2]) await new Promise(requestAnimationFrame);
  const element = document.activeElement;
  const {outlineStyle, outlineWidth} = getComputedStyle(element);
  const box = element.getBoundingClientRect();
  return {
    on: element !== document.body,
    ring: outlineStyle === "none" ? 0 : parseFloat(outlineWidth),
    seen: box.width > 0 && box.bottom > 0 && box.top < innerHeight && element.matches(":focus-visible"),
    is: element.outerHTML.slice(0, 120),
  };
}"""
_FIRST_VISIT: Final = "try { localStorage.removeItem('countersign/visited'); } catch {}"
_SMALL: Final = """least => [...document.querySelectorAll("button, summary, textarea, a[class=again]")]
  .filter(one => one.checkVisibility())
  .filter(one => Math.min(one.getBoundingClientRect().width, one.getBoundingClientRect().height) < least)
  .map(one => one.outerHTML)"""


class Phone:
    """One page on a screen of 390 by 844; `sandbox` is where inboxes are."""

    def __init__(self, page: Page, sandbox: str) -> None:
        self.page = page
        self._sandbox = sandbox

    async def open(self, address: str) -> int:
        """Go there; the status of the answer."""
        answer = await self.page.goto(address)
        assert answer is not None
        return answer.status

    async def inbox(self, person: str) -> None:
        """Look at what has arrived for somebody."""
        await self.open(f"{self._sandbox}/inbox/{person}")

    async def finds(self, url: str, heading: str) -> None:
        """Look at a page of ours until it says so: what it shows may be some seconds old."""
        await self.open(url)
        await self.again_until(self.heading(heading))

    async def again_until(self, element: Locator) -> None:
        """Look at this page again until it has this, whenever it says something else than before."""
        last_text = ""
        await self.page.wait_for_load_state()  # a page that is still on its way cannot be loaded again
        async with asyncio.timeout(_PATIENCE):
            while not await element.is_visible():
                if (now := await self._read_text()) == last_text:
                    await asyncio.sleep(_GLANCE)
                else:
                    last_text = now
                    await self.page.reload()

    async def _read_text(self) -> str:
        """What this page says by now; a browser has much more to do to show it."""
        return text_of(await (await self.page.request.get(self.page.url)).text())

    def notice(self, document: str) -> Locator:
        """What stands in the inbox about this document, on every device."""
        return self.page.get_by_role("listitem").get_by_role("link").filter(has_text=document)

    def heading(self, text: str) -> Locator:
        """The one main heading."""
        return self.page.get_by_role("heading", level=1, name=text, exact=True)

    def screen(self, name: ScreenName) -> Locator:
        """The article of one of our own screens."""
        return self.page.locator(f"article[data-screen={name}]")

    async def acts(self) -> set[str]:
        """What the forms of one of our own screens do."""
        return set(await self.page.locator("[name=act]").evaluate_all("found => found.map(one => one.value)"))

    def button(self, name: str) -> Locator:
        """A button by the name that a screen reader says."""
        return self.page.get_by_role("button", name=name, exact=True)

    async def tab_to(self, element: Locator) -> None:
        """Press Tab until this has the focus; wherever the focus stops on the way, it has to be seen."""
        await expect(element).to_be_visible()
        await self.page.wait_for_load_state()  # its end scrolls a page back to its top
        for _ in range(_MOST_STOPS):
            await self.page.keyboard.press("Tab")
            stop = await self.page.evaluate(_FOCUS)
            if stop["on"]:
                assert stop["seen"] and stop["ring"] >= 2, stop
            if await element.evaluate("element => element === document.activeElement"):
                return
        raise AssertionError(f"{element} is not reached with the Tab key")

    async def choose(self, element: Locator) -> None:
        """Go there with Tab and press Enter."""
        await self.tab_to(element)
        await self.page.keyboard.press("Enter")

    async def unfold(self) -> None:
        """Open whatever the page keeps folded."""
        folded = self.page.locator("details:not([open]) > summary")
        while await folded.count():
            await folded.first.tap()

    async def is_usable(self) -> None:
        """Nothing lies outside the screen, a thumb hits every button, and axe finds nothing, by day and by night."""
        made_of = await self.page.evaluate(_MADE_OF)
        await self._fits(NARROWEST)
        await self._fits(DESK_WIDTH)
        visible_parts = "" if made_of in _FAULTLESS else await self._is_faultless_on_a_desk()
        await self._fits(WIDTH)
        assert await self.page.evaluate(_SMALL, THUMB) == []
        if made_of not in _FAULTLESS:
            await self._is_faultless(
                _ONLY_PLACES if await self.page.evaluate(_SHOWN) == visible_parts else _AXE_OPTIONS
            )
            _FAULTLESS.add(made_of)

    async def _is_faultless_on_a_desk(self) -> str:
        """Axe finds nothing on a screen as wide as this; what is shown there."""
        if not await self.page.evaluate("'axe' in window"):
            await self.page.evaluate(_AXE)
        violations = await self._violations(_AXE_OPTIONS)
        assert violations == [], violations
        return str(await self.page.evaluate(_SHOWN))

    async def _is_faultless(self, options: dict[str, Any]) -> None:
        """Axe finds nothing of this by day, and by night no other colours that cannot be read."""
        assert await self._violations(options) == []
        if await self._knows_the_dark():
            await self.page.emulate_media(color_scheme="dark")
            assert await self._violations(_ONLY_COLOURS) == [], "in the dark"
            await self.page.emulate_media(color_scheme="light")

    async def fits(self) -> None:
        """Nothing lies outside the narrowest screen and the usual one."""
        await self._fits(NARROWEST)
        await self._fits(WIDTH)

    async def _fits(self, width: int) -> None:
        await self.page.set_viewport_size({"width": width, "height": HEIGHT})
        wide = await self.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, f"{self.page.url} is {wide} wide on a screen of {width}"

    async def _knows_the_dark(self) -> bool:
        color_scheme = await self.page.locator("meta[name=color-scheme]").get_attribute("content") or ""
        return "dark" in color_scheme.split()

    async def _violations(self, options: dict[str, Any]) -> list[str]:
        return list(await self.page.evaluate(_VIOLATIONS, options))


@asynccontextmanager
async def page_of(browser: Browser, *, scripts: bool = True, comes_back: bool = False) -> AsyncIterator[Page]:
    """The screen of a phone, and nothing on it; unless it `comes_back`, each of its visits is its first."""
    context = await browser.new_context(
        viewport={"width": WIDTH, "height": HEIGHT}, has_touch=True, is_mobile=True, java_script_enabled=scripts
    )
    if not comes_back:
        await context.add_init_script(_FIRST_VISIT)
    try:
        yield await context.new_page()
    finally:
        await context.close()


@asynccontextmanager
async def fresh(page: Page, sandbox: str) -> AsyncIterator[Phone]:
    """A phone without a history, on a screen that others had before; nothing of its page may go wrong in silence."""
    await page.context.clear_cookies()
    await page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
    await page.emulate_media(color_scheme="light")
    complaints: list[str] = []

    def hear_error(error: Error) -> None:
        complaints.append(str(error))

    def hear_console(console_message: ConsoleMessage) -> None:
        if "Content Security" in console_message.text:
            complaints.append(console_message.text)

    page.on("pageerror", hear_error)
    page.on("console", hear_console)
    try:
        yield Phone(page, sandbox)
    finally:
        # Led there by the page, it stays in its process; led there by us, each page would have to have a new one.
        with suppress(Error):  # It may have left before it answers, and may be on its way to another page.
            await page.evaluate("location.replace('about:blank')")
            await page.wait_for_url("about:blank", timeout=_LEAVES_WITHIN_MS)
        if page.url != "about:blank":
            await page.goto("about:blank")
        page.remove_listener("pageerror", hear_error)
        page.remove_listener("console", hear_console)
    assert complaints == []
