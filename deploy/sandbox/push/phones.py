"""The sandbox's devices: tokens, messages, notices on screens. A token is `<person>~<n>`, an installation id
`<person>~fid<n>`. A newer message replaces the one of its key (Android's tag, APNs' collapse id, the web's Topic); data
with `action: withdraw` removes the notice.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from deploy.sandbox.http.errors import fcm_error
from deploy.sandbox.state.ledger import EntryType
from deploy.sandbox.state.records import Push, SandboxDevice
from deploy.sandbox.state.state import SandboxState

TOKEN = re.compile(r"(?P<person>[A-Za-z0-9._-]+)~\d+")
INSTALLATION = re.compile(r"(?P<person>[A-Za-z0-9._-]+)~fid\d+")
WITHDRAW = "withdraw"
Json = dict[str, Any]


class FcmRefusal(Exception):
    """With HTTP status and body; `error_code` is FCM's own."""

    def __init__(self, status: int, message: str, error_code: str | None = None, field: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.error_code = error_code
        self.field = field

    @classmethod
    def unparsable(cls, field: str, description: str) -> "FcmRefusal":
        """The JSON parser's refusal, without an FCM code."""
        return cls(400, f"Invalid JSON payload received. {description}", None, field)

    @classmethod
    def invalid(cls, field: str, description: str) -> "FcmRefusal":
        return cls(400, description, "INVALID_ARGUMENT", field)

    def body(self) -> dict[str, Any]:
        return fcm_error(self.status, self.message, self.error_code, self.field)


class DeviceState(StrEnum):
    VALID = "valid"
    UNREGISTERED = "unregistered"
    OTHER_SENDER = "other_sender"


class PhoneNetwork:
    def __init__(self, state: SandboxState) -> None:
        self._database = state.database
        self._state = state

    def mark(self, token: str, state: DeviceState) -> None:
        self._database.devices.save(SandboxDevice(uuid=token, state=state))

    def check(self, token: str, pattern: re.Pattern[str] = TOKEN) -> str:
        """Raises `FcmRefusal` for an invalid token."""
        match = pattern.fullmatch(token)
        device = self._database.devices.get(token)
        state = device.state if device else DeviceState.VALID
        if match is None or state == DeviceState.UNREGISTERED:
            raise FcmRefusal(404, "Requested entity was not found.", "UNREGISTERED")
        if state == DeviceState.OTHER_SENDER:
            raise FcmRefusal(403, "SenderId mismatch", "SENDER_ID_MISMATCH")
        return match["person"]

    def check_message(self, message: Json) -> str | None:
        """By token or installation id; None without one."""
        if "fid" in message:
            return self.check(message["fid"], INSTALLATION)
        return self.check(message["token"]) if "token" in message else None

    def receive(self, person: str, message: Json) -> Push:
        visible_text = _visible_text(message)
        data = {**message.get("data", {}), **message.get("android", {}).get("data", {})}
        link = message.get("webpush", {}).get("fcm_options", {}).get("link") or data.get("link")
        push = Push(
            at=self._state.clock(),
            person=person,
            token=address_of(message),
            key=self._key(message),
            title=visible_text.get("title") if visible_text else None,
            text=visible_text.get("body") if visible_text else None,
            link=link,
            action=data.get("action"),
            data=data,
            message=message,
        )
        return self.save(push)

    def save(self, push: Push) -> Push:
        self._database.pushes.save(push)
        facts = push.model_dump(include={"token", "person", "key", "title", "text", "link", "action", "data"})
        self._state.ledger.write(EntryType.PUSH, message_id=push.uuid, **facts, visible=is_visible(push))
        return push

    def screens(self, person: str) -> dict[str, list[Push]]:
        """By device, newest first."""
        received: dict[str, list[Push]] = defaultdict(list)
        for push in self._database.pushes.where(person):
            received[push.token or "app"].append(push)
        return {token: list(reversed(remaining(pushes))) for token, pushes in sorted(received.items())}

    def _key(self, message: Json) -> str | None:
        headers = message.get("apns", {}).get("headers", {}), message.get("webpush", {}).get("headers", {})
        apns, web = ({name.lower(): value for name, value in block.items()} for block in headers)
        tag = message.get("android", {}).get("notification", {}).get("tag")
        keys = [key for key in (tag, apns.get("apns-collapse-id"), web.get("topic")) if key]
        if len(set(keys)) > 1:
            violation = "a push has different keys for different platforms"
            self._state.ledger.write(EntryType.VIOLATION, what=violation, path="push")
        fallback: str | None = message.get("data", {}).get("key")
        return keys[0] if keys else fallback


def address_of(message: Json) -> str | None:
    address: str | None = message.get("token") or message.get("fid")
    return address


def is_visible(push: Push) -> bool:
    return push.title is not None or push.text is not None


def remaining(pushes: Iterable[Push]) -> list[Push]:
    """Notices left on a screen after these messages in order."""
    screen: dict[str, Push] = {}
    for push in pushes:
        slot = push.key or push.uuid
        if is_visible(push):
            screen.pop(slot, None)
            screen[slot] = push
        elif push.action == WITHDRAW:
            screen.pop(slot, None)
    return list(screen.values())


def _visible_text(message: Json) -> Json | None:
    blocks = (
        message.get("notification"),
        message.get("android", {}).get("notification"),
        message.get("webpush", {}).get("notification"),
    )
    visible_text = {
        name: value for block in blocks if block for name, value in block.items() if name in {"title", "body"}
    }
    return visible_text or None
