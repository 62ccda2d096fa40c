"""Push services: dialects of FCM and the AppWorks Gateway, each sending one message to one address."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Final, Protocol, Self
from urllib.parse import urlencode

import httpx
from authlib.oauth2.rfc7523.assertion import sign_jwt_bearer_assertion  # type: ignore[import-untyped]
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError

from activities.http.client import Cause, Service, ServiceFailure, make_client
from activities.http.oauth import Bearer, Credentials, Token
from activities.notifications.message import LIFETIME, NotificationMessage, fitted, wire_size
from activities.people.person import AddressKind
from activities.temporal.failures import verdict
from workflows.model.subject import Code

_WRONG_ADDRESS: Final = (404, 405)
LIMIT: Final = 4096
"""Bytes of one message, keys and values; we also count braces and target, to be safe."""
SEND_PATH: Final = "/v1/projects/{project}/messages:send"
_TTL: Final = str(int(LIFETIME.total_seconds()))
Json = dict[str, Any]
SCOPE: Final = "https://www.googleapis.com/auth/firebase.messaging"
GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_BAD_REQUEST: Final = 400


class MessageFate(StrEnum):
    """The outcome of one message to one device."""

    ACCEPTED = "accepted"
    UNREGISTERED = "unregistered"
    """The app is gone from the device: never send there again."""
    OTHER_SENDER = "other_sender"
    """The token belongs to another push project: it is kept, and an operator should know."""
    MISMATCH = "mismatch"
    """So do many others: our credentials are wrong, no device is at fault."""
    REFUSED = "refused"
    """Our message is at fault: no retry."""
    LATER = "later"
    """The service could not take it now."""
    PENDING = "pending"
    """Taken, with an unknown outcome."""
    UNDELIVERED = "undelivered"
    """Taken, but not delivered."""
    UNKNOWN = "unknown"
    """Perhaps taken, more than once; not sent again."""
    PLATFORM = "platform"
    """Apple or the browser's vendor refuses the push service's credentials: the device is kept."""
    UNAUTHORISED = "unauthorised"
    """Our credentials, certificate or address are refused: all devices are kept."""

    @property
    def dead(self) -> bool:
        """Whether the service says that the device is invalid for good."""
        return self is MessageFate.UNREGISTERED

    @property
    def hopeless(self) -> bool:
        """Whether no retry will reach the device: time for another channel."""
        return self in (
            MessageFate.UNREGISTERED,
            MessageFate.OTHER_SENDER,
            MessageFate.REFUSED,
            MessageFate.UNDELIVERED,
        )


@dataclass(frozen=True)
class MessageResult:
    """The outcome of one message, and its failure unless it was accepted."""

    fate: MessageFate
    failure: ServiceFailure | None = None
    job: str | None = None
    """The service's id, if its delivery can be queried."""
    asks_for: float = 0
    """Seconds before a pending message is worth a query."""

    @property
    def wait(self) -> float:
        """The service's `Retry-After` in seconds."""
        if self.failure is None:
            return self.asks_for
        return max(self.failure.retry_after or 0, verdict(self.failure).at_least or 0)


class PushDialect(Protocol):
    """The HTTP protocol of a push service, without Temporal and persons."""

    async def send(
        self, address: str, message: NotificationMessage, kind: AddressKind = AddressKind.TOKEN
    ) -> MessageResult:
        """Send `message` to one device; never raises for an error response or a missing one."""
        ...

    async def check(self) -> None:
        """For `doctor`: raises `ServiceFailure` unless the service answers and accepts our credentials."""
        ...

    async def aclose(self) -> None: ...


def fate_of(failure: ServiceFailure) -> MessageResult:
    """By the common table of failures; dialects check their own codes first."""
    meaning = verdict(failure)
    if meaning.passes:
        return MessageResult(MessageFate.LATER, failure)
    refused = meaning.code is Code.REFUSED and failure.status not in _WRONG_ADDRESS
    return MessageResult(MessageFate.REFUSED if refused else MessageFate.UNAUTHORISED, failure)


def too_soon(seconds: float, explanation: str = "as many messages this minute as one device may get") -> MessageResult:
    """The outcome of a message that we hold back."""
    return MessageResult(
        MessageFate.LATER, ServiceFailure("push limiter", Cause.BOUND, explanation, retry_after=seconds)
    )


def no_place() -> MessageResult:
    """The outcome of a message without a slot, since the service is slow."""
    return MessageResult(
        MessageFate.LATER, ServiceFailure("push limiter", Cause.LATER, "too many messages are on their way")
    )


