"""Core Signature's own mail, for signers whom no push reaches. It goes to everyone whose turn it is
(docs/core-signature.md, Actions), so it is requested only when it is day for all, and the others are returned.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from activities.core_signature.client import CoreSignatureClient
from activities.core_signature.documents import has_ended, most_likely
from activities.core_signature.signers import Entries, SignerSnapshots, match
from activities.core_signature.wire import WireDocument, WireRequest
from activities.http.client import ServiceFailure
from activities.notifications.outbound_mail import SendOnce, reference_in
from activities.notifications.phones import DeviceSender
from activities.notifications.push_services import MessageFate, MessageResult, fate_of
from activities.notifications.results import (
    FAILURE_REASONS,
    OPEN_FATES,
    EndedNotice,
    FailedNotice,
    HeldNotice,
    MailDue,
    Messages,
    NoticeResult,
    PostponedNotice,
    fail_by_directory,
)
from activities.people.directory import Directory, DirectoryFailure, UnknownPerson, asking_the_store
from activities.people.person import Person
from activities.schedule.turn import by_day
from activities.temporal.failures import to_application_error
from workflows.follow_up.notification_types import MAILED_ALONG, REMINDED_ALONG, NotificationType
from workflows.model.notifications import (
    MAILS_APART,
    Channel,
    Delivery,
    HeldBack,
    NotificationOrder,
    NotificationOutcome,
)
from workflows.model.schedule import Reason
from workflows.model.subject import Subject
from workflows.names import alert_key

CALLS_TO_MAIL_AGAIN: Final = 2
"""Read the document, then request the mail."""


class NotMailed(Exception):
    """No mail is known to have been requested; `reason` goes into the notification log."""

    reason: Reason


class OthersAsleep(NotMailed):
    """The mail would also reach someone who must not be notified now."""

    reason = Reason.OTHERS_ASLEEP


class UnconfirmedMail(NotMailed):
    """All allowed attempts were used without a confirmation."""

    reason = Reason.UNCONFIRMED


class MailedRecently(NotMailed):
    """Core Signature was asked to mail this document a moment ago, and would drop the mail."""

    reason = Reason.MAILED_RECENTLY

    def __init__(self, now: datetime, free_at: datetime) -> None:
        super().__init__(self.reason)
        self._now = now
        self._free_at = free_at

    def hold_back(self, notice: NotificationOrder) -> HeldBack:
        return HeldBack(
            key=notice.key,
            stage=notice.stage,
            person=notice.person,
            channel=Channel.MAIL,
            outcome=NotificationOutcome.SUPPRESSED,
            why=self.reason,
            at=self._now,
            until=self._free_at,
            says=f"one mail of its document in {MAILS_APART // timedelta(minutes=1)} minutes",
        )


class SignerMail:
    """Has Core Signature mail signers, `once` for each notice."""

    def __init__(self, client: CoreSignatureClient, directory: Directory, signer_snapshots: SignerSnapshots) -> None:
        self._client = client
        self._directory = directory
        self._signer_snapshots = signer_snapshots

    async def send(
        self, delivery: Delivery, due: Sequence[MailDue], send_once: SendOnce, phones: DeviceSender
    ) -> tuple[list[NoticeResult], bool]:
        """One mail for all that are due: their results and those of the others whom it reached, and whether it was
        requested.
        """
        try:
            co_signers = await self._request(delivery, [result.notice for result in due], send_once) if due else None
        except (ServiceFailure, DirectoryFailure, NotMailed) as failure:
            return [_fail(result, failure) for result in due], False
        results: list[NoticeResult] = [_accept(result.notice, messages=result.messages) for result in due]
        for person in co_signers or ():
            has_phone = await phones.had_one(person)
            along = _to_co_signer(due[0].notice, delivery.subject.id, person.id, has_phone=has_phone)
            results.append(_accept(along, Reason.WITH_OTHERS))
        return results, co_signers is not None

    async def _request(
        self, delivery: Delivery, notices: Sequence[NotificationOrder], send_once: SendOnce
    ) -> tuple[Person, ...] | None:
        """Who else is mailed. None if no mail is needed: of the first mails, only those to signers with a device at
        creation were not sent.
        """
        document = await self._document(delivery.subject, delivery.document)
        if document is None or document.request is None:
            return None
        is_repeated = delivery.document and any(notice.stage != NotificationType.READY for notice in notices)
        if not is_repeated:
            entries = await self._entries(delivery.subject, document.request)
            if not any((signer := entries.get(notice.person)) and not signer.emailed for notice in notices):
                return None
        return await self._mail(delivery, document.request, notices, send_once)

    async def _mail(
        self, delivery: Delivery, request: WireRequest, notices: Sequence[NotificationOrder], send_once: SendOnce
    ) -> tuple[Person, ...]:
        """Also reaches people to whom a signer forwarded the request; their hours are unknown. Raises `OthersAsleep`
        and `MailedRecently`.
        """
        people, persons = await self._signers(delivery.subject), [notice.person for notice in notices]
        turn = min((signer.order for signer in request.signers if signer.open), default=0)
        mailed = [signer for signer in request.signers if signer.open and signer.order == turn]
        entries = await self._entries(delivery.subject, request)
        on_turn = [id for id, signer in entries.items() if signer in mailed]
        co_signers = tuple(people[id] for id in on_turn if id in people and people[id].email and id not in persons)
        if not all(_may_hear(co_signer, delivery) for co_signer in co_signers):
            raise OthersAsleep
        if delivery.mailed_at and delivery.now and delivery.now < (free_at := delivery.mailed_at + MAILS_APART):
            raise MailedRecently(delivery.now, free_at)
        references = [reference_in(delivery, notice) for notice in notices]
        with asking_the_store():
            _, sent = await send_once.send(references, Channel.MAIL, lambda: self._resent(request.uuid))
        if sent.fate is MessageFate.UNKNOWN:
            raise UnconfirmedMail
        if sent.failure is not None:
            raise sent.failure
        return co_signers

    async def _resent(self, request: str) -> MessageResult:
        try:
            await self._client.resend(request)
        except ServiceFailure as failure:
            return fate_of(failure)
        return MessageResult(MessageFate.ACCEPTED)

    async def _document(self, subject: Subject, document: str | None) -> WireDocument | None:
        if document is not None:
            return await self._client.document(document)
        listed = await self._client.documents_of(subject.id)
        living = [candidate for candidate in listed if candidate.is_of(subject.id) and not has_ended(candidate)]
        return most_likely(living, subject.title)

    async def _entries(self, subject: Subject, request: WireRequest) -> Entries:
        """The provider's entry of each signer, by the snapshot sent."""
        with asking_the_store():
            return match(
                subject.at_core.people, await self._signer_snapshots.read_snapshots(subject.id), request.signers
            )

    async def _signers(self, subject: Subject) -> dict[str, Person]:
        person_by_id: dict[str, Person] = {}
        for signer in subject.people:
            try:
                person_by_id[signer.person] = await self._directory.person(signer.person, subject.workflow_id)
            except UnknownPerson:
                continue
        return person_by_id


