"""A browser whose push service is played: offline, `PushManager.subscribe` gets no answer. What is pushed is delivered
by the debugging protocol, to the service worker that the page really registered.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from playwright.async_api import BrowserContext, CDPSession, Page, Worker

from tests.glances import glances

Subscribe = Callable[[str], Awaitable[dict[str, str]]]
"""Takes our public key; returns the endpoint, and the browser's keys `p256dh` and `auth`."""
ASK_PUSH_SERVICE: Final = "askPushService"
_PUSH_SERVICE: Final = """() => {
  const item = "test/subscription", kept = () => JSON.parse(localStorage.getItem(item));
  const made = ({ endpoint, p256dh, auth, key }) => ({
    endpoint, options: { applicationServerKey: Uint8Array.from(
      atob(key.replaceAll("-", "+").replaceAll("_", "/")), one => one.charCodeAt(0)).buffer },
    toJSON: () => ({ endpoint, expirationTime: null, keys: { p256dh, auth } }),
    unsubscribe: async () => { localStorage.removeItem(item); return true; },
  });
  PushManager.prototype.getSubscription = async () => kept() && made(kept());
  PushManager.prototype.subscribe = async ({ applicationServerKey: key }) => {
    localStorage.setItem(item, JSON.stringify({ ...await askPushService(key), key }));
    return made(kept());
  };
}"""
_CLICK: Final = """async title => {
  const notification = (await self.registration.getNotifications()).find(shown => shown.title === title);
  let done;
  const event = new NotificationEvent("notificationclick", { notification });
  event.waitUntil = promise => { done = promise; };
  self.clients.openWindow = async link => { self.openedLink = link; };
  self.dispatchEvent(event);
  await done;
  return self.openedLink;
}"""
"""Nobody presses anything, so that no window may really be opened, nor an open one be focused."""
_COUNT_PAGES: Final = """async link => {
  const pages = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  return pages.filter(page => page.url === link).length;
}"""
_SHOWN: Final = """async () => (await self.registration.getNotifications()).map(
  ({ title, body, tag, silent, data }) => ({ title, body, tag, silent, link: data.link }))"""
_REMEMBER: Final = """() => {
  const { showNotification } = ServiceWorkerRegistration.prototype;
  self.shownCount = 0;
  ServiceWorkerRegistration.prototype.showNotification = async function (...notification) {
    await showNotification.apply(this, notification);
    self.shownCount += 1;
  };
}"""
"""Chromium forgets a notification that is asked for while it is just being shown."""
_CHANGE: Final = """async ([former, endpoint, keys]) => {
  let done;
  const event = new Event("pushsubscriptionchange");
  event.oldSubscription = { endpoint: former };
  event.newSubscription = { toJSON: () => ({ endpoint, keys }) };
  event.waitUntil = promise => { done = promise; };
  self.dispatchEvent(event);
  await done;
}"""
_GLANCE: Final = 0.05


async def play_push_service(context: BrowserContext, subscribe: Subscribe) -> None:
    """Whatever page of this browser subscribes is answered by `subscribe`; our notifications are allowed."""
    await context.grant_permissions(["notifications"])
    await context.expose_function(ASK_PUSH_SERVICE, subscribe)
    await context.add_init_script(f"({_PUSH_SERVICE})()")


@dataclass(frozen=True)
class PushedBrowser:
    """A page with its service worker."""

    page: Page
    worker: Worker
    debugging: CDPSession
    registration: str

    @classmethod
    async def of_page(cls, page: Page) -> "PushedBrowser":
        """Once the page has registered the service worker."""
        debugging, registrations = await page.context.new_cdp_session(page), list[dict[str, Any]]()
        debugging.on(
            "ServiceWorker.workerRegistrationUpdated", lambda event: registrations.extend(event["registrations"])
        )
        base = await page.evaluate("navigator.serviceWorker.ready.then(({ scope }) => scope)")
        await debugging.send("ServiceWorker.enable")
        for pause in glances(_GLANCE):
            if any(registration["scopeURL"] == base for registration in registrations):
                break
            await page.wait_for_timeout(pause * 1000)
        registration = next(entry for entry in registrations if entry["scopeURL"] == base)
        worker = next(worker for worker in page.context.service_workers if worker.url.startswith(base))
        await worker.evaluate(_REMEMBER)
        return cls(page, worker, debugging, registration["registrationId"])

    async def deliver(self, payload: str) -> None:
        """As the browser's push service would; something has to be shown."""
        shown_count = await self._count_shown()
        parts = urlsplit(self.worker.url)
        message = {"origin": f"{parts.scheme}://{parts.netloc}", "registrationId": self.registration, "data": payload}
        await self.debugging.send("ServiceWorker.deliverPushMessage", message)
        for pause in glances(_GLANCE, 20):
            if await self._count_shown() > shown_count:
                return
            await self.page.wait_for_timeout(pause * 1000)
        raise AssertionError("nothing was shown")

    async def list_notifications(self) -> list[dict[str, Any]]:
        """What is on the screen."""
        notifications: list[dict[str, Any]] = await self.worker.evaluate(_SHOWN)
        return notifications

    async def find_notification(self, title: str) -> dict[str, Any]:
        return next(entry for entry in await self.list_notifications() if entry["title"] == title)

    async def wait_until_left(self, link: str) -> None:
        """Until the service worker no longer knows a page that the browser has left."""
        for pause in glances(_GLANCE, 20):
            if not await self.worker.evaluate(_COUNT_PAGES, link):
                return
            await self.page.wait_for_timeout(pause * 1000)
        raise AssertionError(f"{link} is still open")

    async def click(self, title: str) -> str:
        """Click the notification; the link that it opens."""
        return str(await self.worker.evaluate(_CLICK, title))

    async def change_subscription(self, former: str, endpoint: str, keys: dict[str, str]) -> None:
        """As the browser does by itself, without a page."""
        await self.worker.evaluate(_CHANGE, [former, endpoint, keys])

    async def _count_shown(self) -> int:
        return int(await self.worker.evaluate("self.shownCount"))