class FcmPush:
    """Sends to one device at a time; the client of `service` adds the bearer token."""

    def __init__(self, service: Service, project: str, send_path: str = SEND_PATH) -> None:
        self._service = service
        self._path = send_path.replace("{project}", project)

    async def send(
        self, address: str, message: NotificationMessage, kind: AddressKind = AddressKind.TOKEN
    ) -> MessageResult:
        """`address` is a registration token or installation id."""
        body = fcm_body(address, message, kind)
        try:
            answer = await self._service.call("POST", self._path, json=body, private=(address,), operation="send")
            answer.refuse_page()
        except ServiceFailure as failure:
            return _fate(failure)
        return MessageResult(MessageFate.ACCEPTED)

    async def check(self) -> None:
        """A dry run to an invalid token: its rejection proves that our credentials are accepted."""
        try:
            nobody = {"validate_only": True, "message": {"token": "doctor"}}
            (await self._service.call("POST", self._path, json=nobody, operation="check")).refuse_page()
        except ServiceFailure as failure:
            if failure.error_code not in ("INVALID_ARGUMENT", "UNREGISTERED"):
                raise

    async def aclose(self) -> None:
        await self._service.aclose()


def fcm_body(address: str, message: NotificationMessage, kind: AddressKind = AddressKind.TOKEN) -> Json:
    """The body of one send, at most `LIMIT` bytes."""
    recipient = {kind.value: address}
    small = fitted(message, lambda candidate: wire_size(_message(recipient, candidate)), LIMIT)
    return {"validate_only": False, "message": _message(recipient, small)}


class BadServiceAccount(ValueError):
    """The credentials file is unusable; the message has nothing of its content."""


@lru_cache(maxsize=1)
def _key(pem: SecretStr) -> RSAKey:
    # Checking a key takes longer than signing, and a read account signs next anyway.
    return RSAKey.import_key(pem.get_secret_value())


def _usable(pem: SecretStr) -> SecretStr:
    try:
        _key(pem)
    except (ValueError, JoseError):
        raise ValueError("not an RSA key in PEM form") from None
    return pem


class ServiceAccount(BaseModel):
    """The needed fields of a Google service account key file."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    client_email: str = Field(min_length=3)
    private_key: Annotated[SecretStr, AfterValidator(_usable)]
    private_key_id: str = ""
    token_uri: Annotated[str, Field(pattern=r"^https://")] = "https://oauth2.googleapis.com/token"  # noqa: S105  an address, no secret

    @classmethod
    def read(cls, file: Path) -> Self:
        """Raises `BadServiceAccount`."""
        try:
            return cls.model_validate_json(file.read_bytes())
        except OSError as error:
            raise BadServiceAccount(f"{file}: {error.strerror}") from None
        except ValidationError as error:
            fields = ", ".join(".".join(map(str, fault["loc"])) or "JSON" for fault in error.errors())
            raise BadServiceAccount(f"{file}: not a service account key: {fields}") from None


class ServiceAccountBearer(Bearer):
    def __init__(
        self,
        service: str,
        account: ServiceAccount,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(
            service,
            Credentials(account.token_uri, account.client_email, account.private_key),
            transport=transport,
            clock=clock,
        )
        self._account = account
        self._key = _key(account.private_key)
        self._name = f"{service} token"
        self._network = transport
        self._now = clock

    async def ask(self) -> Token:
        """Exchange a JWT signed with the account's key for a token."""
        asked_at = self._now()
        form = urlencode({"grant_type": GRANT, "assertion": self._assertion()}).encode()
        headers = {"content-type": "application/x-www-form-urlencoded"}
        async with make_client(transport=self._network) as client:
            service = Service(self._name, self._account.token_uri, client)
            answer = await service.call("POST", "", content=form, headers=headers, operation="token")
        token = answer.json()
        if not (isinstance(token, dict) and isinstance(token.get("access_token"), str)):
            raise ServiceFailure(
                answer.service, Cause.UNREADABLE, "expected a token, got something else", status=answer.status
            )
        return self.token_of(token, asked_at)

    def _assertion(self) -> str:
        account = self._account
        assertion: str = sign_jwt_bearer_assertion(
            key=self._key,
            issuer=account.client_email,
            audience=account.token_uri,
            claims={"scope": SCOPE},
            header={"alg": "RS256", "kid": account.private_key_id},
        )
        return assertion


