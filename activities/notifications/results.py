"""What became of one notice, a type for each ending, and the report of a delivery."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from temporalio.exceptions import ApplicationError

from activities.notifications.push_services import MessageFate, MessageResult
from activities.people.directory import DirectoryAway, DirectoryFailure
from activities.temporal.failures import directory_failure, to_application_error
from workflows.model.notifications import (
    Channel,
    DeliveryReport,
    DeliveryResult,
    DeviceOutcome,
    HeldBack,
    NoticeAction,
    NotificationOrder,
    NotificationOutcome,
    PostponedNotification,
)
from workflows.model.schedule import Reason
from workflows.model.signature import ReportedDocument

FAILURE_REASONS: Final = {
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
OPEN_FATES: Final = (
    MessageFate.LATER,
    MessageFate.UNAUTHORISED,
    MessageFate.PLATFORM,
    MessageFate.MISMATCH,
    MessageFate.PENDING,
)
"""Worth another try."""
NEXT_TRY: Final = 5.0
"""Seconds until a retry if the service names no time."""
DELIVERED: Final = (NotificationOutcome.ACCEPTED, NotificationOutcome.WITHDRAWN)

Messages = tuple[tuple[str, MessageResult], ...]
"""The fate of one message per device or address, by its short hash."""


@dataclass(frozen=True, kw_only=True)
class NoticeResult:
    """A notice and the messages that were sent of it, whatever it ended with."""

    notice: NotificationOrder
    messages: Messages = ()
    channel: Channel = Channel.PUSH

    @property
    def line(self) -> DeliveryResult | None:
        """Its line in the notification log, None as long as it is to be sent later."""
        return None

    def to_line(self, outcome: NotificationOutcome, reason: str | None) -> DeliveryResult:
        return DeliveryResult(
            key=self.notice.key,
            stage=self.notice.stage,
            person=self.notice.person,
            channel=self.channel,
            outcome=outcome,
            why=reason,
            devices=device_outcomes(self.messages, self.notice),
        )

    @property
    def delivered(self) -> NotificationOutcome:
        return _delivered(self.notice)


@dataclass(frozen=True, kw_only=True)
class SentNotice(NoticeResult):
    """Ended as its messages did; without any, the person has no device."""

    @property
    def line(self) -> DeliveryResult:
        fates = {sent.fate for _, sent in self.messages}
        if MessageFate.ACCEPTED in fates:
            return self.to_line(self.delivered, None)
        reason = next((reason for fate, reason in FAILURE_REASONS.items() if fate in fates), None)
        if reason:
            return self.to_line(NotificationOutcome.FAILED, reason)
        return self.to_line(NotificationOutcome.SUPPRESSED, Reason.NO_DEVICE)


@dataclass(frozen=True, kw_only=True)
class MailDue(SentNotice):
    """No device has it for sure: Core Signature is to mail the signer."""


@dataclass(frozen=True, kw_only=True)
class EndedNotice(NoticeResult):
    """Ended with an outcome that its messages do not show."""

    outcome: NotificationOutcome
    why: str | None = None

    @property
    def line(self) -> DeliveryResult:
        return self.to_line(self.outcome, self.why)


@dataclass(frozen=True, kw_only=True)
class FailedNotice(NoticeResult):
    """An error prevented it; a temporary one is retried."""

    why: Reason
    error: ApplicationError

    @property
    def line(self) -> DeliveryResult:
        return self.to_line(NotificationOutcome.FAILED, self.why)

    @property
    def is_open(self) -> bool:
        return not self.error.non_retryable


@dataclass(frozen=True, kw_only=True)
class PostponedNotice(NoticeResult):
    """A planned notice that is planned anew."""

    why: Reason


@dataclass(frozen=True, kw_only=True)
class HeldNotice(NoticeResult):
    """Tried again when the bound that holds it back has room."""

    held_back: HeldBack


def device_outcomes(messages: Messages, notice: NotificationOrder) -> tuple[DeviceOutcome, ...]:
    return tuple(
        DeviceOutcome(
            device=device,
            outcome=_delivered(notice) if sent.fate is MessageFate.ACCEPTED else NotificationOutcome.FAILED,
        )
        for device, sent in messages
    )


def _delivered(notice: NotificationOrder) -> NotificationOutcome:
    """The outcome of a message that was accepted."""
    withdraws = notice.action is NoticeAction.WITHDRAW
    return NotificationOutcome.WITHDRAWN if withdraws else NotificationOutcome.ACCEPTED


def fail_by_directory(
    notice: NotificationOrder,
    failure: DirectoryFailure,
    *,
    messages: Messages = (),
    channel: Channel = Channel.PUSH,
) -> FailedNotice:
    reason = Reason.UNREACHABLE if isinstance(failure, DirectoryAway) else Reason.DIRECTORY
    return FailedNotice(notice=notice, messages=messages, channel=channel, why=reason, error=directory_failure(failure))


def build_report(
    results: Sequence[NoticeResult],
    document: ReportedDocument | None,
    unsent_notices: Sequence[NotificationOrder],
    *,
    stragglers: bool,
) -> DeliveryReport:
    """Raises `ApplicationError` if nothing was delivered and a retry could help. `unsent_notices` were not begun.
    Failures of `stragglers` are not raised.
    """
    lines = tuple(line for result in results if (line := result.line))
    failed = [result for result in results if isinstance(result, FailedNotice) and result.is_open]
    if not any(line.outcome in DELIVERED for line in lines):
        # A call that leaves notices open has notified somebody, so that repeated calls come to an end.
        _raise_worst(failed if stragglers else results)
    open_messages = [message for result in results for message in result.messages if message[1].fate in OPEN_FATES]
    waits = tuple(sent.wait or NEXT_TRY for _, sent in open_messages)
    return DeliveryReport(
        delivered=lines,
        open_devices=tuple(device for device, _ in open_messages),
        open_notices=tuple(notice.key for notice in (*unsent_notices, *(result.notice for result in failed))),
        waits=waits,
        retry_after=max(waits, default=0),
        seen=document,
        put_off=tuple(_to_postponed(result) for result in results if isinstance(result, PostponedNotice)),
        held=tuple(result.held_back for result in results if isinstance(result, HeldNotice)),
    )


def _raise_worst(results: Sequence[NoticeResult]) -> None:
    messages = [sent for result in results for _, sent in result.messages]
    errors = [to_application_error(sent.failure) for sent in messages if sent.fate in OPEN_FATES and sent.failure]
    errors += [result.error for result in results if isinstance(result, FailedNotice)]
    if errors:
        raise max(errors, key=lambda error: (error.non_retryable, error.next_retry_delay or timedelta()))


def _to_postponed(result: PostponedNotice) -> PostponedNotification:
    notice = result.notice
    return PostponedNotification(key=notice.key, stage=notice.stage, person=notice.person, why=result.why)
