"""OpenText cloud messaging (`/mra/v1`): SMS and mail for people whom no push reaches. Accepted is not delivered, which
is queried later (docs/core-signature.md, section 13).
"""

import base64
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from pydantic import SecretStr

from activities.http.client import HttpAnswer, Service, ServiceFailure
from activities.notifications.message import NotificationMessage, fitted, wire_size
from activities.notifications.phones import SendQuota
from activities.notifications.push_services import MessageFate, MessageResult, fate_of
from workflows.model.notifications import Channel

SMS_AT_MOST: Final = 459
"""Bytes of an SMS, about three parts; the document's name is cut to fit."""
_MAILS: Final = "/mra/v1/outbound/emails"
_TEXTS: Final = "/mra/v1/outbound/sms"
_NO_SUCH_JOB: Final = 404
JOB_AT_MOST: Final = 200
"""Characters of a job id; longer ones are not queried."""
_DELIVERIES_AT_MOST: Final = 10
"""A job of ours has one address."""
Json = dict[str, Any]


@dataclass(frozen=True)
class CloudMessagingConfig:
    """`url` is the host of a region."""

    url: str
    user: str
    password: SecretStr


class CloudMessaging:
    """Sends one message to one address; never raises for an error response or a missing one."""

    def __init__(self, service: Service, user: str, password: SecretStr) -> None:
        self._service = service
        self._quota = SendQuota()
        pair = f"{user}:{password.get_secret_value()}".encode()
        self._basic = f"Basic {base64.b64encode(pair).decode()}"

    async def mail(self, address: str, message: NotificationMessage, reference: str) -> MessageResult:
        """`reference` names the mail in the service's records."""
        return await self._send(_MAILS, mail_body(address, message), reference, private=(address,))

    async def text(self, phone: str, message: NotificationMessage, reference: str) -> MessageResult:
        """Send an SMS to a number such as `+31 20 555 0100`."""
        return await self._send(_TEXTS, text_body(phone, message), reference, private=(phone, number_of(phone)))

    async def check(self) -> None:
        """For `doctor`: queries a job that does not exist; `ServiceFailure` if the service is down or refuses us."""
        try:
            headers = {"authorization": self._basic}
            answer = await self._service.call(
                "GET", f"{_MAILS}/status/doctor", headers=headers, private=(self._basic,), operation="check"
            )
            answer.refuse_page()
        except ServiceFailure as failure:
            if failure.status != _NO_SUCH_JOB:
                raise

    async def aclose(self) -> None:
        await self._service.aclose()

    async def _send(self, path: str, body: Json, reference: str, *, private: tuple[str, ...]) -> MessageResult:
        return await self._quota.send_in_turn(lambda: self._call(path, body, reference, private))

    async def _call(self, path: str, body: Json, reference: str, private: tuple[str, ...]) -> MessageResult:
        headers = {"authorization": self._basic, "x-mra-submitid": reference}
        try:
            answer = await self._service.call(
                "POST", path, json=body, headers=headers, private=(*private, self._basic), operation="send"
            )
            answer.refuse_page()
        except ServiceFailure as failure:
            return fate_of(failure)
        return MessageResult(MessageFate.ACCEPTED, job=_job(answer))

    async def state(self, channel: Channel, job: str) -> MessageFate:
        """A job's delivery state: accepted once delivered to every address, pending if unknown."""
        path = f"{_TEXTS if channel is Channel.SMS else _MAILS}/status/{quote(job, safe='')}"
        try:
            headers = {"authorization": self._basic}
            answer = await self._service.call(
                "GET", path, headers=headers, private=(job, self._basic), operation="status"
            )
            answer.refuse_page()
            return _fate_in(answer.json())
        except ServiceFailure:
            return MessageFate.PENDING


def mail_body(address: str, message: NotificationMessage) -> Json:
    """One plain-text mail: text and link of the notice."""
    text = f"{message.body}\n\n{message.link}\n"
    return {
        "options": {"email_options": {"subject": message.title}},
        "destinations": [{"ref": message.key, "email": address}],
        "body": [
            {
                "name": "notice.txt",
                "type": "text/plain",
                "charset": "UTF-8",
                "data": base64.b64encode(text.encode()).decode(),
            }
        ],
    }


def text_body(phone: str, message: NotificationMessage) -> Json:
    """One SMS, at most `SMS_AT_MOST` bytes."""
    small = fitted(message, lambda candidate: wire_size(_text(candidate)), SMS_AT_MOST)
    return {"options": {}, "destinations": [{"sms": number_of(phone)}], "sms_text": _text(small)}


def number_of(phone: str) -> str:
    """The number in the service's format, 0031…"""
    return "00" + "".join(filter(str.isdigit, phone))


def _job(answer: HttpAnswer) -> str | None:
    try:
        body = answer.json()
    except ServiceFailure:
        return None
    job = body.get("job_id") if isinstance(body, dict) else None
    return job if isinstance(job, str) and 0 < len(job) <= JOB_AT_MOST else None


def _fate_in(body: Any) -> MessageFate:
    """By the last attempt of each delivery; unknown shapes count as no information."""
    deliveries = body.get("deliveries") if isinstance(body, dict) else None
    last = (
        [_last_state(delivery) for delivery in deliveries[:_DELIVERIES_AT_MOST]] if isinstance(deliveries, list) else []
    )
    if last and all(state == "Sent" for state in last):
        return MessageFate.ACCEPTED
    return (
        MessageFate.UNDELIVERED if last and all(state in ("Sent", "Error") for state in last) else MessageFate.PENDING
    )


def _last_state(delivery: Any) -> object:
    attempts = delivery.get("delivery_attempts") if isinstance(delivery, dict) else None
    last = attempts[-1] if isinstance(attempts, list) and attempts else None
    return last.get("state") if isinstance(last, dict) else None


def _text(message: NotificationMessage) -> str:
    return f"{message.title}. {message.body} {message.link}"
