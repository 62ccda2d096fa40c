"""Email and SMS for people whom no push reaches, by Core Signature or cloud messaging, each at most once."""

import hashlib
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from temporalio import activity

from activities.errors import StoreFailure
from activities.http.client import Cause, ServiceFailure
from activities.notifications.cloud_messaging import CloudMessaging
from activities.notifications.message import NotificationMessage
from activities.notifications.phones import SendSlots
from activities.notifications.push_services import MessageFate, MessageResult
from activities.people.person import Person
from activities.records.devices import device_hash
from activities.records.outbound_mail import OutboundMail
from activities.records.store import Store
from workflows.follow_up.notification_types import NotificationType, is_for_on_call, is_other_channel, is_quiet
from workflows.model.notifications import Channel, Delivery, NoticeAction, NotificationOrder
from workflows.model.subject import Identity

ASKED: Final = (NoticeAction.SIGN, NoticeAction.APPROVE)
_REFERENCE_LENGTH: Final = 32
_ASKED_AGAIN: Final = ((4, 5), (60, 60), (3600, 900))
"""Seconds: a pending message of at most this age is queried again after so long, three times in all."""


class SendOnce:
    """Sends each email or SMS once; its state is in `store`."""

    def __init__(self, store: Store) -> None:
        self._stored = store.outbound_mail

    async def send(
        self, references: Sequence[str], channel: Channel, send: Callable[[], Awaitable[MessageResult]]
    ) -> tuple[OutboundMail, MessageResult]:
        """Send one message for all `references`, unless it was, or may have been, sent. Raises `StoreFailure` without
        sending.
        """
        now = datetime.now(UTC)
        mail_by_reference = await self._stored.begin(references, channel, now)
        due = {reference: mail for reference, mail in mail_by_reference.items() if mail.is_due(now)}
        if not due:
            return next(iter(mail_by_reference.values())), _not_sent(mail_by_reference.values(), now)
        return await self._record_result(due, now, await send())

    async def _record_result(
        self, due: Mapping[str, OutboundMail], now: datetime, sent: MessageResult
    ) -> tuple[OutboundMail, MessageResult]:
        """Record the result; a message that may have been accepted keeps its state from before the attempt."""
        tried_mail = next(iter(due.values())).count_attempt(now)
        failure = sent.failure
        if failure is None:
            accepted_mail = tried_mail.replace(taken=True, job=sent.job)
            await self._note(dict.fromkeys(due, accepted_mail))
            return accepted_mail, sent
        if failure.did_nothing:
            await self._note(due)
            return tried_mail, sent
        if all(mail.count_attempt(now).given_up for mail in due.values()):
            return tried_mail, MessageResult(MessageFate.UNKNOWN, failure)
        return tried_mail, MessageResult(MessageFate.LATER, failure.not_before(tried_mail.pause))

    async def _note(self, mails: Mapping[str, OutboundMail]) -> None:
        """A store failure does not lose the result: at worst the message is sent once more."""
        try:
            await self._stored.note(mails)
        except StoreFailure as failure:
            activity.logger.error("what became of a mail was not noted", extra={"says": str(failure)})


class Fallback(StrEnum):
    """Who notifies a person whom no push reaches."""

    CORE = "core"
    """Core Signature's own mail, requested by us."""
    MESSAGING = "messaging"
    """Cloud messaging, with our text."""
    NOBODY = "nobody"
    """No mail: a withdrawal cannot take back a mail."""


def fallback_of(delivery: Delivery, notice: NotificationOrder, person: Person, *, messaging: bool) -> Fallback:
    """Core Signature mails signers only, of those with a mailbox, and calls our expiry a cancellation, so we send
    endings as well; of a group it knows one member alone. Its mail would lead a signer past what our page asks.
    """
    if delivery.subject.identity is not Identity.LINK and notice.action in ASKED:
        return Fallback.MESSAGING if messaging else Fallback.NOBODY
    signer = bool(person.email) and any(
        participant.person == person.id and not participant.shares_place for participant in delivery.subject.people
    )
    if is_other_channel(notice.stage):
        return Fallback.MESSAGING if messaging else Fallback.CORE if signer and delivery.document else Fallback.NOBODY
    if signer and notice.action in ASKED and (notice.stage == NotificationType.READY or delivery.document is not None):
        return Fallback.CORE
    nothing = notice.action is NoticeAction.WITHDRAW or is_quiet(notice.stage)
    return Fallback.NOBODY if nothing else Fallback.MESSAGING


