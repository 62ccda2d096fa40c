"""Notices to people: re-read, look up, send to every device, fall back to mail (docs/follow-up.md)."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final

from activities.failures import passing_failure
from activities.http.calling import ServiceFailure
from activities.links import Links
from activities.people import Directory, DirectoryFailure, UnknownPerson
from activities.person import Person
from activities.push.dialect import PushDialect
from activities.push.limiter import DeviceLimiter
from activities.push.mail import OthersAsleep, SignerMail
from activities.push.message import compose
from activities.push.phones import Phones
from activities.push.report import Mail, Told, report
from activities.reader import Reader
from workflows.follow_up.stages import Stage, is_warning
from workflows.model.notices import Delivery, DeliveryReport, Notice, NoticeAction, Outcome
from workflows.model.planning import Reason
from workflows.model.provider import DocumentSeen
from workflows.model.request import Code, Roster, SignerState
from workflows.ports import PushService

ReadDocument = Callable[[Roster, str], Awaitable[DocumentSeen]]
"""Reads the document from Core Signature; raises `ApplicationError`."""

AT_ONCE: Final = 10
"""Persons of one delivery who are told at the same time."""

_ASKED: Final = (NoticeAction.SIGN, NoticeAction.APPROVE)

_ACTED: Final = {
    SignerState.SIGNED: Reason.SIGNED,
    SignerState.APPROVED: Reason.SIGNED,
    SignerState.DECLINED: Reason.SETTLED,
    SignerState.REASSIGNED: Reason.SUPERSEDED,
}


class Notices(PushService):
    """Sends notices in one dialect; `dialect` None means that push is off, so that nobody has a device."""

    def __init__(
        self,
        *,
        dialect: PushDialect | None,
        directory: Directory,
        links: Links,
        read: ReadDocument,
        mail: SignerMail,
        limiter: DeviceLimiter | None = None,
    ) -> None:
        self._phones = Phones(dialect, directory, limiter or DeviceLimiter())
        self._directory = directory
        self._links = links
        self._read = read
        self._mail = mail

    async def deliver(self, delivery: Delivery) -> DeliveryReport:
        """See the port. A call for open devices alone says nothing of notices that have none of them."""
        seen = await self._seen(delivery)
        at_once = asyncio.Semaphore(AT_ONCE)

        async def tell(notice: Notice) -> Told | None:
            async with at_once:
                return await self._tell(delivery, notice, seen)

        told = await asyncio.gather(*(tell(notice) for notice in delivery.notices))
        lines = await self._mail_the_rest(delivery, [one for one in told if one is not None])
        return report(lines, seen, stragglers=delivery.devices is not None)

    async def _seen(self, delivery: Delivery) -> DocumentSeen | None:
        if delivery.document is None:
            return None
        return await self._read(delivery.brief, delivery.document)

    async def _tell(self, delivery: Delivery, notice: Notice, seen: DocumentSeen | None) -> Told | None:
        told = Told(notice)
        if needless := _needless(delivery, notice, seen):
            return told.stopped(Outcome.SUPPRESSED, needless)
        try:
            return await self._push(delivery, notice)
        except UnknownPerson:
            gone = Reason.UNKNOWN_PERSON
            return replace(told, put_off=gone) if notice.movable else told.stopped(Outcome.FAILED, gone)
        except DirectoryFailure as failure:
            return told.stopped(Outcome.FAILED, Reason.DIRECTORY, passing_failure(Code.DIRECTORY, str(failure)))

    async def _push(self, delivery: Delivery, notice: Notice) -> Told | None:
        person = await self._directory.person(notice.person, delivery.brief.id)
        if _is_away(person, delivery, notice):
            return Told(notice, put_off=Reason.ABSENT)
        devices = await self._phones.living(person, delivery.devices)
        if delivery.devices is not None and not devices:
            return None
        message = compose(delivery, notice, Reader.of(person), self._links)
        told = Told(notice, await self._phones.send(devices, message))
        if _mailable(delivery, notice) and told.no_device_left and not await self._phones.living(person):
            return replace(told, mail=Mail.UNSURE if person.devices else Mail.BY_ITSELF)
        return told

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
        request, phones = delivery.brief.id, self._phones
        return mailed + [asked[0].along(request, one.id, has_phone=phones.has_one(one)) for one in along]

    async def _mail_signers(self, delivery: Delivery, asked: Sequence[Told]) -> tuple[Person, ...]:
        persons = [one.notice.person for one in asked]
        if delivery.document and any(one.notice.stage != Stage.READY for one in asked):
            return await self._mail.again(delivery, delivery.document, persons)
        return await self._mail.first(delivery, persons) if asked else ()


def _is_away(person: Person, delivery: Delivery, notice: Notice) -> bool:
    """Whether the plan did not know that they are absent; a last warning is planned for the absent, too."""
    if not notice.movable or delivery.devices is not None or delivery.now is None or is_warning(notice.stage):
        return False
    return person.absent_at(delivery.now)


def _mailed_by_itself(told: Told) -> bool:
    """The first mail Core Signature sends by itself to signers without a device at creation, and to nobody else."""
    return told.mail is Mail.BY_ITSELF and told.notice.stage == Stage.READY


def _mailable(delivery: Delivery, notice: Notice) -> bool:
    """Core Signature mails signers only, their first mail by itself and later ones for a document we name."""
    asked = notice.action in _ASKED and any(signer.person == notice.person for signer in delivery.brief.signers)
    return asked and (notice.stage == Stage.READY or delivery.document is not None)


def _needless(delivery: Delivery, notice: Notice, seen: DocumentSeen | None) -> Reason | None:
    """Why nobody needs this notice any more, by what the document says now; news of an ending is always needed."""
    if seen is None or delivery.outcome or notice.action is NoticeAction.WITHDRAW:
        return None
    silent = notice.about or (notice.person if notice.action in _ASKED else None)
    acted = next((_ACTED.get(signer.state) for signer in seen.signers if signer.person == silent), None)
    return acted or (Reason.SETTLED if seen.status and seen.status.ended else None)
