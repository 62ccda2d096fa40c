"""Web push to a browser that subscribed, by the push service of its vendor: RFC 8030 with the encryption of RFC 8291
and our signature of RFC 8292. The push service never sees the message, only its key, lifetime and urgency.
"""

import asyncio
import base64
import json
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

import http_ece  # type: ignore[import-untyped]
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from joserfc import jwt
from joserfc.jwk import ECKey

from activities.errors import StoreFailure
from activities.http.client import Cause, Service, ServiceFailure
from activities.http.transport import Guard
from activities.notifications.message import NotificationMessage, fitted, wire_size
from activities.notifications.push_services import MessageFate, MessageResult, fate_of
from activities.records.devices import WebSubscription
from activities.records.subscriptions import WebPushKey
from workflows.follow_up.notification_types import NotificationType, kind_of

PAYLOAD_AT_MOST: Final = 3 * 1024
"""Bytes of one message before its encryption; push services take 4,096 after it."""
TOKEN_REUSED_FOR: Final = timedelta(hours=12)
TOKEN_VALID_FOR: Final = timedelta(hours=18)
"""A push service takes tokens for at most 24 hours; its clock may differ from ours."""
TOKENS_AT_MOST: Final = 1_000
KEYS_FRESH_FOR: Final = 60.0
"""Seconds before an unknown key is looked up again."""
SOON: Final = timedelta(days=1)
"""What is of use for no longer than this wakes the device."""
NAME: Final = "web push"
_GONE: Final = (404, 410)
_NOT_OURS: Final = (401, 403)
_PRESSING: Final = (NotificationType.READY, NotificationType.WARNING, NotificationType.ESCALATION)
ReadKeys = Callable[[], Awaitable[Sequence[WebPushKey]]]


class VapidTokens:
    """Our signed tokens by key and push service, each used for `TOKEN_REUSED_FOR`. `contact` is an address (`mailto:`
    or https) at which the push service may reach us; `clock` tells seconds since 1970.
    """

    def __init__(self, contact: str, clock: Callable[[], float] = time.time) -> None:
        self._contact = contact
        self._clock = clock
        self._tokens: OrderedDict[tuple[str, str], tuple[str, float]] = OrderedDict()

    def authorise(self, origin: str, public: str, key: ECKey) -> str:
        """The value of the header `authorization`."""
        now = self._clock()
        token, made_at = self._tokens.get((public, origin), ("", 0.0))
        if not 0 <= now - made_at < TOKEN_REUSED_FOR.total_seconds():
            token, made_at = self._make_token(origin, key, now), now
            self._tokens[public, origin] = token, made_at
            if len(self._tokens) > TOKENS_AT_MOST:
                self._tokens.popitem(last=False)
        return f"vapid t={token}, k={public}"

    def _make_token(self, origin: str, key: ECKey, now: float) -> str:
        expires_at = int(now + TOKEN_VALID_FOR.total_seconds())
        claims = {"aud": origin, "exp": expires_at, **({"sub": self._contact} if self._contact else {})}
        return jwt.encode({"typ": "JWT", "alg": "ES256"}, claims, key)


class SigningKeys:
    """Our private keys by public key, read again when one is unknown: another process may have made it."""

    def __init__(self, read: ReadKeys, clock: Callable[[], float] = time.monotonic) -> None:
        self._read = read
        self._clock = clock
        self._keys: Mapping[str, ECKey] = {}
        self._read_at = float("-inf")
        self._one_at_a_time = asyncio.Lock()

    async def find(self, public: str) -> ECKey | None:
        """Raises `StoreFailure`."""
        async with self._one_at_a_time:
            if public not in self._keys and self._clock() - self._read_at >= KEYS_FRESH_FOR:
                self._keys = {key.public: ECKey.import_key(key.private) for key in await self._read()}
                self._read_at = self._clock()
        return self._keys.get(public)


