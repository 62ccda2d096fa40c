"""Browsers that subscribed to our notices. One that did so at the desk is a device of the person who signed in. One
behind a link is an addition for one follow-up: never a device of anybody, so that whoever has a forwarded link can
neither silence the person nor sign in as them.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from activities.http.transport import Guard
from activities.people.devices import Devices
from activities.people.person import WebDevice
from activities.records.devices import WITHDRAWN, InvalidMark, WebSubscription
from activities.records.store import Store
from activities.records.subscriptions import WebPushKey

ENDPOINT_AT_MOST: Final = 2_048
"""Characters; those of the four browsers have about 200 to 700."""
PUSH_HOSTS: Final = (
    "fcm.googleapis.com",
    "*.push.services.mozilla.com",
    "*.notify.windows.com",
    "web.push.apple.com",
    "*.push.apple.com",
)
"""The push services of Chrome, Firefox, Edge and Safari."""
_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
_POINT_BYTES: Final = 65
_AUTH_BYTES: Final = 16


class BadSubscription(ValueError):
    """A browser sent something else than a subscription of one of the allowed push services; `field` is at fault."""

    def __init__(self, field: str, explanation: str) -> None:
        super().__init__(f"{field}: {explanation}")
        self.field = field


class LinkDevice(WebDevice):
    """A browser behind a link, which is nobody's device."""


@dataclass(frozen=True)
class SubscriptionScope:
    """Whose notices a browser gets: all of a person who signed in at the desk; or behind a link, as which person it is
    used, those of one follow-up. An onboarding is one follow-up with its parts.
    """

    person: str
    workflow_id: str | None = None


def push_guard(hosts: Sequence[str] = ()) -> Guard:
    """Allows the push services of the browsers, and `hosts` (`PUSH_WEB_HOSTS`)."""
    return Guard((*PUSH_HOSTS, *hosts), setting="COUNTERSIGN_PUSH_WEB_HOSTS")


