"""The notification activity: re-reads the document, looks people up, sends to devices, falls back to mail and SMS."""

import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from temporalio.exceptions import ApplicationError

from activities.errors import StoreFailure
from activities.http.client import ServiceFailure
from activities.metrics import ESCALATIONS, NOTIFICATIONS, REMINDERS, WARNINGS
from activities.notifications.alerts import HEARD_WITHIN, CredentialsAlarm, OnCallAlerts
from activities.notifications.budget import BudgetSlot, NotificationBudgets
from activities.notifications.cloud_messaging import CloudMessaging
from activities.notifications.links import FIRST_SERIAL, SigningLinks, serial_of
from activities.notifications.message import Message, compose, speaking_for
from activities.notifications.outbound_mail import (
    ASKED,
    Fallback,
    OutboundMailSender,
    SendOnce,
    address_of,
    fallback_of,
    reference_in,
)
from activities.notifications.phones import DeviceLimiter, DeviceSender, Messages
from activities.notifications.push_services import MessageFate, MessageResult, PushDialect, fate_of
from activities.notifications.signer_mail import MailedRecently, NotMailed, OthersAsleep, SignerMail
from activities.notifications.teams import TeamDelivery
from activities.people.directory import Directory, DirectoryAway, DirectoryFailure, UnknownPerson
from activities.people.ids import stands_in_full
from activities.people.person import Person, PushDevice
from activities.people.reader import Reader
from activities.records.budgets import Joined
from activities.records.devices import device_hash
from activities.records.store import Store
from activities.records.user_texts import DAMAGED, ERASED, keep_page, words_of
from activities.schedule.open_hours import OpenHours
from activities.temporal.failures import (
    directory_failure,
    failing_as_application_errors,
    passing_failure,
    to_application_error,
)
from activities.temporal.leases import PACE, TurnLimits, Turns, unbroken
from workflows.follow_up.notification_types import (
    MAILED_ALONG,
    REMINDED_ALONG,
    NotificationType,
    is_other_channel,
    is_quiet,
    is_warning,
    kind_of,
)
from workflows.model.notifications import (
    Channel,
    Delivered,
    Delivery,
    DeliveryReport,
    DeviceOutcome,
    HeldBack,
    NoticeAction,
    NotificationOrder,
    NotificationOutcome,
    PostponedNotification,
)
from workflows.model.schedule import Reason, joined_into
from workflows.model.signature import DocumentSeen, SignerState
from workflows.model.subject import Code, Roster
from workflows.names import alert_key
from workflows.ports import PushService


class SignerMailReport(StrEnum):
    """How Core Signature's mail reaches a signer without a valid device."""

    BY_ITSELF = "by_itself"
    """They never had a device: the first mail was sent at their turn."""
    UNSURE = "unsure"
    """They had one, perhaps at creation: then Core Signature was asked not to mail them."""


_FAILED_BECAUSE: Final = {
    MessageFate.LATER: Reason.UNREACHABLE,
    MessageFate.UNAUTHORISED: Reason.UNAUTHORISED,
    MessageFate.PLATFORM: Reason.UNAUTHORISED,
    MessageFate.MISMATCH: Reason.PUSH_MISMATCH,
    MessageFate.OTHER_SENDER: Reason.PUSH_MISMATCH,
    MessageFate.REFUSED: Reason.REFUSED,
    MessageFate.UNDELIVERED: Reason.UNDELIVERED,
    MessageFate.PENDING: Reason.UNCONFIRMED,
    MessageFate.UNKNOWN: Reason.UNCONFIRMED,
}
_OPEN: Final = (
    MessageFate.LATER,
    MessageFate.UNAUTHORISED,
    MessageFate.PLATFORM,
    MessageFate.MISMATCH,
    MessageFate.PENDING,
)
_NEXT_TRY: Final = 5.0
"""Seconds until a retry if the service names no time."""


