"""Delivery reports: ledger lines from the outcomes of messages, and whether the delivery is retried."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import Final

from temporalio.exceptions import ApplicationError

from activities.http.client import ServiceFailure
from activities.notifications.phones import Messages
from activities.notifications.push_services import MessageFate, MessageResult, fate_of
from activities.notifications.signer_mail import NotMailed, OthersAsleep
from activities.people.directory import DirectoryAway, DirectoryFailure
from activities.temporal.failures import directory_failure, to_application_error
from workflows.follow_up.notification_types import MAILED_ALONG, REMINDED_ALONG, NotificationType
from workflows.model.notifications import (
    Channel,
    Delivered,
    DeliveryReport,
    DeviceOutcome,
    HeldBack,
    NoticeAction,
    NotificationOrder,
    NotificationOutcome,
    PostponedNotification,
)
from workflows.model.schedule import Reason
from workflows.model.signature import DocumentSeen
from workflows.names import alert_key


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
    why: Reason | None = None
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
        self, outcome: NotificationOutcome, why: Reason, trouble: ApplicationError | None = None
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
        """The line of the reminder ledger."""
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
