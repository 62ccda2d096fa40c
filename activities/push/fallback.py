"""People whom no phone reaches: who tells them instead, and cloud messaging for those whom nobody else does."""

import hashlib
from collections.abc import Collection
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from temporalio import activity

from activities.person import Person
from activities.push.cloud_messaging import CloudMessaging
from activities.push.dialect import MessageFate, MessageResult
from activities.push.limiter import SendSlots
from activities.push.message import Message
from activities.push.once import OutboundMail, SendOnce
from activities.store.devices import device_hash
from workflows.follow_up.stages import NotificationType, is_for_on_call, is_other_channel, is_quiet
from workflows.model.notices import Channel, Delivery, NoticeAction, NotificationOrder

ASKED: Final = (NoticeAction.SIGN, NoticeAction.APPROVE)
_REFERENCE_LENGTH: Final = 32
_ASKED_AGAIN: Final = ((4, 5), (60, 60), (3600, 900))
"""Seconds: what is so old at most and pending is asked for again after so long, three times in all, then given up."""


class Fallback(StrEnum):
    """Who tells somebody whom no phone reaches."""

    CORE = "core"
    """Core Signature's own mail, asked for by us."""
    MESSAGING = "messaging"
    """Cloud messaging, in our words."""
    NOBODY = "nobody"
    """There is nothing to be said that is worth a mail: one that was read cannot be taken back."""


def fallback_of(delivery: Delivery, notice: NotificationOrder, *, messaging: bool) -> Fallback:
    """Who is to tell of `notice`.

    Core Signature mails signers only, their first mail by itself and later ones for a document we name. Of endings it
    mails them besides, in words of its own that call our expiry a cancellation: so ours go out as well.
    """
    signer = any(one.person == notice.person for one in delivery.subject.people)
    if is_other_channel(notice.stage):
        return Fallback.MESSAGING if messaging else Fallback.CORE if signer and delivery.document else Fallback.NOBODY
    if signer and notice.action in ASKED and (notice.stage == NotificationType.READY or delivery.document is not None):
        return Fallback.CORE
    nothing = notice.action is NoticeAction.WITHDRAW or is_quiet(notice.stage)
    return Fallback.NOBODY if nothing else Fallback.MESSAGING


class OutboundMailSender:
    """Writes to people by `messaging`, `once` of each notice; None means that there is no such channel."""

    def __init__(self, messaging: CloudMessaging | None, once: SendOnce) -> None:
        self._messaging = messaging
        self._once = once
        self._places = SendSlots()

    @property
    def there(self) -> bool:
        """Whether there is a channel."""
        return self._messaging is not None

    def may_reach(self, person: Person, only: Collection[str] | None = None) -> bool:
        """Whether there is a channel, and the person is among those left open if these are given."""
        return self._messaging is not None and (only is None or address_of(person) in only)

    async def send(
        self, person: Person, message: Message, reference: str, *, urgent: bool, confirmed: bool = False
    ) -> tuple[Channel, MessageResult]:
        """Text what is urgent to a number, mail everything else; each attempt has the same `reference`.

        With `confirmed` what was taken is asked for: whether it arrived. Raises `StoreFailure` when nothing is sent.
        """
        channel = Channel.SMS if urgent and person.phone else Channel.MAIL
        letter, sent = await self._once.send(
            [reference],
            channel,
            lambda: self._places.one(lambda: self._sent(channel, person, message, reference)),
        )
        if sent.failure:
            activity.logger.warning("%s to %s: %s, %s", letter.channel, address_of(person), sent.fate, sent.failure)
        if confirmed and sent.fate is MessageFate.ACCEPTED and letter.job:
            return letter.channel, await self._state(letter, letter.job)
        return letter.channel, sent

    async def _state(self, letter: OutboundMail, job: str) -> MessageResult:
        if self._messaging is None:
            return MessageResult(MessageFate.PENDING)
        fate = await self._messaging.state(letter.channel, job)
        old = (datetime.now(UTC) - letter.at).total_seconds()
        return MessageResult(
            fate,
            asks_for=next((wait for age, wait in _ASKED_AGAIN if old < age), 0) if fate is MessageFate.PENDING else 0,
        )

    async def _sent(self, channel: Channel, person: Person, message: Message, reference: str) -> MessageResult:
        if self._messaging is None:
            raise RuntimeError("whoever may not be reached is not written to")
        if channel is Channel.SMS and person.phone:
            return await self._messaging.text(person.phone, message, reference)
        return await self._messaging.mail(person.email, message, reference)


def address_of(person: Person) -> str:
    """How ledgers and reports speak of where a person is written to: by the id, addresses can be guessed."""
    return device_hash(f"{person.id}/letters")


def reference_in(delivery: Delivery, notice: NotificationOrder) -> str:
    """The reference of a notice: another one for each replay, and where a request was begun again under its id.

    Whoever is on call is told by whatever workflow learns of a trouble, so that theirs is one for all of them.
    """
    run = activity.info().workflow_run_id or "" if activity.in_activity() else ""
    life = "" if is_for_on_call(notice.stage) else delivery.life or run
    return reference_of(notice.key, delivery.subject.reference, life, str(delivery.replay or ""))


def reference_of(key: str, *of: str) -> str:
    """What cloud messaging calls a notice in its own records; it says nothing of request and person.

    A task and a request may have one id, and so their notices one key: what they are of tells them apart.
    """
    return hashlib.sha256("/".join((*filter(None, of), key)).encode()).hexdigest()[:_REFERENCE_LENGTH]