def make_web_push_key() -> WebPushKey:
    key = generate_private_key(SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return WebPushKey(base64.urlsafe_b64encode(point).rstrip(b"=").decode(), pem)


def parse_subscription(plain: object, guard: Guard) -> WebSubscription:
    """From `{endpoint, p256dh, auth, vapid_key}`, or with the first two keys inside `keys`, as a browser's `toJSON` has
    them; raises `BadSubscription`.
    """
    if not isinstance(plain, Mapping):
        raise BadSubscription("body", "must be an object")
    keys = plain.get("keys", plain)
    if not isinstance(keys, Mapping):
        raise BadSubscription("keys", "must be an object with p256dh and auth")
    return WebSubscription(
        _endpoint(plain.get("endpoint"), guard),
        _point("p256dh", keys.get("p256dh")),
        _key("auth", keys.get("auth"), _AUTH_BYTES),
        _point("vapid_key", plain.get("vapid_key")),
    )


class WebSubscriptions:
    """Raises `StoreFailure`."""

    def __init__(self, store: Store, devices: Devices | None = None) -> None:
        self._store = store
        self._devices = devices or Devices(store)

    async def public_key(self) -> str | None:
        """What browsers subscribe with (`applicationServerKey`); None if web push is off."""
        keys = await self._store.web_push_keys.read()
        return keys[0].public if keys else None

    async def subscribe(self, scope: SubscriptionScope, subscription: WebSubscription, now: datetime) -> None:
        """Repeated at each visit, which keeps it in use. At the desk the browser is the person's from then on, whoever
        had it; behind a link it stays the device of whom it is. Raises `BadSubscription` for a key that is not ours.
        """
        await self._check_key(subscription)
        if scope.workflow_id is None:
            device = WebDevice(subscription=subscription).model_copy(update={"registered_at": now})
            await self._devices.register(scope.person, device, now)
        else:
            await self._store.link_subscriptions.subscribe(scope.workflow_id, scope.person, subscription, now)

    async def unsubscribe(self, scope: SubscriptionScope, endpoint: str, now: datetime | None = None) -> None:
        """Of this scope alone."""
        if scope.workflow_id is not None:
            await self._store.link_subscriptions.unsubscribe(scope.workflow_id, scope.person, endpoint)
            return
        mark = InvalidMark(WITHDRAWN, now or datetime.now(UTC))
        await self._store.devices.mark(scope.person, endpoint, mark)
        self._devices.forget_recent(scope.person)

    async def renew(
        self, former: str, subscription: WebSubscription, now: datetime, scope: SubscriptionScope | None = None
    ) -> bool:
        """Put it in the place of the browser's former one in every scope; whether it is subscribed then, in `scope`."""
        await self._check_key(subscription)
        await self._store.link_subscriptions.renew(former, subscription, now)
        if owner := await self._store.devices.find_browser_owner(former):
            await self.subscribe(SubscriptionScope(owner), subscription, now)
            if former != subscription.endpoint:
                await self.unsubscribe(SubscriptionScope(owner), former, now)
        return await self._is_subscribed(subscription.endpoint, scope)

    async def _check_key(self, subscription: WebSubscription) -> None:
        if subscription.vapid_key not in {key.public for key in await self._store.web_push_keys.read()}:
            raise BadSubscription("vapid_key", "is no key of ours: subscribe with the one of the page")

    async def _is_subscribed(self, endpoint: str, scope: SubscriptionScope | None) -> bool:
        if scope and scope.workflow_id is None:
            return await self._store.devices.find_browser_owner(endpoint) == scope.person
        links = await self._store.link_subscriptions.people_of(endpoint)
        if scope:
            return (scope.workflow_id, scope.person) in links
        return bool(links) or await self._store.devices.find_browser_owner(endpoint) is not None

    async def list_behind_links(self, workflow_ids: Sequence[str]) -> Mapping[str, tuple[LinkDevice, ...]]:
        """Browsers behind links of these follow-ups, by person."""
        subscriptions_by_person = await self._store.link_subscriptions.list_for(workflow_ids)
        return {
            person: tuple(LinkDevice(subscription=subscription) for subscription in subscriptions)
            for person, subscriptions in subscriptions_by_person.items()
        }

    async def forget_behind_links(self, endpoint: str) -> None:
        """The browser's push service knows it no more."""
        await self._store.link_subscriptions.forget(endpoint)


def _endpoint(address: Any, guard: Guard) -> str:
    if not isinstance(address, str) or not address or len(address) > ENDPOINT_AT_MOST:
        raise BadSubscription("endpoint", f"must be an address of at most {ENDPOINT_AT_MOST} characters")
    if not address.isascii() or not address.isprintable() or " " in address or "#" in address:
        raise BadSubscription("endpoint", "must be an address of printable ASCII characters, without a fragment")
    if refusal := guard.refusal(address):
        raise BadSubscription("endpoint", refusal)
    if not address.startswith("https:") and urlsplit(address).hostname not in _LOOPBACK:
        raise BadSubscription("endpoint", "only https is called")
    return address


def _point(field: str, text: Any) -> str:
    point = _key(field, text, _POINT_BYTES)
    try:
        EllipticCurvePublicKey.from_encoded_point(SECP256R1(), _decode(point))
    except ValueError:
        raise BadSubscription(field, "must be a point of the curve P-256") from None
    return point


def _key(field: str, text: Any, byte_count: int) -> str:
    """The key in base64url without padding."""
    if isinstance(text, str) and len(text) <= 2 * byte_count:
        try:
            key = _decode(text.rstrip("="))
        except (ValueError, binascii.Error):
            key = b""
        if len(key) == byte_count:
            return base64.urlsafe_b64encode(key).rstrip(b"=").decode()
    raise BadSubscription(field, f"must be {byte_count} bytes in base64url")


def _decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