@dataclass(frozen=True)
class NotificationResult:
    """Messages by device hash, or the one obstacle. `mail` is set for a signer to be asked without a valid device;
    `trouble` is retryable.
    """

    notice: NotificationOrder
    messages: Messages = ()
    outcome: NotificationOutcome | None = None
    why: str | None = None
    channel: Channel = Channel.PUSH
    mail: SignerMailReport | None = None
    trouble: ApplicationError | None = None
    put_off: Reason | None = None
    """Why a planned notice was not sent: it is planned anew and has no line yet."""
    held: HeldBack | None = None
    """Retried when the recipient's budget frees."""

    @property
    def mailed_by_itself(self) -> bool:
        """Core Signature sends the first mail by itself, only to signers without a device at creation."""
        return self.mail is SignerMailReport.BY_ITSELF and self.notice.stage == NotificationType.READY

    def stopped(
        self, outcome: NotificationOutcome, why: str, trouble: ApplicationError | None = None
    ) -> "NotificationResult":
        """With an outcome that its messages do not show."""
        return replace(self, outcome=outcome, why=why, trouble=trouble)

    def not_looked_up(self, failure: DirectoryFailure) -> "NotificationResult":
        why = Reason.UNREACHABLE if isinstance(failure, DirectoryAway) else Reason.DIRECTORY
        return self.stopped(NotificationOutcome.FAILED, why, directory_failure(failure))

    def mailed(self, failure: ServiceFailure | DirectoryFailure | NotMailed | None) -> "NotificationResult":
        """Sent by Core Signature's mail, unless that failed."""
        told = replace(self, outcome=NotificationOutcome.ACCEPTED, channel=Channel.MAIL)
        if isinstance(failure, OthersAsleep) and self.notice.movable:
            return replace(self, put_off=failure.why)
        if isinstance(failure, MailedRecently):
            return replace(self, held=failure.hold_back(self.notice))
        if isinstance(failure, NotMailed):
            return told.stopped(NotificationOutcome.FAILED, failure.why)
        if isinstance(failure, DirectoryFailure):
            return told.not_looked_up(failure)
        if failure is None:
            return told
        fate = fate_of(failure).fate
        trouble = to_application_error(failure) if fate in _OPEN else None
        return told.stopped(NotificationOutcome.FAILED, _FAILED_BECAUSE[fate], trouble)

    def along(self, request: str, person: str, *, has_phone: bool) -> "NotificationResult":
        """The result for another signer whom the same mail reached; without a phone it is their reminder."""
        notice = self.notice.replace(
            key=alert_key(request, self.notice.stage, person, self.notice.person),
            stage=MAILED_ALONG if has_phone else REMINDED_ALONG,
            person=person,
        )
        return NotificationResult(
            notice, outcome=NotificationOutcome.ACCEPTED, why=Reason.WITH_OTHERS, channel=Channel.MAIL
        )

    @property
    def open(self) -> bool:
        """Whether only a temporary failure prevented it: it is retried, and has no line before."""
        return self.trouble is not None and not self.trouble.non_retryable

    @property
    def line(self) -> Delivered:
        """The line of the notification log."""
        outcome, why = (self.outcome, self.why) if self.outcome else self._from_messages()
        return Delivered(
            key=self.notice.key,
            stage=self.notice.stage,
            person=self.notice.person,
            channel=self.channel,
            outcome=outcome,
            why=why,
            devices=tuple(DeviceOutcome(device=device, outcome=self._of(sent)) for device, sent in self.messages),
        )

    def _from_messages(self) -> tuple[NotificationOutcome, Reason | None]:
        fates = {sent.fate for _, sent in self.messages}
        if MessageFate.ACCEPTED in fates:
            return self._done, None
        failed = next((why for fate, why in _FAILED_BECAUSE.items() if fate in fates), None)
        return (NotificationOutcome.FAILED, failed) if failed else (NotificationOutcome.SUPPRESSED, Reason.NO_DEVICE)

    def _of(self, sent: MessageResult) -> NotificationOutcome:
        return self._done if sent.fate is MessageFate.ACCEPTED else NotificationOutcome.FAILED

    @property
    def _done(self) -> NotificationOutcome:
        return (
            NotificationOutcome.WITHDRAWN
            if self.notice.action is NoticeAction.WITHDRAW
            else NotificationOutcome.ACCEPTED
        )


