"""Notices to people: re-read, look up, send to every device, fall back to mail and text (docs/follow-up.md)."""

import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from activities.device import Device
from activities.failures import failing_as_application_errors, passing_failure
from activities.follow_up.open_hours import OpenHours
from activities.http.calling import ServiceFailure
from activities.in_turn import PACE, Pace, Turns, unbroken
from activities.ledger_pages import keep
from activities.links import FIRST_SERIAL, Links, serial_of
from activities.on_call import OnCall
from activities.opened import opened_at
from activities.own_words import DAMAGED, ERASED, words_of
from activities.people import Directory, DirectoryFailure, UnknownPerson, device_hash
from activities.person import Person
from activities.push.cloud_messaging import CloudMessaging
from activities.push.credentials import HEARD_WITHIN, CredentialsAlarm
from activities.push.dialect import PushDialect
from activities.push.fallback import ASKED, Fallback, Letters, address_of, fallback_of
from activities.push.limiter import DeviceLimiter
from activities.push.mail import OthersAsleep, SignerMail
from activities.push.message import Message, compose, speaking_for
from activities.push.phones import Phones
from activities.push.quiet import Budget, Joined, Place
from activities.push.report import Mail, Told, report
from activities.reader import Reader
from activities.store import Home, Store, StoreFailure
from workflows.follow_up.stages import Stage, is_other_channel, is_quiet, is_warning
from workflows.kinds import Kind
from workflows.model.notices import Delivery, DeliveryReport, HeldBack, Notice, NoticeAction, Outcome
from workflows.model.planning import Reason
from workflows.model.provider import DocumentSeen
from workflows.model.request import SignerState
from workflows.model.subject import Code, Roster
from workflows.ports import PushService

ReadDocument = Callable[[Roster, str], Awaitable[DocumentSeen]]
"""Reads the document from Core Signature; raises `ApplicationError`."""

_ACTED: Final = {
    SignerState.SIGNED: Reason.SIGNED,
    SignerState.APPROVED: Reason.SIGNED,
    SignerState.DECLINED: Reason.SETTLED,
    SignerState.REASSIGNED: Reason.SUPERSEDED,
}


@dataclass(frozen=True)
class Ready:
    """A notice as its recipient gets it: on phones, else by `fallback`."""

    notice: Notice
    person: Person
    devices: Sequence[Device]
    message: Message
    fallback: Fallback
    urgent: bool
    again: Collection[str] = ()
    """The devices and addresses that an earlier call left open, if this is for them alone."""
    place: Place | None = None