def _not_sent(mails: Iterable[OutboundMail], now: datetime) -> MessageResult:
    """The result for messages of which none is sent now."""
    open_ = [mail for mail in mails if not mail.taken]
    if not open_:
        return MessageResult(MessageFate.ACCEPTED)
    waits = [mail.wait(now) for mail in open_ if not mail.given_up]
    if not waits:
        return MessageResult(MessageFate.UNKNOWN)
    explanation = "it may have been sent a moment ago, and is not sent again yet"
    return MessageResult(
        MessageFate.LATER, ServiceFailure("the mail", Cause.LATER, explanation, retry_after=max(waits))
    )


class OutboundMailSender:
    """Sends by `messaging`, `once` for each notice; None means no such channel."""

    def __init__(self, messaging: CloudMessaging | None, send_once: SendOnce) -> None:
        self._messaging = messaging
        self._send_once = send_once
        self._places = SendSlots()

    @property
    def is_available(self) -> bool:
        return self._messaging is not None

    def may_reach(self, person: Person, only: Collection[str] | None = None) -> bool:
        """Whether there is a channel to the person, and they are in `only` if given."""
        return self._messaging is not None and bool(person.address) and (only is None or address_of(person) in only)

    async def send(
        self, person: Person, message: NotificationMessage, reference: str, *, urgent: bool, confirmed: bool = False
    ) -> tuple[Channel, MessageResult]:
        """SMS for urgent notices to people with a number, and for all to those without a mailbox, else mail; attempts
        share the `reference`. With `confirmed` the delivery is queried. Raises `StoreFailure` if nothing is sent.
        """
        channel = Channel.SMS if person.phone and (urgent or not person.email) else Channel.MAIL
        mail, sent = await self._send_once.send(
            [reference],
            channel,
            lambda: self._places.send_in_slot(lambda: self._sent(channel, person, message, reference)),
        )
        if sent.failure:
            activity.logger.warning("%s to %s: %s, %s", mail.channel, address_of(person), sent.fate, sent.failure)
        if confirmed and sent.fate is MessageFate.ACCEPTED and mail.job:
            return mail.channel, await self._state(mail, mail.job)
        return mail.channel, sent

    async def _state(self, mail: OutboundMail, job: str) -> MessageResult:
        if self._messaging is None:
            return MessageResult(MessageFate.PENDING)
        fate = await self._messaging.state(mail.channel, job)
        age_seconds = (datetime.now(UTC) - mail.at).total_seconds()
        return MessageResult(
            fate,
            asks_for=next((wait for age, wait in _ASKED_AGAIN if age_seconds < age), 0)
            if fate is MessageFate.PENDING
            else 0,
        )

    async def _sent(
        self, channel: Channel, person: Person, message: NotificationMessage, reference: str
    ) -> MessageResult:
        if self._messaging is None:
            raise RuntimeError("whoever may not be reached is not written to")
        if channel is Channel.SMS and person.phone:
            return await self._messaging.text(person.phone, message, reference)
        return await self._messaging.mail(person.email, message, reference)


def address_of(person: Person) -> str:
    """The name of a person's address in notification logs: by id, since addresses can be guessed from hashes."""
    return device_hash(f"{person.id}/letters")


def reference_in(delivery: Delivery, notice: NotificationOrder) -> str:
    """Distinct for each replay and each restart under one id; alerts to on-call have one whichever workflow sends
    them.
    """
    run = activity.info().workflow_run_id or "" if activity.in_activity() else ""
    first_run = "" if is_for_on_call(notice.stage) else delivery.first_run_id or run
    return reference_of(notice.key, delivery.subject.reference, first_run, str(delivery.replay or ""))


def reference_of(key: str, *names: str) -> str:
    """A notice's name at cloud messaging; reveals neither request nor person. `of` tells apart a task and a request
    with one id.
    """
    return hashlib.sha256("/".join((*filter(None, names), key)).encode()).hexdigest()[:_REFERENCE_LENGTH]
