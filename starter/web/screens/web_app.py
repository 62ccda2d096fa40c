"""Our pages as an installable web app: its manifest, icon and service worker below LINK_BASE, and what a page offers to
a browser that can be notified.
"""

import asyncio
import hashlib
import json
import time
from collections.abc import Callable
from typing import Final

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from activities.errors import StoreFailure
from activities.people.language import Language, phrase
from activities.people.subscriptions import SubscriptionScope, WebSubscriptions
from starter.web.screens.rendering import TEMPLATES, Brand
from starter.web.screens.screens import DeviceOffer, OfferShows

MANIFEST_PATH: Final = "/manifest.webmanifest"
DEVICE_SCRIPT: Final = (TEMPLATES / "device.js").read_text()
KEY_SECONDS: Final = 60.0
"""How long a public key is used before it is looked up again."""
_PATIENCE_SECONDS: Final = 1.0
_LOGGER: Final = structlog.get_logger("countersign.pages")
_NEUTRAL: Final = phrase("There is something new for you.")
_HEADERS: Final = {"cache-control": "no-cache", "x-content-type-options": "nosniff"}
_WORKER_HEADERS: Final = {
    **_HEADERS,
    "content-security-policy": "default-src 'none'; connect-src 'self'; img-src 'self'",
}


class WebApp:
    """While web push has no key, or the database does not say so, nothing is offered; pages need no answer of it."""

    def __init__(
        self, brand: Brand, subscriptions: WebSubscriptions, seconds: Callable[[], float] = time.monotonic
    ) -> None:
        self._name = brand.name or "Countersign"
        self.subscriptions: Final = subscriptions
        self._seconds = seconds
        self._icon = (TEMPLATES / "icon.png").read_bytes()
        self._script = (TEMPLATES / "sw.js").read_text()
        self._key: str | None = None
        self._looked_up_at = -KEY_SECONDS

    def routes(self) -> list[BaseRoute]:
        return [
            Route(MANIFEST_PATH, self.show_manifest, methods=["GET"]),
            Route("/icon.png", self.show_icon, methods=["GET"]),
            Route("/sw.js", self.show_worker, methods=["GET"]),
        ]

    async def offer(
        self, address: str, token: str, scope: SubscriptionScope, *, shows: OfferShows = OfferShows.AGAIN
    ) -> DeviceOffer | None:
        """For a page from which a browser subscribes at `address`; None where web push is off."""
        key = await self._public_key()
        if key is None:
            return None
        slot, holder = _digest(scope.workflow_id or "desk"), _digest(scope.person)
        return DeviceOffer(address, token, key, slot, holder, shows)

    async def show_manifest(self, _: Request) -> Response:
        """Without `start_url`, so that an installed page opens again where it was installed."""
        icons = [
            {"src": "icon.png", "sizes": "512x512", "type": "image/png", "purpose": "any"},
            {"src": "icon.png", "sizes": "512x512", "type": "image/png", "purpose": "maskable"},
            {"src": "icon.svg", "sizes": "any", "type": "image/svg+xml"},
        ]
        look = {"display": "standalone", "background_color": "#f3f4f7", "theme_color": "#2347c5"}
        manifest = {"name": self._name, "short_name": self._name, "scope": "./", **look, "icons": icons}
        return JSONResponse(manifest, headers=_HEADERS, media_type="application/manifest+json")

    async def show_icon(self, _: Request) -> Response:
        return Response(self._icon, media_type="image/png", headers={**_HEADERS, "cache-control": "max-age=86400"})

    async def show_worker(self, request: Request) -> Response:
        """The service worker, in the language of the browser that asks."""
        neutral = Language.accepted(request.headers.get("accept-language", "")).say(_NEUTRAL)
        constants = {"COMPANY": self._name, "NEUTRAL": neutral, "KEY": await self._public_key()}
        head = "".join(f"const {name} = {json.dumps(text)};\n" for name, text in constants.items())
        return Response(head + self._script, media_type="text/javascript", headers=_WORKER_HEADERS)

    async def _public_key(self) -> str | None:
        """The one last known while the database does not answer."""
        now = self._seconds()
        if now - self._looked_up_at >= KEY_SECONDS:
            self._looked_up_at = now
            try:
                async with asyncio.timeout(_PATIENCE_SECONDS):
                    self._key = await self.subscriptions.public_key()
            except (StoreFailure, TimeoutError) as failure:
                _LOGGER.warning("key of web push not looked up", why=str(failure))
        return self._key


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:16]
