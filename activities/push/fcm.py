"""The dialect `fcm_v1`: Firebase Cloud Messaging's HTTP v1 (docs/core-signature.md, FCM)."""

from typing import Any, Final

from activities.device import AddressKind
from activities.http.calling import Service, ServiceFailure
from activities.push.dialect import MessageFate, MessageResult, fate_of
from activities.push.message import LIFETIME, Message, fitted, wire_size

LIMIT: Final = 4096
"""Bytes of one message, keys and values; we count the braces and the target too, to be on the safe side."""
SEND_PATH: Final = "/v1/projects/{project}/messages:send"

_TTL: Final = str(int(LIFETIME.total_seconds()))

Json = dict[str, Any]


class FcmPush:
    """Sends to one device at a time; the client of `service` puts the bearer token on each call."""

    def __init__(self, service: Service, project: str, send_path: str = SEND_PATH) -> None:
        self._service = service
        self._path = send_path.replace("{project}", project)

    async def send(self, address: str, message: Message, kind: AddressKind = AddressKind.TOKEN) -> MessageResult:
        """Send to the registration token, or the installation id, of one device."""
        body = fcm_body(address, message, kind)
        try:
            answer = await self._service.call("POST", self._path, json=body, private=(address,))
            answer.refuse_page()
        except ServiceFailure as failure:
            return _fate(failure)
        return MessageResult(MessageFate.ACCEPTED)

    async def check(self) -> None:
        """Have a message for nobody checked: a refused token proves that the service knows us."""
        try:
            nobody = {"validate_only": True, "message": {"token": "doctor"}}
            (await self._service.call("POST", self._path, json=nobody)).refuse_page()
        except ServiceFailure as failure:
            if failure.error_code not in ("INVALID_ARGUMENT", "UNREGISTERED"):
                raise

    async def aclose(self) -> None:
        """Close the connections."""
        await self._service.aclose()


def fcm_body(address: str, message: Message, kind: AddressKind = AddressKind.TOKEN) -> Json:
    """The body of one send, at most `LIMIT` bytes."""
    to = {kind.value: address}
    small = fitted(message, lambda candidate: wire_size(_message(to, candidate)), LIMIT)
    return {"validate_only": False, "message": _message(to, small)}


def _message(to: Json, message: Message) -> Json:
    addressed = {**to, "data": message.data}
    if message.withdrawal:
        return {**addressed, **_silent(message)}
    return {**addressed, "notification": {"title": message.title, "body": message.body}, **_visible(message)}


def _visible(message: Message) -> Json:
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


def _quiet(message: Message) -> Json:
    """Shown when the phone is looked at: it does not light up, nor make a sound."""
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


def _silent(message: Message) -> Json:
    """Data alone: the app takes the notice with this key off the screen. Apple wants such messages at priority 5."""
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