def report(
    told: Sequence[NotificationResult],
    seen: DocumentSeen | None,
    left: Sequence[NotificationOrder] = (),
    *,
    stragglers: bool = False,
) -> DeliveryReport:
    """Raises `ApplicationError` if nothing was delivered and a retry could help. `left` are notices not begun. Failures
    of `stragglers` are not raised.
    """
    lines = tuple(one.line for one in told if one.put_off is None and one.held is None)
    if not any(line.outcome in (NotificationOutcome.ACCEPTED, NotificationOutcome.WITHDRAWN) for line in lines):
        # A call that leaves notices open has notified somebody, so that repeated calls come to an end.
        _raise_worst([one for one in told if one.open] if stragglers else told)
    open_messages = [message for one in told for message in one.messages if message[1].fate in _OPEN]
    waits = tuple(sent.wait or _NEXT_TRY for _, sent in open_messages)
    return DeliveryReport(
        delivered=lines,
        open_devices=tuple(device for device, _ in open_messages),
        open_notices=tuple(notice.key for notice in (*left, *(one.notice for one in told if one.open))),
        waits=waits,
        retry_after=max(waits, default=0),
        seen=seen,
        put_off=tuple(
            PostponedNotification(key=one.notice.key, stage=one.notice.stage, person=one.notice.person, why=one.put_off)
            for one in told
            if one.put_off is not None
        ),
        held=tuple(one.held for one in told if one.held is not None),
    )


def _raise_worst(told: Sequence[NotificationResult]) -> None:
    failures = [sent.failure for one in told for _, sent in one.messages if sent.fate in _OPEN and sent.failure]
    troubles = [to_application_error(failure) for failure in failures] + [one.trouble for one in told if one.trouble]
    if troubles:
        raise max(troubles, key=lambda one: (one.non_retryable, one.next_retry_delay or timedelta()))


_ACTED: Final = {
    SignerState.SIGNED: Reason.SIGNED,
    SignerState.APPROVED: Reason.SIGNED,
    SignerState.DECLINED: Reason.SETTLED,
    SignerState.REASSIGNED: Reason.SUPERSEDED,
}


@dataclass(frozen=True)
class PreparedNotification:
    """A notice ready to send: to phones, else by `fallback`."""

    notice: NotificationOrder
    person: Person
    devices: Sequence[PushDevice]
    message: Message
    fallback: Fallback
    reference: str
    """Its name in cloud messaging."""
    urgent: bool
    again: Collection[str] = ()
    """Devices and addresses that an earlier call left open, if only these are due."""
    slot: BudgetSlot | None = None


@dataclass(frozen=True)
class NotificationPreparation:
    directory: Directory
    links: SigningLinks
    store: Store
    phones: DeviceSender
    outbound: OutboundMailSender
    budgets: NotificationBudgets
    company: str

    async def notice(
        self, delivery: Delivery, notice: NotificationOrder, seen: DocumentSeen | None
    ) -> NotificationResult | PreparedNotification | None:
        """The notice to send, or its result if nothing is sent; None if this call is not for it."""
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
        told, fallback = NotificationResult(notice), fallback_of(delivery, notice, messaging=self.outbound.there)
        other = is_other_channel(notice.stage)
        if other and fallback is Fallback.NOBODY:
            return told.stopped(NotificationOutcome.FAILED, Reason.NO_CHANNEL)
        if other and await self._has_opened(delivery, notice):
            return told.stopped(NotificationOutcome.SUPPRESSED, Reason.OPENED)
        if _is_away(person, delivery, notice):
            return replace(told, put_off=Reason.ABSENT)
        silent = other or notice.stage == NotificationType.PUSH_REFUSED
        devices = [] if silent else await self.phones.living(person, delivery.devices)
        if devices or (fallback is Fallback.MESSAGING and self.outbound.may_reach(person, delivery.devices)):
            serial = await self._serial(delivery, notice)
            words = {"text": await self._text(delivery, notice), "serial": serial, "email": person.email}
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
            found = await self.store.log_pages.opened(delivery.subject.workflow_id, [notice.person])
        return bool(found)

    async def _mail_for(self, person: Person) -> SignerMailReport:
        return (
            SignerMailReport.UNSURE
            if person.devices or await self.phones.had_one(person)
            else SignerMailReport.BY_ITSELF
        )

    async def _serial(self, delivery: Delivery, notice: NotificationOrder) -> str:
        if not delivery.subject.type.spec.renews_links:
            return FIRST_SERIAL
        with failing_as_application_errors():
            place = serial_of(delivery.subject.workflow_id, notice.person)
            return await self.store.one_use.serial(place) or FIRST_SERIAL

    async def _text(self, delivery: Delivery, notice: NotificationOrder) -> str:
        """The free text of the notice; empty if erased."""
        if notice.text is None:
            return ""
        words = await words_of(self.store, delivery.subject.workflow_id, notice.text)
        return "" if words in (ERASED, DAMAGED) else words

    async def _in_budget(
        self, delivery: Delivery, one: NotificationResult | PreparedNotification | None, person: Person
    ) -> NotificationResult | PreparedNotification | None:
        """The same if the budget allows it now; a notice that reaches nobody uses no budget."""
        if one is None or (isinstance(one, NotificationResult) and not one.mail):
            return one
        with failing_as_application_errors():
            alone, sent = (
                isinstance(one, NotificationResult),
                isinstance(one, NotificationResult) and one.mailed_by_itself,
            )
            answer = await self.budgets.ask(delivery, one.notice, person, alone=alone, told=sent)
        match answer:
            case BudgetSlot() if isinstance(one, PreparedNotification):
                listed = self.links.desk() if answer.anywhere and not stands_in_full(person.id) else None
                message = speaking_for(one.message, answer.others, Reader.of(person), self.company, listed)
                return replace(one, message=message, slot=answer)
            case BudgetSlot():
                return one
            case HeldBack():
                return NotificationResult(one.notice, held=answer)
            case Joined(into):
                return NotificationResult(one.notice).stopped(NotificationOutcome.SUPPRESSED, joined_into(into))
            case Reason():
                return NotificationResult(one.notice).stopped(NotificationOutcome.SUPPRESSED, answer)


