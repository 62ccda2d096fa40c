"""The desk page of a person's devices: this browser may be one of them, and each browser can be removed."""

from dataclasses import dataclass
from functools import partial
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from activities.people.devices import Devices, KnownDevice
from activities.people.language import Language, phrase
from activities.people.person import AddressKind, Platform
from activities.people.subscriptions import SubscriptionScope
from activities.records.devices import device_hash
from starter.web.desk.responses import RequestContext
from starter.web.desk.sessions import Visitor
from starter.web.receivers.subscriptions import SubscriptionReceiver
from starter.web.screens.rendering import Renderer
from starter.web.screens.screens import DeviceOffer, OfferShows
from starter.web.screens.web_app import WebApp

DEVICES: Final = "devices"
_DEVICE: Final = "device"
_REMOVED: Final = "removed"
_BROWSERS: Final = {
    "googleapis.com": "Chrome",
    "mozilla.com": "Firefox",
    "apple.com": "Safari",
    "windows.com": "Edge",
}
"""By the domain of the vendor's push service; other browsers use Chrome's."""
_APPS: Final = {
    Platform.ANDROID: phrase("The app on Android"),
    Platform.IOS: phrase("The app on an iPhone or iPad"),
    Platform.WEB: phrase("The web app"),
}


@dataclass(frozen=True)
class DeviceRow:
    """`id` is the short hash of a browser's endpoint; empty for a device that only its app takes away."""

    name: str
    seen: str
    id: str = ""


class DevicePages:
    """`renderer` has the script that subscribes."""

    def __init__(
        self,
        shared: RequestContext,
        receiver: SubscriptionReceiver,
        web_app: WebApp,
        renderer: Renderer,
    ) -> None:
        self._shared = shared
        self._responses = shared.responses
        self._devices = Devices(shared.context.store)
        self._receiver = receiver
        self._web_app = web_app
        self.renderer: Final = renderer

    def routes(self) -> list[BaseRoute]:
        page = f"/desk/{DEVICES}"
        return [
            Route(page, self._responses.visitors(self.show), methods=["GET"]),
            Route(page, self._responses.acting(self.remove), methods=["POST"]),
            Route(f"/desk/{_DEVICE}/{{call}}", self._responses.calling(self.receive), methods=["POST"]),
        ]

    async def offer(self, visitor: Visitor, shows: OfferShows) -> DeviceOffer | None:
        """Of this browser as the visitor's device; None where web push is off."""
        token, address = self._responses.guard.token(visitor.name), self.renderer.at_desk(_DEVICE)
        return await self._web_app.offer(address, token, _scope(visitor), shows=shows)

    async def show(self, request: Request, visitor: Visitor) -> Response:
        return self.renderer.page(
            "devices.html",
            visitor.reader.language,
            frame=await self._responses.frame(visitor, DEVICES),
            device=await self.offer(visitor, OfferShows.ALWAYS),
            rows=[self._row(device, visitor) for device in await self._alive(visitor)],
            is_removed=request.query_params.get("done") == _REMOVED,
        )

    async def remove(self, request: Request, visitor: Visitor, form: dict[str, str]) -> Response:
        for known in await self._alive(visitor):
            if _is_browser(known) and device_hash(known.device.value) == form.get(_DEVICE):
                now = self._shared.clock()
                await self._web_app.subscriptions.unsubscribe(_scope(visitor), known.device.value, now)
        return self.renderer.to_desk(f"{DEVICES}?done={_REMOVED}")

    async def receive(self, request: Request, visitor: Visitor) -> Response:
        accepts = partial(self._responses.guard.accepts, visitor.name, headers=request.headers)
        return await self._receiver.answer(request, _scope(visitor), accepts)

    async def _alive(self, visitor: Visitor) -> list[KnownDevice]:
        self._devices.forget_recent(visitor.id)
        known_devices = await self._devices.list_devices(visitor.person)
        return [known for known in known_devices if known.invalid_reason is None]

    def _row(self, known: KnownDevice, visitor: Visitor) -> DeviceRow:
        seen_at, reader = known.device.last_seen_at, visitor.reader
        seen = reader.language.say("last seen {when}", when=reader.date(reader.day(seen_at))) if seen_at else ""
        if _is_browser(known):
            return DeviceRow(_browser(known.device.value, reader.language), seen, device_hash(known.device.value))
        return DeviceRow(reader.language.say(_APPS[known.device.platform]), seen)


def _is_browser(known: KnownDevice) -> bool:
    return known.device.kind is AddressKind.WEB


def _browser(endpoint: str, language: Language) -> str:
    host = urlsplit(endpoint).hostname or ""
    name = next((name for domain, name in _BROWSERS.items() if host.endswith(domain)), "")
    return language.say("Browser ({name})", name=name) if name else language.say("Browser")


def _scope(visitor: Visitor) -> SubscriptionScope:
    return SubscriptionScope(visitor.id)