class WebPush:
    """`guard` allows the push services of browsers."""

    def __init__(self, service: Service, guard: Guard, keys: SigningKeys, tokens: VapidTokens) -> None:
        self._service = service
        self._guard = guard
        self._keys = keys
        self._tokens = tokens

    async def send(self, subscription: WebSubscription, message: NotificationMessage) -> MessageResult:
        """Send to one browser; never raises for an error response or a missing one. 404 and 410 end the subscription. A
        push service that does not take our signature has perhaps another key for this browser alone.
        """
        if refusal := self._guard.refusal(subscription.endpoint):
            return MessageResult(MessageFate.REFUSED, _not_called(refusal))
        try:
            key = await self._keys.find(subscription.vapid_key)
        except StoreFailure as failure:
            return MessageResult(MessageFate.LATER, _not_called(str(failure), Cause.LATER))
        if key is None:
            return MessageResult(MessageFate.OTHER_SENDER, _not_called("the key that it subscribed with is not ours"))
        headers = build_headers(message) | {
            "authorization": self._tokens.authorise(origin_of(subscription.endpoint), subscription.vapid_key, key)
        }
        try:
            answer = await self._service.call(
                "POST",
                subscription.endpoint,
                content=encrypt(build_payload(message), subscription),
                headers=headers,
                private=(subscription.endpoint,),
                operation="send",
            )
            answer.refuse_page()
        except ServiceFailure as failure:
            return _fate(failure)
        return MessageResult(MessageFate.ACCEPTED)

    async def aclose(self) -> None:
        await self._service.aclose()


def origin_of(endpoint: str) -> str:
    """The push service that a token is for."""
    parts = urlsplit(endpoint)
    return f"{parts.scheme}://{parts.netloc}"


def build_payload(message: NotificationMessage) -> bytes:
    """What our service worker reads, at most `PAYLOAD_AT_MOST` bytes."""
    small = fitted(message, lambda candidate: wire_size(_payload(candidate)), PAYLOAD_AT_MOST)
    return json.dumps(_payload(small), ensure_ascii=False, separators=(",", ":")).encode()


def build_headers(message: NotificationMessage) -> dict[str, str]:
    return {
        "content-encoding": "aes128gcm",
        "content-type": "application/octet-stream",
        "topic": message.key,
        "ttl": str(int(message.lifetime.total_seconds())),
        "urgency": urgency_of(message),
    }


def urgency_of(message: NotificationMessage) -> str:
    """By its type, and by how long it is of use."""
    if message.withdrawal:
        return "normal"
    if message.quiet:
        return "very-low"
    return "high" if kind_of(message.stage) in _PRESSING or message.lifetime <= SOON else "normal"


def encrypt(
    content: bytes,
    subscription: WebSubscription,
    *,
    private_key: EllipticCurvePrivateKey | None = None,
    salt: bytes | None = None,
) -> bytes:
    """The body for this browser. `private_key` and `salt` are new for each message (given: the example of the RFC)."""
    encrypted: bytes = http_ece.encrypt(
        content,
        salt=salt,
        private_key=private_key or generate_private_key(SECP256R1()),
        dh=_decode(subscription.p256dh),
        auth_secret=_decode(subscription.auth),
    )
    return encrypted


def _payload(message: NotificationMessage) -> dict[str, Any]:
    # A browser must show each push: a withdrawal replaces the notice without a sound.
    return {
        "title": message.title,
        "body": message.body,
        "link": message.link,
        "tag": message.key,
        "silent": message.withdrawal or message.quiet,
        "type": NotificationType.WITHDRAWAL if message.withdrawal else kind_of(message.stage) or message.stage,
    }


def _fate(failure: ServiceFailure) -> MessageResult:
    if failure.status in _GONE:
        return MessageResult(MessageFate.UNREGISTERED, failure)
    if failure.status in _NOT_OURS:
        return MessageResult(MessageFate.OTHER_SENDER, failure)
    return fate_of(failure)


def _not_called(explanation: str, cause: Cause = Cause.UNTRUSTED) -> ServiceFailure:
    return ServiceFailure(NAME, cause, explanation, never_asked=True)


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