def _is_away(person: Person, delivery: Delivery, notice: NotificationOrder) -> bool:
    """Whether an absence that the plan did not know prevents it; a last warning is planned despite absence."""
    if not notice.movable or delivery.devices is not None or delivery.now is None or is_warning(notice.stage):
        return False
    return person.about(delivery.subject.kind).absent_at(delivery.now)


def _newcomers(delivery: Delivery) -> list[str]:
    """Who may not have been asked from the start on: told of a silence, or a new assignee or reviewer. Those who sign
    instead of others are noted where they are sent.
    """

    def may_be(one: NotificationOrder) -> bool:
        stage = kind_of(one.stage)
        asked = stage is NotificationType.READY and one.action in (NoticeAction.DO, NoticeAction.REVIEW)
        return asked or stage is NotificationType.ESCALATION

    return [one.person for one in delivery.notices if may_be(one)]


def _needless(delivery: Delivery, notice: NotificationOrder, seen: DocumentSeen | None) -> Reason | None:
    """Why the document's present state makes it obsolete; endings never are."""
    if seen is None or delivery.outcome or notice.action is NoticeAction.WITHDRAW:
        return None
    silent = notice.about or (notice.person if notice.action in ASKED else None)
    state = next((signer.state for signer in seen.signers if signer.person == silent), None)
    if state is SignerState.VIEWED and is_other_channel(notice.stage):
        return Reason.OPENED
    acted = _ACTED.get(state) if state else None
    return acted or (Reason.SETTLED if seen.status and seen.status.ended else None)


ReadDocument = Callable[[Roster, str], Awaitable[DocumentSeen]]
"""Reads the document from Core Signature; raises `ApplicationError`."""


