"""The dialect `appworks`: push through an AppWorks Gateway (docs/core-signature.md, AppWorks).

The gateway keeps the devices of its users itself, so the address of a notice is a user: with this dialect the `token`
of a device in the people file is the OTDS user id. Of its answers only the status means something.
"""

import time
from collections.abc import Callable
from typing import Any, Final

from pydantic import SecretStr

from activities.device import AddressKind
from activities.http.calling import Service, ServiceFailure
from activities.push.dialect import MessageFate, MessageResult, fate_of
from activities.push.message import LIFETIME, Message, fitted, wire_size

LIMIT: Final = 4096
"""Bytes of one request: the gateway hands its content on to FCM."""

_BAD_REQUEST: Final = 400
_TTL: Final = str(int(LIFETIME.total_seconds()))

Json = dict[str, Any]


class AppWorksPush:
    """Sends to one user at a time, as the application `app` with its shared secret `app_key`."""

    def __init__(self, service: Service, app: str, app_key: SecretStr, clock: Callable[[], float] = time.time) -> None:
        self._service = service
        self._app = app
        self._path = f"/deployments/notifications/{app}/fcm-push"
        self._app_key = app_key
        self._clock = clock

    async def send(self, address: str, message: Message, kind: AddressKind = AddressKind.TOKEN) -> MessageResult:
        """Send to the devices of the user `address`, of whatever kind: they are the gateway's to know."""
        key = self._app_key.get_secret_value()
        try:
            answer = await self._service.call(
                "POST",
                self._path,
                json=appworks_body(address, message, self._app, int(self._clock())),
                headers={"otagAppKey": key},
                private=(address, key),
            )
            answer.refuse_page()
        except ServiceFailure as failure:
            return fate_of(failure)
        return MessageResult(MessageFate.ACCEPTED)

    async def check(self) -> None:
        """Send nothing to nobody: the gateway's refusal of it proves that it knows us."""
        key = self._app_key.get_secret_value()
        headers = {"otagAppKey": key}
        try:
            answer = await self._service.call("POST", self._path, json={}, headers=headers, private=(key,))
            answer.refuse_page()
        except ServiceFailure as failure:
            if failure.status != _BAD_REQUEST:
                raise

    async def aclose(self) -> None:
        """Close the connections."""
        await self._service.aclose()


def appworks_body(user: str, message: Message, app: str, created: int) -> Json:
    """The body of one send, at most `LIMIT` bytes; `created` is in seconds since the epoch."""
    small = fitted(message, lambda candidate: wire_size(_body(user, candidate, app, created)), LIMIT)
    return _body(user, small, app, created)


def _body(user: str, message: Message, app: str, created: int) -> Json:
    shown = {} if message.withdrawal else {"title": message.title, "summary": message.body}
    tag = {} if message.withdrawal else {"notification": {"tag": message.key}}
    apple = "5" if message.withdrawal or message.quiet else "10"
    android = "NORMAL" if message.quiet else "HIGH"
    return {
        "users": [user],
        "clientIds": [],
        "otdsGroups": [],
        "runtimes": [],
        "broadcast": False,
        **shown,
        "data": {"target": app, "created": created, app: message.data},
        "collapseKey": message.key,
        "androidConfig": {"priority": android, "ttl": f"{_TTL}s", **tag},
        "apnsConfig": {"headers": {"apns-priority": apple, "apns-collapse-id": message.key}},
        "webpushConfig": {"headers": {"TTL": _TTL, "Topic": message.key}},
    }