class Notices(PushService):
    """Sends notices in one dialect; `dialect` None means that push is off, so that nobody has a device.

    `messaging` reaches those without one whom Core Signature does not mail; without it they are told nothing. `oncall`
    hears by it that the push service refuses our credentials.
    """

    def __init__(
        self,
        *,
        dialect: PushDialect | None,
        directory: Directory,
        links: Links,
        read: ReadDocument,
        mail: SignerMail,
        store: Store,
        messaging: CloudMessaging | None = None,
        company: str = "",
        oncall: str = "",
        limiter: DeviceLimiter | None = None,
        pace: Pace = PACE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._phones = Phones(dialect, directory, limiter or DeviceLimiter())
        self._letters = Letters(messaging)
        self._directory = directory
        self._links = links
        self._company = company
        self._read = read
        self._mail = mail
        self._pace = pace
        self._clock = clock
        self._store = store
        self._budget = Budget(store)
        self._alarm = CredentialsAlarm(store, OnCall(self, oncall, HEARD_WITHIN)) if oncall else None

    async def deliver(self, delivery: Delivery) -> DeliveryReport:
        """See the port. A call for open devices alone says nothing of notices that have none of them."""
        turns = Turns(self._pace, self._clock)
        return await unbroken(self._deliver(delivery, turns), turns.stop)

    async def _deliver(self, delivery: Delivery, turns: Turns) -> DeliveryReport:
        with failing_as_application_errors():
            await keep(self._store, delivery.subject.workflow_id, delivery.page)
        seen = await self._seen(delivery)
        told, left = await self._each(
            delivery, [one for one in delivery.notices if not is_quiet(one.stage)], seen, turns
        )
        if self._alarm:
            await self._alarm.learn(self._phones.credentials_accepted(), _now())
        if turns.stopped:
            # A mail takes a while, and perhaps nobody needs it any more.
            left += [one.notice for one in told if one.mail and not _mailed_by_itself(one)]
            told = [one for one in told if one.notice not in left]
        elif left and not told:
            raise passing_failure(Code.UNREACHABLE, "nobody could be told in time")
        lines = await self._mail_the_rest(delivery, _in_order(told, delivery.notices))
        bold = delivery.devices is not None or delivery.others_told or turns.stopped
        return await self._offered(delivery, report(lines, seen, left, stragglers=bold), turns)

    async def _each(
        self, delivery: Delivery, notices: Sequence[Notice], seen: DocumentSeen | None, turns: Turns
    ) -> tuple[list[Told], list[Notice]]:
        """What became of these notices, and which were not begun in time."""
        ready = await turns.each(notices, lambda notice: self._prepare(delivery, notice, seen))
        sent = await turns.each([one for one in ready.results if isinstance(one, Ready)], self._send)
        told = [one for one in ready.results if isinstance(one, Told)] + sent.results
        return told, ready.left + [one.notice for one in sent.left]

    async def _offered(self, delivery: Delivery, known: DeliveryReport, turns: Turns) -> DeliveryReport:
        """The report with the notices that only offer something: sent last, once, and nothing waits for them.

        Somebody who is not in the directory has not even a line: it is no matter of theirs.
        """
        told, left = await self._each(delivery, [one for one in delivery.notices if is_quiet(one.stage)], None, turns)
        lines = tuple(one.line for one in told if one.why is not Reason.UNKNOWN_PERSON)
        return known.replace(
            delivered=(*known.delivered, *lines), open_notices=(*known.open_notices, *(one.key for one in left))
        )

    async def _seen(self, delivery: Delivery) -> DocumentSeen | None:
        if delivery.document is None:
            return None
        return await self._read(delivery.subject, delivery.document)

    async def _prepare(self, delivery: Delivery, notice: Notice, seen: DocumentSeen | None) -> "Told | Ready | None":
        """The notice as its phones get it, or what became of it already; None when this call is not for it."""
        told = Told(notice)
        if needless := _needless(delivery, notice, seen):
            return told.stopped(Outcome.SUPPRESSED, needless)
        try:
            person = await self._directory.person(notice.person, delivery.subject.workflow_id)
            return await self._in_budget(delivery, await self._addressed(delivery, notice, person), person)
        except UnknownPerson:
            gone = Reason.UNKNOWN_PERSON
            return replace(told, put_off=gone) if notice.movable else told.stopped(Outcome.FAILED, gone)
        except DirectoryFailure as failure:
            return told.not_looked_up(failure)

    async def _addressed(self, delivery: Delivery, notice: Notice, person: Person) -> "Told | Ready | None":
        told, fallback = Told(notice), fallback_of(delivery, notice, messaging=self._letters.there)
        other = is_other_channel(notice.stage)
        if other and fallback is Fallback.NOBODY:
            return told.stopped(Outcome.FAILED, Reason.NO_CHANNEL)
        if other and await self._has_opened(delivery, notice):
            return told.stopped(Outcome.SUPPRESSED, Reason.OPENED)
        if _is_away(person, delivery, notice):
            return replace(told, put_off=Reason.ABSENT)
        devices = (
            [] if other or notice.stage == Stage.PUSH_REFUSED else await self._phones.living(person, delivery.devices)
        )
        if devices or (fallback is Fallback.MESSAGING and self._letters.may_reach(person, delivery.devices)):
            words = {"text": await self._text(delivery, notice), "serial": await self._serial(delivery, notice)}
            at_rest = delivery.now is not None and not OpenHours.working(person).open_at(delivery.now)
            message = compose(delivery, notice, Reader.of(person), self._links, self._company, **words, at_rest=at_rest)
            urgent, again = delivery.subject.urgent, delivery.devices or ()
            return Ready(notice, person, devices, message, fallback, urgent, again)
        if delivery.devices is not None:
            return None
        return replace(told, mail=await self._mail_for(person)) if fallback is Fallback.CORE else told

    async def _has_opened(self, delivery: Delivery, notice: Notice) -> bool:
        with failing_as_application_errors():
            found = await opened_at(self._store, delivery.subject.workflow_id, [notice.person])
        return bool(found)

    async def _mail_for(self, person: Person) -> Mail:
        """How Core Signature's mail reaches a signer who has no living device."""
        return Mail.UNSURE if person.devices or await self._phones.had_one(person) else Mail.BY_ITSELF

    async def _serial(self, delivery: Delivery, notice: Notice) -> str:
        """What their link must have in it: that of an onboarding can be made anew."""
        if delivery.subject.type is not Kind.ONBOARDING:
            return FIRST_SERIAL
        with failing_as_application_errors():
            place = serial_of(delivery.subject.workflow_id, notice.person)
            return await self._store.serial(place) or FIRST_SERIAL

    async def _text(self, delivery: Delivery, notice: Notice) -> str:
        """What it says in somebody's own words, as far as these were not erased."""
        if notice.text is None:
            return ""
        words = await words_of(self._store, Home.of(delivery.subject.workflow_id), notice.text)
        return "" if words in (ERASED, DAMAGED) else words

    async def _in_budget(self, delivery: Delivery, one: "Told | Ready | None", person: Person) -> "Told | Ready | None":
        """The same if it may be told now; what reaches nobody takes nothing of the budget."""
        if one is None or (isinstance(one, Told) and not one.mail):
            return one
        with failing_as_application_errors():
            alone, sent = isinstance(one, Told), isinstance(one, Told) and _mailed_by_itself(one)
            answer = await self._budget.ask(delivery, one.notice, person, alone=alone, told=sent)
        match answer:
            case Place() if isinstance(one, Ready):
                message = speaking_for(one.message, answer.others, Reader.of(person), self._company)
                return replace(one, message=message, place=answer)
            case Place():
                return one
            case HeldBack():
                return Told(one.notice, held=answer)
            case Joined():
                return Told(one.notice).stopped(Outcome.SUPPRESSED, Reason.JOINED)
            case Reason():
                return Told(one.notice).stopped(Outcome.SUPPRESSED, answer)

    async def _send(self, ready: "Ready") -> Told:
        told = await self._sent(ready)
        if ready.place and told.line.outcome is Outcome.ACCEPTED:
            # It was told, whatever becomes of the store: at worst the others ring by themselves.
            with suppress(StoreFailure):
                await ready.place.accepted()
        return told

    async def _sent(self, ready: "Ready") -> Told:
        if not ready.devices:
            return await self._write(ready, Told(ready.notice))
        told = Told(ready.notice, await self._phones.send(ready.person, ready.devices, ready.message))
        if ready.fallback is Fallback.NOBODY or not self._is_to_be_written_to(ready, told):
            return told
        try:
            others = await self._phones.living(ready.person)
        except DirectoryFailure as failure:
            return told.not_looked_up(failure)
        tried = {device for device, _ in told.messages}
        if any(device_hash(device.value) not in tried and not device.unseen(_now()) for device in others):
            return told
        return replace(told, mail=Mail.UNSURE) if ready.fallback is Fallback.CORE else await self._write(ready, told)

    def _is_to_be_written_to(self, ready: "Ready", told: Told) -> bool:
        """Whether no device that can be relied on took it, or may yet: one in a drawer takes whatever is sent to it."""
        in_use = {device_hash(device.value) for device in ready.devices if not device.unseen(_now())}
        if ready.again and not in_use:
            # They were written to when it was sent first, so that only a letter that was left open is sent again.
            return self._letters.may_reach(ready.person, ready.again)
        return all(sent.fate.hopeless for device, sent in told.messages if device in in_use)

    async def _write(self, ready: "Ready", told: Told) -> Told:
        """Told by cloud messaging as well, if there is such a channel: an address is like one more phone."""
        if not self._letters.may_reach(ready.person):
            return told
        once = self._store if is_other_channel(ready.notice.stage) else None
        try:
            channel, sent = await self._letters.send(
                ready.person, ready.message, ready.notice, urgent=ready.urgent, once=once
            )
        except StoreFailure as failure:
            return told.stopped(Outcome.FAILED, Reason.UNREACHABLE, passing_failure(Code.UNREACHABLE, str(failure)))
        return replace(told, messages=(*told.messages, (address_of(ready.person), sent)), channel=channel)

    async def _mail_the_rest(self, delivery: Delivery, told: Sequence[Told]) -> list[Told]:
        """Core Signature's mail, once, for all signers without a living device; anyone who gets it along has a line."""
        asked = [one for one in told if one.mail and not _mailed_by_itself(one)]
        failure: ServiceFailure | DirectoryFailure | OthersAsleep | None = None
        along: tuple[Person, ...] = ()
        try:
            along = await self._mail_signers(delivery, asked)
        except (ServiceFailure, DirectoryFailure, OthersAsleep) as refused:
            failure = refused
        mailed = [one.mailed(failure if one in asked else None) if one.mail else one for one in told]
        request, phones = delivery.subject.id, self._phones
        return mailed + [asked[0].along(request, one.id, has_phone=await phones.had_one(one)) for one in along]

    async def _mail_signers(self, delivery: Delivery, asked: Sequence[Told]) -> tuple[Person, ...]:
        persons = [one.notice.person for one in asked]
        if delivery.document and any(one.notice.stage != Stage.READY for one in asked):
            return await self._mail.again(delivery, delivery.document, persons)
        return await self._mail.first(delivery, persons) if asked else ()


def _now() -> datetime:
    """By the clock that devices are seen by: that of a request may be moved."""
    return datetime.now(UTC)


def _is_away(person: Person, delivery: Delivery, notice: Notice) -> bool:
    """Whether the plan did not know that they are absent; a last warning is planned for the absent, too."""
    if not notice.movable or delivery.devices is not None or delivery.now is None or is_warning(notice.stage):
        return False
    return person.absent_at(delivery.now)


def _in_order(told: Sequence[Told], notices: Sequence[Notice]) -> list[Told]:
    place = {notice.key: number for number, notice in enumerate(notices)}
    return sorted(told, key=lambda one: place[one.notice.key])


def _mailed_by_itself(told: Told) -> bool:
    """The first mail Core Signature sends by itself to signers without a device at creation, and to nobody else."""
    return told.mail is Mail.BY_ITSELF and told.notice.stage == Stage.READY


def _needless(delivery: Delivery, notice: Notice, seen: DocumentSeen | None) -> Reason | None:
    """Why nobody needs this notice any more, by what the document says now; news of an ending is always needed."""
    if seen is None or delivery.outcome or notice.action is NoticeAction.WITHDRAW:
        return None
    silent = notice.about or (notice.person if notice.action in ASKED else None)
    state = next((signer.state for signer in seen.signers if signer.person == silent), None)
    if state is SignerState.VIEWED and is_other_channel(notice.stage):
        return Reason.OPENED
    acted = _ACTED.get(state) if state else None
    return acted or (Reason.SETTLED if seen.status and seen.status.ended else None)
