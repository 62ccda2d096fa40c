"""Whether a notice is sent, by what, and in which words: document, directory, channels, budget."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from activities.notifications.budget import BudgetSlot, NotificationBudgets
from activities.notifications.links import FIRST_SERIAL, SigningLinks, serial_of
from activities.notifications.message import NotificationMessage, compose, speaking_for
from activities.notifications.outbound_mail import ASKED, Fallback, OutboundMailSender, fallback_of, reference_in
from activities.notifications.phones import DeviceSender
from activities.notifications.results import (
    EndedNotice,
    HeldNotice,
    MailDue,
    NoticeResult,
    PostponedNotice,
    SentNotice,
    fail_by_directory,
)
from activities.people.directory import Directory, DirectoryFailure, UnknownPerson
from activities.people.ids import stands_in_full
from activities.people.person import Person, PushDevice
from activities.people.reader import Reader
from activities.people.ways import may_be_mailed
from activities.records.budgets import JoinedNotice
from activities.records.store import Store
from activities.records.user_texts import DAMAGED, ERASED, words_of
from activities.schedule.open_hours import OpenHours
from activities.temporal.failures import failing_as_application_errors
from workflows.follow_up.notification_types import NotificationType, is_other_channel, is_warning
from workflows.model.notifications import (
    Channel,
    Delivery,
    HeldBack,
    NoticeAction,
    NotificationOrder,
    NotificationOutcome,
)
from workflows.model.schedule import Reason, joined_into
from workflows.model.signature import ReportedDocument, SignerState
from workflows.model.subject import Identity

_OBSOLETE_BY_STATE: Final = {
    SignerState.SIGNED: Reason.SIGNED,
    SignerState.APPROVED: Reason.SIGNED,
    SignerState.DECLINED: Reason.SETTLED,
    SignerState.REASSIGNED: Reason.SUPERSEDED,
}


@dataclass(frozen=True, kw_only=True)
class PreparedNotification:
    """A notice ready to send: to phones, else by `fallback`."""

    notice: NotificationOrder
    person: Person
    devices: Sequence[PushDevice]
    message: NotificationMessage
    fallback: Fallback
    reference: str
    """Its name in cloud messaging."""
    urgent: bool
    retried_devices: Collection[str]
    """Devices and addresses that an earlier call left open, if only these are due."""
    workflow_id: str
    slot: BudgetSlot = field(default_factory=BudgetSlot)


Preparation = PreparedNotification | NoticeResult | None
"""The notice to send, or its result if nothing is sent; None if this call is not for it."""


@dataclass(frozen=True)
class NotificationPreparation:
    directory: Directory
    links: SigningLinks
    store: Store
    phones: DeviceSender
    outbound: OutboundMailSender
    budgets: NotificationBudgets
    company: str

    async def prepare(
        self, delivery: Delivery, notice: NotificationOrder, document: ReportedDocument | None
    ) -> Preparation:
        """Raises `ApplicationError` while the store is unavailable."""
        if reason := _find_obsolete(delivery, notice, document):
            return _suppress(notice, reason)
        try:
            person = await self.directory.person(notice.person, delivery.subject.workflow_id)
            return await self._ration(delivery, person, await self._choose_channel(delivery, notice, person))
        except UnknownPerson:
            if notice.movable:
                return PostponedNotice(notice=notice, why=Reason.UNKNOWN_PERSON)
            return EndedNotice(notice=notice, outcome=NotificationOutcome.FAILED, why=Reason.UNKNOWN_PERSON)
        except DirectoryFailure as failure:
            return fail_by_directory(notice, failure)

    async def _choose_channel(self, delivery: Delivery, notice: NotificationOrder, person: Person) -> Preparation:
        fallback = fallback_of(delivery, notice, person, messaging=self.outbound.is_available)
        by_code = delivery.subject.identity is Identity.CODE and notice.action in ASKED
        if by_code and not may_be_mailed(person):
            fallback = Fallback.NOBODY
        switches_channel = is_other_channel(notice.stage)
        if switches_channel and fallback is Fallback.NOBODY:
            return EndedNotice(notice=notice, outcome=NotificationOutcome.FAILED, why=Reason.NO_CHANNEL)
        if switches_channel and await self._has_opened(delivery, notice):
            return _suppress(notice, Reason.OPENED)
        if _is_away(person, delivery, notice):
            return PostponedNotice(notice=notice, why=Reason.ABSENT)
        silent = switches_channel or notice.stage == NotificationType.PUSH_REFUSED
        devices = [] if silent else await self.phones.living(person, delivery.devices)
        if devices or (fallback is Fallback.MESSAGING and self.outbound.may_reach(person, delivery.devices)):
            return PreparedNotification(
                notice=notice,
                person=person,
                devices=devices,
                message=await self.compose_for(delivery, notice, person),
                fallback=fallback,
                reference=reference_in(delivery, notice),
                urgent=delivery.subject.urgent and not by_code,
                retried_devices=delivery.devices or (),
                workflow_id=delivery.subject.workflow_id,
            )
        if delivery.devices is not None:
            return None
        return await self._leave_to_core(notice, person) if fallback is Fallback.CORE else SentNotice(notice=notice)

    async def _has_opened(self, delivery: Delivery, notice: NotificationOrder) -> bool:
        with failing_as_application_errors():
            return bool(await self.store.log_pages.opened(delivery.subject.workflow_id, [notice.person]))

    async def compose_for(self, delivery: Delivery, notice: NotificationOrder, person: Person) -> NotificationMessage:
        return compose(
            delivery,
            notice,
            Reader.from_person(person),
            self.links,
            self.company,
            text=await self._read_text(delivery, notice),
            serial=await self._read_serial(delivery, notice),
            email=person.email,
            at_rest=delivery.now is not None and not OpenHours.working(person).open_at(delivery.now),
        )

    async def _read_text(self, delivery: Delivery, notice: NotificationOrder) -> str:
        """The free text of the notice; empty if erased."""
        if notice.text is None:
            return ""
        text = await words_of(self.store, delivery.subject.workflow_id, notice.text)
        return "" if text in (ERASED, DAMAGED) else text

    async def _read_serial(self, delivery: Delivery, notice: NotificationOrder) -> str:
        if not delivery.subject.type.spec.renews_links:
            return FIRST_SERIAL
        with failing_as_application_errors():
            key = serial_of(delivery.subject.workflow_id, notice.person)
            return await self.store.one_use.serial(key) or FIRST_SERIAL

    async def _leave_to_core(self, notice: NotificationOrder, person: Person) -> NoticeResult:
        """Core Signature sends the first mail by itself, only to signers without a device at creation."""
        if notice.stage != NotificationType.READY or person.devices or await self.phones.had_one(person):
            return MailDue(notice=notice)
        return EndedNotice(notice=notice, outcome=NotificationOutcome.ACCEPTED, channel=Channel.MAIL)

    async def _ration(self, delivery: Delivery, person: Person, prepared: Preparation) -> Preparation:
        """The same if the budget allows it now; a notice that reaches nobody uses no budget."""
        mailed_by_core = isinstance(prepared, EndedNotice) and prepared.outcome is NotificationOutcome.ACCEPTED
        if prepared is None or not (mailed_by_core or isinstance(prepared, PreparedNotification | MailDue)):
            return prepared
        notice, alone = prepared.notice, not isinstance(prepared, PreparedNotification)
        with failing_as_application_errors():
            answer = await self.budgets.ask(delivery, notice, person, alone=alone, is_told=mailed_by_core)
        match answer:
            case HeldBack():
                return HeldNotice(notice=notice, held_back=answer)
            case JoinedNotice(into):
                return _suppress(notice, joined_into(into))
            case Reason():
                return _suppress(notice, answer)
            case BudgetSlot() if isinstance(prepared, PreparedNotification):
                listed = None if stands_in_full(person.id) else self.links.desk()
                message = speaking_for(
                    prepared.message, answer.other_count, Reader.from_person(person), self.company, listed
                )
                return replace(prepared, message=message, slot=answer)
            case BudgetSlot():
                return prepared


def _find_obsolete(delivery: Delivery, notice: NotificationOrder, document: ReportedDocument | None) -> Reason | None:
    """Why the document's present state makes it obsolete; endings never are."""
    if document is None or delivery.outcome or notice.action is NoticeAction.WITHDRAW:
        return None
    silent = notice.about or (notice.person if notice.action in ASKED else None)
    state = next((signer.state for signer in document.signers if signer.person == silent), None)
    if state is SignerState.VIEWED and is_other_channel(notice.stage):
        return Reason.OPENED
    acted = _OBSOLETE_BY_STATE.get(state) if state else None
    return acted or (Reason.SETTLED if document.status and document.status.has_ended else None)


def _is_away(person: Person, delivery: Delivery, notice: NotificationOrder) -> bool:
    """Whether an absence that the plan did not know prevents it; a last warning is planned despite absence."""
    if not notice.movable or delivery.devices is not None or delivery.now is None or is_warning(notice.stage):
        return False
    return person.for_kind(delivery.subject.kind).absent_at(delivery.now)


def _suppress(notice: NotificationOrder, reason: str) -> EndedNotice:
    return EndedNotice(notice=notice, outcome=NotificationOutcome.SUPPRESSED, why=reason)