class AppWorksPush:
    """Sends to one user at a time, as the application `app` with its shared secret `app_key`."""

    def __init__(self, service: Service, app: str, app_key: SecretStr, clock: Callable[[], float] = time.time) -> None:
        self._service = service
        self._app = app
        self._path = f"/deployments/notifications/{app}/fcm-push"
        self._app_key = app_key
        self._clock = clock

    async def send(
        self, address: str, message: NotificationMessage, kind: AddressKind = AddressKind.TOKEN
    ) -> MessageResult:
        """Send to all devices of the user `address`; `kind` is ignored."""
        key = self._app_key.get_secret_value()
        try:
            answer = await self._service.call(
                "POST",
                self._path,
                json=appworks_body(address, message, self._app, int(self._clock())),
                headers={"otagAppKey": key},
                private=(address, key),
                operation="send",
            )
            answer.refuse_page()
        except ServiceFailure as failure:
            return fate_of(failure)
        return MessageResult(MessageFate.ACCEPTED)

    async def check(self) -> None:
        """Sends to nobody: the kind of rejection proves that our credentials are accepted."""
        key = self._app_key.get_secret_value()
        headers = {"otagAppKey": key}
        try:
            answer = await self._service.call(
                "POST", self._path, json={}, headers=headers, private=(key,), operation="check"
            )
            answer.refuse_page()
        except ServiceFailure as failure:
            if failure.status != _BAD_REQUEST:
                raise

    async def aclose(self) -> None:
        await self._service.aclose()


def appworks_body(user: str, message: NotificationMessage, app: str, created: int) -> Json:
    """The body of one send, at most `LIMIT` bytes; `created` is in seconds since the epoch."""
    small = fitted(message, lambda candidate: wire_size(_body(user, candidate, app, created)), LIMIT)
    return _body(user, small, app, created)


def _message(recipient: Json, message: NotificationMessage) -> Json:
    addressed = {**recipient, "data": message.data}
    if message.withdrawal:
        return {**addressed, **_silent(message)}
    return {**addressed, "notification": {"title": message.title, "body": message.body}, **_visible(message)}


def _visible(message: NotificationMessage) -> Json:
    if message.quiet:
        return _quiet(message)
    web: Json = {"headers": {"TTL": _TTL, "Urgency": "high", "Topic": message.key}}
    if message.link.startswith("https://"):
        web["fcm_options"] = {"link": message.link}
    return {
        "android": {"priority": "HIGH", "ttl": f"{_TTL}s", "notification": {"tag": message.key}},
        "apns": {
            "headers": {"apns-priority": "10", "apns-collapse-id": message.key},
            "payload": {"aps": {"sound": "default"}},
        },
        "webpush": web,
    }


def _quiet(message: NotificationMessage) -> Json:
    web: Json = {
        "headers": {"TTL": _TTL, "Urgency": "very-low", "Topic": message.key},
        "notification": {"silent": True},
    }
    if message.link.startswith("https://"):
        web["fcm_options"] = {"link": message.link}
    return {
        "android": {
            "priority": "NORMAL",
            "ttl": f"{_TTL}s",
            "notification": {"tag": message.key, "notification_priority": "PRIORITY_LOW"},
        },
        "apns": {
            "headers": {"apns-priority": "5", "apns-collapse-id": message.key},
            "payload": {"aps": {"interruption-level": "passive"}},
        },
        "webpush": web,
    }


def _silent(message: NotificationMessage) -> Json:
    """Data only: the app removes the notice with this key. Apple requires priority 5 for such messages."""
    return {
        "android": {"priority": "HIGH", "ttl": f"{_TTL}s"},
        "apns": {
            "headers": {"apns-priority": "5", "apns-collapse-id": message.key},
            "payload": {"aps": {"content-available": 1}},
        },
        "webpush": {"headers": {"TTL": _TTL, "Urgency": "normal", "Topic": message.key}},
    }


def _fate(failure: ServiceFailure) -> MessageResult:
    if failure.error_code == "UNREGISTERED":
        return MessageResult(MessageFate.UNREGISTERED, failure)
    if failure.error_code == "SENDER_ID_MISMATCH":
        return MessageResult(MessageFate.OTHER_SENDER, failure)
    if failure.error_code == "THIRD_PARTY_AUTH_ERROR":
        return MessageResult(MessageFate.PLATFORM, failure)
    return fate_of(failure)


def _body(user: str, message: NotificationMessage, app: str, created: int) -> Json:
    texts = {} if message.withdrawal else {"title": message.title, "summary": message.body}
    tag = {} if message.withdrawal else {"notification": {"tag": message.key}}
    apple = "5" if message.withdrawal or message.quiet else "10"
    android = "NORMAL" if message.quiet else "HIGH"
    return {
        "users": [user],
        "clientIds": [],
        "otdsGroups": [],
        "runtimes": [],
        "broadcast": False,
        **texts,
        "data": {"target": app, "created": created, app: message.data},
        "collapseKey": message.key,
        "androidConfig": {"priority": android, "ttl": f"{_TTL}s", **tag},
        "apnsConfig": {"headers": {"apns-priority": apple, "apns-collapse-id": message.key}},
        "webpushConfig": {"headers": {"TTL": _TTL, "Topic": message.key}},
    }
