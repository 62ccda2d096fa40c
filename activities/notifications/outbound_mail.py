"""People whom no phone reaches: who tells them instead, and cloud messaging for those whom nobody else does."""

import hashlib
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from pydantic import AwareDatetime, BaseModel, ValidationError
from temporalio import activity

from activities.documents.errors import StoreFailure
from activities.http.client import Cause, ServiceFailure
from activities.notifications.cloud_messaging import CloudMessaging
from activities.notifications.message import Message
from activities.notifications.phones import SendSlots
from activities.notifications.push_services import MessageFate, MessageResult
from activities.people.person import Person
from activities.records.store import Store, device_hash
from workflows.follow_up.notification_types import NotificationType, is_for_on_call, is_other_channel, is_quiet
from workflows.model.notifications import Channel, Delivery, NoticeAction, NotificationOrder

AGAIN_AFTER: Final = (60.0, 900.0)
"""Seconds before a letter is sent again of which nobody knows whether it was taken: more than an attempt at it can
last, and together more than a gateway is usually away."""
TRIES_AT_MOST: Final = len(AGAIN_AFTER) + 1
"""Times that it is sent."""


class OutboundMail(BaseModel):
    """One letter: how often it may have been sent, when last, by which channel, and whether it surely was taken.

    `job` is what cloud messaging calls it.
    """

    tries: int
    at: AwareDatetime
    channel: Channel
    taken: bool = False
    job: str | None = None

    @property
    def given_up(self) -> bool:
        """Whether it may have been sent as often as that may be."""
        return not self.taken and self.tries >= TRIES_AT_MOST

    def wait(self, now: datetime) -> float:
        """Seconds before it may be sent once more; 0 when it may be sent now."""
        if not self.tries:
            return 0.0
        left = self.pause - (now - self.at).total_seconds()
        return min(self.pause, max(0.0, left))

    @property
    def pause(self) -> float:
        """Seconds that are left between the last time it was sent and the next."""
        return AGAIN_AFTER[min(self.tries, len(AGAIN_AFTER)) - 1]

    def tried(self, now: datetime) -> "OutboundMail":
        """The same, about to be sent."""
        return self.model_copy(update={"tries": self.tries + 1, "at": now})


class SendOnce:
    """Sends letters, and keeps what is known of them in `store`."""

    def __init__(self, store: Store) -> None:
        self._letters = store.letters

    async def send(
        self, references: Sequence[str], channel: Channel, send: Callable[[], Awaitable[MessageResult]]
    ) -> tuple[OutboundMail, MessageResult]:
        """The one letter that tells of all of these; sent by `send` unless it was, or may have been, already.

        Raises `StoreFailure` when that cannot be known, or not be noted: then nothing is sent.
        """
        now = datetime.now(UTC)
        unsent = OutboundMail(tries=0, at=now, channel=channel)
        contents = zip(references, await self._letters.read(references), strict=True)
        known = {one: _read(content, unsent) for one, content in contents}
        due = {one: letter for one, letter in known.items() if _is_due(letter, now)}
        if not due or not await self._begun(due, unsent, now):
            return next(iter(known.values())), _not_sent(known.values(), now)
        return await self._ended(due, now, await send())

    async def _begun(self, due: Mapping[str, OutboundMail], unsent: OutboundMail, now: datetime) -> bool:
        """Note that they are about to be sent; False when somebody else is just at it."""
        for reference, letter in due.items():
            content = _written(letter.tried(now))
            if letter is not unsent:
                await self._letters.note(reference, content)
            elif not await self._letters.begin(reference, content):
                return False
        return True

    async def _ended(
        self, due: Mapping[str, OutboundMail], now: datetime, sent: MessageResult
    ) -> tuple[OutboundMail, MessageResult]:
        """Note what came of it: what may have been taken all the same stands as it was begun."""
        tried = next(iter(due.values())).tried(now)
        failure = sent.failure
        if failure is None:
            taken = tried.model_copy(update={"taken": True, "job": sent.job})
            await self._note(dict.fromkeys(due, taken))
            return taken, sent
        if failure.did_nothing:
            await self._note(due)
            return tried, sent
        if all(letter.tried(now).given_up for letter in due.values()):
            return tried, MessageResult(MessageFate.UNKNOWN, failure)
        return tried, MessageResult(MessageFate.LATER, failure.not_before(tried.pause))

    async def _note(self, letters: Mapping[str, OutboundMail]) -> None:
        """What the store does not take costs nobody the result: at worst the letter is sent once more."""
        try:
            for reference, letter in letters.items():
                await self._letters.note(reference, _written(letter))
        except StoreFailure as failure:
            activity.logger.error("what became of a letter was not noted", extra={"says": str(failure)})


def _is_due(letter: OutboundMail, now: datetime) -> bool:
    return not letter.taken and not letter.given_up and not letter.wait(now)


def _not_sent(letters: Iterable[OutboundMail], now: datetime) -> MessageResult:
    """What is to be said of letters of which none is sent now."""
    open_ = [letter for letter in letters if not letter.taken]
    if not open_:
        return MessageResult(MessageFate.ACCEPTED)
    waits = [letter.wait(now) or AGAIN_AFTER[0] for letter in open_ if not letter.given_up]
    if not waits:
        return MessageResult(MessageFate.UNKNOWN)
    says = "it may have been sent a moment ago, and is not sent again yet"
    return MessageResult(MessageFate.LATER, ServiceFailure("the letter", Cause.LATER, says, retry_after=max(waits)))


def _read(content: bytes | None, unsent: OutboundMail) -> OutboundMail:
    """What cannot be read is of a letter that may have been sent."""
    if content is None:
        return unsent
    try:
        return OutboundMail.model_validate_json(content)
    except ValidationError:
        return unsent.model_copy(update={"tries": TRIES_AT_MOST})


def _written(letter: OutboundMail) -> bytes:
    return letter.model_dump_json().encode()


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