class NotificationService(PushService):
    """Sends in one `dialect`; None means push is off. `messaging` reaches people without a device whom Core Signature
    does not mail. `oncall` is alerted of refused credentials and of long unsent documents. Without `budgets` only
    onboardings ration their notices.
    """

    def __init__(
        self,
        *,
        dialect: PushDialect | None,
        directory: Directory,
        links: SigningLinks,
        read: ReadDocument,
        mail: SignerMail,
        store: Store,
        messaging: CloudMessaging | None = None,
        company: str = "",
        oncall: str = "",
        limiter: DeviceLimiter | None = None,
        budgets: NotificationBudgets | None = None,
        pace: TurnLimits = PACE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._directory = directory
        self._phones = DeviceSender(dialect, directory, limiter or DeviceLimiter())
        self._once = SendOnce(store)
        self._outbound = OutboundMailSender(messaging, self._once)
        self._budgets = budgets or NotificationBudgets(store)
        self._preparation = NotificationPreparation(
            directory=directory,
            links=links,
            store=store,
            phones=self._phones,
            outbound=self._outbound,
            budgets=self._budgets,
            company=company,
        )
        self._read = read
        self._mail = mail
        self._pace = pace
        self._clock = clock
        self._store = store
        self._on_call = OnCallAlerts(self, oncall, HEARD_WITHIN) if oncall else None
        self._alarm = CredentialsAlarm(store, self._on_call)

    async def deliver(self, delivery: Delivery) -> DeliveryReport:
        """A delivery for open devices reports nothing of notices without any."""
        turns = Turns(self._pace, self._clock)
        try:
            to_each = await TeamDelivery.of(delivery, self._directory)
        except DirectoryFailure as failure:
            raise directory_failure(failure) from failure
        return to_each.gathered(await unbroken(self._deliver(to_each.delivery, turns), turns.stop))

    async def _deliver(self, delivery: Delivery, turns: Turns) -> DeliveryReport:
        with failing_as_application_errors():
            await keep_page(self._store, delivery.subject.workflow_id, delivery.page)
            if newcomers := _newcomers(delivery):
                await self._store.starts.came_in(delivery.subject.workflow_id, newcomers)
        seen = await self._seen(delivery)
        told, left = await self._each(
            delivery, [one for one in delivery.notices if not is_quiet(one.stage)], seen, turns
        )
        await self._alarm.learn(self._phones.credentials_accepted(), _now())
        await self._tell_on_call(delivery)
        if turns.stopped:
            # A mail takes a while, and may have become obsolete.
            left += [one.notice for one in told if one.mail and not one.mailed_by_itself]
            told = [one for one in told if one.notice not in left]
        elif left and not told:
            raise passing_failure(Code.UNREACHABLE, "nobody could be told in time")
        lines, mailed = await self._mail_the_rest(delivery, _in_order(told, delivery.notices))
        bold = delivery.devices is not None or delivery.others_told or turns.stopped
        known = await self._offered(delivery, report(lines, seen, left, stragglers=bold), turns)
        for line in known.final_lines:
            _count(delivery.subject.kind, line)
        return known.replace(mailed=mailed)

    async def _tell_on_call(self, delivery: Delivery) -> None:
        """Alert on-call of a document unsent for hours; the requester's notice does not wait for it."""
        for one in delivery.notices if self._on_call and delivery.devices is None else ():
            if self._on_call and kind_of(one.stage) is NotificationType.NOT_SENT and one.person != self._on_call.person:
                await self._on_call.hears_too(delivery, one, delivery.now or _now())

    async def _each(
        self, delivery: Delivery, notices: Sequence[NotificationOrder], seen: DocumentSeen | None, turns: Turns
    ) -> tuple[list[NotificationResult], list[NotificationOrder]]:
        ready = await turns.each(notices, lambda notice: self._preparation.notice(delivery, notice, seen))
        sent = await turns.each([one for one in ready.results if isinstance(one, PreparedNotification)], self._send)
        told = [one for one in ready.results if isinstance(one, NotificationResult)] + sent.results
        return told, ready.left + [one.notice for one in sent.left]

    async def _offered(self, delivery: Delivery, known: DeliveryReport, turns: Turns) -> DeliveryReport:
        """The report with the optional notices: sent last, once, without retry. Unknown persons get no line."""
        told, left = await self._each(delivery, [one for one in delivery.notices if is_quiet(one.stage)], None, turns)
        lines = tuple(one.line for one in told if one.why is not Reason.UNKNOWN_PERSON)
        return known.replace(
            delivered=(*known.delivered, *lines), open_notices=(*known.open_notices, *(one.key for one in left))
        )

    async def _seen(self, delivery: Delivery) -> DocumentSeen | None:
        if delivery.document is None:
            return None
        return await self._read(delivery.subject, delivery.document)

    async def _send(self, ready: PreparedNotification) -> NotificationResult:
        told = await self._sent(ready)
        if ready.slot and told.line.outcome is NotificationOutcome.ACCEPTED:
            # It was delivered, whatever happens to the store: at worst the others are sent as well.
            with suppress(StoreFailure):
                await self._budgets.accepted(ready.slot)
        return told

    async def _sent(self, ready: PreparedNotification) -> NotificationResult:
        if not ready.devices:
            return await self._write(ready, NotificationResult(ready.notice))
        told = NotificationResult(ready.notice, await self._phones.send(ready.person, ready.devices, ready.message))
        if ready.fallback is Fallback.NOBODY or not self._is_to_be_written_to(ready, told):
            return told
        try:
            others = await self._phones.living(ready.person)
        except DirectoryFailure as failure:
            return told.not_looked_up(failure)
        tried = {device for device, _ in told.messages}
        if any(device_hash(device.value) not in tried and not device.unseen(_now()) for device in others):
            return told
        return (
            replace(told, mail=SignerMailReport.UNSURE)
            if ready.fallback is Fallback.CORE
            else await self._write(ready, told)
        )

    def _is_to_be_written_to(self, ready: PreparedNotification, told: NotificationResult) -> bool:
        """Whether no reliable device accepted it, or may accept it: a device long unseen accepts everything."""
        in_use = {device_hash(device.value) for device in ready.devices if not device.unseen(_now())}
        if ready.again and not in_use:
            # They were written to at the first sending, so only an open message is sent again.
            return self._outbound.may_reach(ready.person, ready.again)
        return all(sent.fate.hopeless for device, sent in told.messages if device in in_use)

    async def _write(self, ready: PreparedNotification, told: NotificationResult) -> NotificationResult:
        """Also send by cloud messaging, if available: the address counts like one more phone."""
        if not self._outbound.may_reach(ready.person):
            return told
        confirmed = is_other_channel(ready.notice.stage)
        try:
            channel, sent = await self._outbound.send(
                ready.person, ready.message, ready.reference, urgent=ready.urgent, confirmed=confirmed
            )
        except StoreFailure as failure:
            return told.stopped(
                NotificationOutcome.FAILED, Reason.UNREACHABLE, passing_failure(Code.UNREACHABLE, str(failure))
            )
        return replace(told, messages=(*told.messages, (address_of(ready.person), sent)), channel=channel)

    async def _mail_the_rest(
        self, delivery: Delivery, told: Sequence[NotificationResult]
    ) -> tuple[list[NotificationResult], bool]:
        """Core Signature's mail, once, for all signers without a valid device, and whether it was asked for; everyone
        it reaches gets a line.
        """
        asked = [one for one in told if one.mail and not one.mailed_by_itself]
        failure: ServiceFailure | DirectoryFailure | NotMailed | None = None
        along: tuple[Person, ...] | None = None
        try:
            along = await self._mail_signers(delivery, asked)
        except (ServiceFailure, DirectoryFailure, NotMailed) as refused:
            failure = refused
        mailed = [one.mailed(failure if one in asked else None) if one.mail else one for one in told]
        request, phones = delivery.subject.id, self._phones
        co_signers = [asked[0].along(request, one.id, has_phone=await phones.had_one(one)) for one in along or ()]
        return mailed + co_signers, along is not None

    async def _mail_signers(self, delivery: Delivery, asked: Sequence[NotificationResult]) -> tuple[Person, ...] | None:
        notices = [one.notice for one in asked]
        if delivery.document and any(one.stage != NotificationType.READY for one in notices):
            return await self._mail.again(delivery, delivery.document, notices, self._once)
        return await self._mail.first(delivery, notices, self._once) if notices else None


_REMINDERS: Final = (NotificationType.REMINDER, NotificationType.SNOOZE, NotificationType.OVERDUE)


def _count(kind: str, line: Delivered) -> None:
    """Count a line of the notification log."""
    NOTIFICATIONS.add(channel=line.channel, outcome=line.outcome)
    stage = kind_of(line.stage) if line.reached else None
    if stage in _REMINDERS:
        REMINDERS.add(kind=kind)
    elif stage is NotificationType.WARNING:
        WARNINGS.add(kind=kind)
    elif stage is NotificationType.ESCALATION:
        ESCALATIONS.add(kind=kind, action="notify")


def _now() -> datetime:
    """The worker's clock, which device registrations use; a request's clock may be moved."""
    return datetime.now(UTC)


def _in_order(told: Sequence[NotificationResult], notices: Sequence[NotificationOrder]) -> list[NotificationResult]:
    place = {notice.key: number for number, notice in enumerate(notices)}
    return sorted(told, key=lambda one: place[one.notice.key])
