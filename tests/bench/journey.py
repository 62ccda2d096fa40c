"""How fast the customer's page comes, beside a page of the same bytes that is made by nobody."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Final

import httpx
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from activities.notifications.links import LinkUse
from starter.config.values import Bind
from starter.web.app import make_app
from starter.web.http.serving import listening
from tests.plain_http import plain_client
from tests.starter.web.pages.test_journey_pages import ACME, make_onboarding_view
from tests.starter.web.paging import FIRST, phone
from workflows.model.views import Shown

PAGES: Final = 200
_WARM_UP: Final = 20


async def page_ms() -> tuple[float, float]:
    """The 95th percentile of so many looks in milliseconds: of the customer's page, and of a static one."""

    async def look(_: str) -> Shown:
        return make_onboarding_view()

    with tempfile.TemporaryDirectory() as folder:
        async with phone(Path(folder), asking=look) as customer_phone:
            address = customer_phone.links.link(ACME, FIRST, LinkUse.VIEW)
            path = address[address.index("/journey/") :]
            content = (await customer_phone.browser.get(path)).content

            def seconds_pass() -> None:
                customer_phone.watch.now += 5

            product_ms = await _p95(customer_phone.browser, path, seconds_pass)

    async def serve_same_page(_: Request) -> Response:
        return Response(content, media_type="text/html")

    async with (
        listening(make_app([Route("/static", serve_same_page)]), Bind("127.0.0.1", 0)) as url,
        plain_client(url) as browser,
    ):
        return product_ms, await _p95(browser, "/static")


async def _p95(browser: httpx.AsyncClient, path: str, between: Callable[[], None] = lambda: None) -> float:
    took = []
    for number in range(_WARM_UP + PAGES):
        between()
        began = perf_counter()
        answer = await browser.get(path)
        answer.raise_for_status()
        if number >= _WARM_UP:
            took.append((perf_counter() - began) * 1_000)
    return sorted(took)[int(len(took) * 0.95) - 1]