def _may_hear(person: Person, delivery: Delivery) -> bool:
    """Whether the person is notified now anyhow, or is awake; some mails may come at any hour."""
    if delivery.subject.urgent or any(notice.person == person.id or notice.wakes_others for notice in delivery.notices):
        return True
    return delivery.now is not None and by_day(person.tz).open_at(delivery.now)


def _accept(notice: NotificationOrder, reason: str | None = None, messages: Messages = ()) -> EndedNotice:
    accepted = NotificationOutcome.ACCEPTED
    return EndedNotice(notice=notice, messages=messages, channel=Channel.MAIL, outcome=accepted, why=reason)


def _to_co_signer(notice: NotificationOrder, request: str, person: str, *, has_phone: bool) -> NotificationOrder:
    """The notice of another signer whom the same mail reached; without a phone it is their reminder."""
    return notice.replace(
        key=alert_key(request, notice.stage, person, notice.person),
        stage=MAILED_ALONG if has_phone else REMINDED_ALONG,
        person=person,
    )


def _fail(due: MailDue, failure: ServiceFailure | DirectoryFailure | NotMailed) -> NoticeResult:
    notice, messages = due.notice, due.messages
    if isinstance(failure, OthersAsleep) and notice.movable:
        return PostponedNotice(notice=notice, messages=messages, why=failure.reason)
    if isinstance(failure, MailedRecently):
        return HeldNotice(notice=notice, messages=messages, held_back=failure.hold_back(notice))
    if isinstance(failure, DirectoryFailure):
        return fail_by_directory(notice, failure, messages=messages, channel=Channel.MAIL)
    if isinstance(failure, NotMailed):
        return _fail_for_good(due, failure.reason)
    fate = fate_of(failure).fate
    if fate not in OPEN_FATES:
        return _fail_for_good(due, FAILURE_REASONS[fate])
    reason, error = FAILURE_REASONS[fate], to_application_error(failure)
    return FailedNotice(notice=notice, messages=messages, channel=Channel.MAIL, why=reason, error=error)


def _fail_for_good(due: MailDue, reason: Reason) -> EndedNotice:
    failed = NotificationOutcome.FAILED
    return EndedNotice(notice=due.notice, messages=due.messages, channel=Channel.MAIL, outcome=failed, why=reason)
