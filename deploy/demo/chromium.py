"""The Chromium of this machine, for the demo and the browser stories: where it is, how it is started, and what is said
when there is none.
"""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from playwright.async_api import Browser

HOW_TO_HAVE_THEM: Final = (
    "The browser stories did not run: there is no Chromium here. To have them, install it "
    "(Debian and Ubuntu: apt-get install chromium) and type `make test` again."
)
_NAMES: Final = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "microsoft-edge",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
_PATIENCE_MS: Final = 45_000
"""A page that waits for a push or a callback waits for other processes, on a busy machine."""


def executable() -> str | None:
    """The first Chromium that is installed, None without one."""
    return next(filter(None, map(shutil.which, _NAMES)), None)


@asynccontextmanager
async def chromium(path: str) -> AsyncIterator["Browser"]:
    """Start it without a window; it ends with the block."""
    from playwright.async_api import async_playwright, expect  # noqa: PLC0415  only where this is developed

    # Chromium refuses its own sandbox to root, and in a container there is often nobody else.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    expect.set_options(timeout=_PATIENCE_MS)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=arguments)
        try:
            yield browser
        finally:
            await browser.close()
