"""A notice before it goes out: whether it is still needed and may come now, and what its recipient's phones get."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final

from activities.device import PushDevice
from activities.directory import Directory, DirectoryFailure, UnknownPerson
from activities.failures import failing_as_application_errors
from activities.follow_up.open_hours import OpenHours
from activities.links import FIRST_SERIAL, SigningLinks, serial_of
from activities.opened import opened_at
from activities.own_words import DAMAGED, ERASED, words_of
from activities.person import Person
from activities.push.fallback import ASKED, Fallback, OutboundMailSender, fallback_of, reference_in
from activities.push.message import Message, compose, speaking_for
from activities.push.phones import DeviceSender
from activities.push.quiet import BudgetSlot, JoinedNotification, NotificationBudgets
from activities.push.report import NotificationResult, SignerMailReport
from activities.reader import Reader
from activities.store.home import StoragePrefix
from activities.store.store import Store
from workflows.follow_up.stages import NotificationType, is_other_channel, is_warning
from workflows.kinds import Kind
from workflows.model.notices import Delivery, HeldBack, NoticeAction, NotificationOrder, NotificationOutcome
from workflows.model.planning import Reason
from workflows.model.provider import DocumentSeen
from workflows.model.request import SignerState

_ACTED: Final = {
    SignerState.SIGNED: Reason.SIGNED,
    SignerState.APPROVED: Reason.SIGNED,
    SignerState.DECLINED: Reason.SETTLED,
    SignerState.REASSIGNED: Reason.SUPERSEDED,
}


@dataclass(frozen=True)
class PreparedNotification:
    """A notice as its recipient gets it: on phones, else by `fallback`."""

    notice: NotificationOrder
    person: Person
    devices: Sequence[PushDevice]
    message: Message
    fallback: Fallback
    reference: str
    """What cloud messaging is to call it."""
    urgent: bool
    again: Collection[str] = ()
    """The devices and addresses that an earlier call left open, if this is for them alone."""
    place: BudgetSlot | None = None


@dataclass(frozen=True)
class NotificationPreparation:
    """Prepares notices one by one."""

    directory: Directory
    links: SigningLinks
    store: Store
    phones: DeviceSender
    letters: OutboundMailSender
    company: str

    async def notice(
        self, delivery: Delivery, notice: NotificationOrder, seen: DocumentSeen | None
    ) -> NotificationResult | PreparedNotification | None:
        """The notice as its phones get it, or what became of it already; None when this call is not for it."""
        told = NotificationResult(notice)
        if needless := _needless(delivery, notice, seen):
            return told.stopped(NotificationOutcome.SUPPRESSED, needless)
        try:
            person = await self.directory.person(notice.person, delivery.subject.workflow_id)
            return await self._in_budget(delivery, await self._addressed(delivery, notice, person), person)
        except UnknownPerson:
            gone = Reason.UNKNOWN_PERSON
            return replace(told, put_off=gone) if notice.movable else told.stopped(NotificationOutcome.FAILED, gone)
        except DirectoryFailure as failure:
            return told.not_looked_up(failure)

    async def _addressed(
        self, delivery: Delivery, notice: NotificationOrder, person: Person
    ) -> NotificationResult | PreparedNotification | None:
        told, fallback = NotificationResult(notice), fallback_of(delivery, notice, messaging=self.letters.there)
        other = is_other_channel(notice.stage)
        if other and fallback is Fallback.NOBODY:
            return told.stopped(NotificationOutcome.FAILED, Reason.NO_CHANNEL)
        if other and await self._has_opened(delivery, notice):
            return told.stopped(NotificationOutcome.SUPPRESSED, Reason.OPENED)
        if _is_away(person, delivery, notice):
            return replace(told, put_off=Reason.ABSENT)
        silent = other or notice.stage == NotificationType.PUSH_REFUSED
        devices = [] if silent else await self.phones.living(person, delivery.devices)
        if devices or (fallback is Fallback.MESSAGING and self.letters.may_reach(person, delivery.devices)):
            words = {"text": await self._text(delivery, notice), "serial": await self._serial(delivery, notice)}
            at_rest = delivery.now is not None and not OpenHours.working(person).open_at(delivery.now)
            message = compose(delivery, notice, Reader.of(person), self.links, self.company, **words, at_rest=at_rest)
            urgent, again = delivery.subject.urgent, delivery.devices or ()
            reference = reference_in(delivery, notice)
            return PreparedNotification(notice, person, devices, message, fallback, reference, urgent, again)
        if delivery.devices is not None:
            return None
        return replace(told, mail=await self._mail_for(person)) if fallback is Fallback.CORE else told

    async def _has_opened(self, delivery: Delivery, notice: NotificationOrder) -> bool:
        with failing_as_application_errors():
            found = await opened_at(self.store, delivery.subject.workflow_id, [notice.person])
        return bool(found)

    async def _mail_for(self, person: Person) -> SignerMailReport:
        """How Core Signature's mail reaches a signer who has no living device."""
        return (
            SignerMailReport.UNSURE
            if person.devices or await self.phones.had_one(person)
            else SignerMailReport.BY_ITSELF
        )

    async def _serial(self, delivery: Delivery, notice: NotificationOrder) -> str:
        """What their link must have in it: that of an onboarding can be made anew."""
        if delivery.subject.type is not Kind.ONBOARDING:
            return FIRST_SERIAL
        with failing_as_application_errors():
            place = serial_of(delivery.subject.workflow_id, notice.person)
            return await self.store.serial(place) or FIRST_SERIAL

    async def _text(self, delivery: Delivery, notice: NotificationOrder) -> str:
        """What it says in somebody's own words, as far as these were not erased."""
        if notice.text is None:
            return ""
        words = await words_of(self.store, StoragePrefix.of(delivery.subject.workflow_id), notice.text)
        return "" if words in (ERASED, DAMAGED) else words

    async def _in_budget(
        self, delivery: Delivery, one: NotificationResult | PreparedNotification | None, person: Person
    ) -> NotificationResult | PreparedNotification | None:
        """The same if it may be told now; what reaches nobody takes nothing of the budget."""
        if one is None or (isinstance(one, NotificationResult) and not one.mail):
            return one
        with failing_as_application_errors():
            alone, sent = (
                isinstance(one, NotificationResult),
                isinstance(one, NotificationResult) and one.mailed_by_itself,
            )
            answer = await NotificationBudgets(self.store).ask(delivery, one.notice, person, alone=alone, told=sent)
        match answer:
            case BudgetSlot() if isinstance(one, PreparedNotification):
                message = speaking_for(one.message, answer.others, Reader.of(person), self.company)
                return replace(one, message=message, place=answer)
            case BudgetSlot():
                return one
            case HeldBack():
                return NotificationResult(one.notice, held=answer)
            case JoinedNotification():
                return NotificationResult(one.notice).stopped(NotificationOutcome.SUPPRESSED, Reason.JOINED)
            case Reason():
                return NotificationResult(one.notice).stopped(NotificationOutcome.SUPPRESSED, answer)


def _is_away(person: Person, delivery: Delivery, notice: NotificationOrder) -> bool:
    """Whether the plan did not know that they are absent; a last warning is planned for the absent, too."""
    if not notice.movable or delivery.devices is not None or delivery.now is None or is_warning(notice.stage):
        return False
    return person.absent_at(delivery.now)


def _needless(delivery: Delivery, notice: NotificationOrder, seen: DocumentSeen | None) -> Reason | None:
    """Why nobody needs this notice any more, by what the document says now; news of an ending is always needed."""
    if seen is None or delivery.outcome or notice.action is NoticeAction.WITHDRAW:
        return None
    silent = notice.about or (notice.person if notice.action in ASKED else None)
    state = next((signer.state for signer in seen.signers if signer.person == silent), None)
    if state is SignerState.VIEWED and is_other_channel(notice.stage):
        return Reason.OPENED
    acted = _ACTED.get(state) if state else None
    return acted or (Reason.SETTLED if seen.status and seen.status.ended else None)
