"""Hand-off targets that are people or groups: notified by push, else by mail."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from temporalio.exceptions import ApplicationError

import workflows.follow_up.notification_types as stages
from activities.people.directory import Directory
from workflows.follow_up.notification_types import NotificationType
from workflows.follow_up.notifier import AT_MOST
from workflows.model.hand_off import EndedFacts, HandoffCall, HandoffResult, Told
from workflows.model.notifications import Delivery, DeliveryResult, NoticeAction, NotificationOrder, NotificationOutcome
from workflows.model.records import HandoffBatch
from workflows.model.schedule import Reason
from workflows.model.subject import Status, Subject, group_of
from workflows.names import notice_key
from workflows.ports import PushService

GROUP_AT_MOST: Final = 1_000
"""Members of a target group, with former members who were reached: all are remembered until everyone is notified."""
NOBODY: Final = "nobody_to_tell"
SEE_LOG: Final = "the notifications say why"
_TEMPORARY_REASONS: Final = (Reason.UNREACHABLE, Reason.UNAUTHORISED, Reason.PUSH_MISMATCH, Reason.DIRECTORY)


@dataclass(frozen=True)
class HandOffNotifier:
    """Notifies people and groups; `oncall` also hears that a target is dead."""

    push: PushService
    directory: Directory
    oncall: str = ""

    async def to_group(self, call: HandoffCall, group: str, batch: HandoffBatch, news: Told) -> HandoffResult:
        """Notify members not reached before. A large group takes several calls of one attempt; the last one has the
        result.
        """
        members = await self.directory.group(group)
        if size_refusal := too_many(len({*members, *call.reached})):
            return not_done(call, size_refusal, is_final=True)
        everyone = tuple(notice_of(batch.subject, person, news) for person in members)
        missing = tuple(notice for notice in everyone if notice.person not in call.reached)
        untried = tuple(notice for notice in missing if notice.person not in call.missed)
        batch_notices = untried[:AT_MOST]
        if not missing:
            return HandoffResult(target=call.target.target, ok=True)
        try:
            report = await self.push.deliver(_delivery(call, batch, batch_notices, _outcome(news)))
            result, open_notices = _pushed(call, report.delivered, report.retry_after), report.open_notices
        except ApplicationError as failure:
            result, open_notices = build_retryable_result(call, failure), ()
        if open_notices or len(untried) > len(batch_notices):
            return _to_be_continued(
                call, result, [notice for notice in batch_notices if notice.key not in open_notices]
            )
        told_before = len(everyone) - len(missing)
        return _note_partial_reach(_restore_transient_failure(call, result), len(everyone), told_before)

    async def alert_of_dead_target(
        self, call: HandoffCall, batch: HandoffBatch, news: Told, notice: NotificationOrder
    ) -> HandoffResult:
        """Notify the requester and the person on call that a target will never be reached."""
        people = dict.fromkeys(filter(None, (notice.person, self.oncall)))
        everyone = [
            notice.replace(person=person, key=notice_key(batch.subject.id, notice.stage, person)) for person in people
        ]
        missing = tuple(notice for notice in everyone if notice.person not in call.reached)
        if not missing:
            return HandoffResult(target=call.target.target, ok=True)
        return await self.notify(call, batch, news, missing)

    async def notify(
        self, call: HandoffCall, batch: HandoffBatch, news: Told, notices: tuple[NotificationOrder, ...]
    ) -> HandoffResult:
        """Notify these people."""
        outcome = None if notices[0].stage == NotificationType.UNDELIVERED else _outcome(news)
        notices = tuple(
            notice.replace(reached=call.reached) if group_of(notice.person) else notice for notice in notices
        )
        report = await self.push.deliver(_delivery(call, batch, notices, outcome))
        return _pushed(call, report.delivered, report.retry_after)


def too_many(member_count: int) -> str | None:
    """Why a group of this size is not notified, or None."""
    return (
        f"{member_count:,} members, and a target has at most {GROUP_AT_MOST:,}"
        if member_count > GROUP_AT_MOST
        else None
    )


def notice_of(subject: Subject, person: str, news: Told) -> NotificationOrder:
    """The notification for a target person or a member of a target group."""
    stage = NotificationType.SETTLED if isinstance(news, EndedFacts) else stages.news(news.number)
    return NotificationOrder(
        key=notice_key(subject.id, stage, person), stage=stage, person=person, action=NoticeAction.OPEN
    )


def build_retryable_result(call: HandoffCall, failure: ApplicationError) -> HandoffResult:
    """A retryable result for a target that an activity could not reach."""
    pause = failure.next_retry_delay or timedelta()
    return not_done(call, failure.message, retry_after=pause.total_seconds())


def not_done(call: HandoffCall, reason: str, *, is_final: bool = False, retry_after: float = 0) -> HandoffResult:
    """A failed result; `gone` is final, otherwise retried after `retry_after` seconds."""
    return HandoffResult(target=call.target.target, ok=False, gone=is_final, why=reason, retry_after=retry_after)


def _delivery(
    call: HandoffCall, batch: HandoffBatch, notices: tuple[NotificationOrder, ...], outcome: Status | None
) -> Delivery:
    return Delivery(
        subject=batch.subject,
        notices=notices,
        outcome=outcome,
        acted=batch.settled.acted if batch.settled and outcome else (),
        replay=call.replay,
        first_run_id=batch.first_run_id,
    )


def _outcome(news: Told) -> Status | None:
    return news.outcome if isinstance(news, EndedFacts) else None


def _pushed(call: HandoffCall, lines: Sequence[DeliveryResult], retry_after: float) -> HandoffResult:
    """Done when everyone with a phone was reached, or a withdrawal has nothing to remove."""
    target = call.target.target
    withdrawal = call.stage == NotificationType.WITHDRAWAL
    reached = withdrawal or any(line.outcome is NotificationOutcome.ACCEPTED for line in lines)
    missed = [
        line.why for line in lines if line.outcome not in (NotificationOutcome.ACCEPTED, NotificationOutcome.WITHDRAWN)
    ]
    passing = next((reason for reason in missed if reason in _TEMPORARY_REASONS), None)
    if passing:
        return HandoffResult(target=target, ok=False, why=passing, retry_after=retry_after, delivered=tuple(lines))
    reason = next(iter(missed), None if reached else NOBODY)
    return HandoffResult(target=target, ok=reached, gone=not reached, why=reason, delivered=tuple(lines))


def _to_be_continued(
    call: HandoffCall, result: HandoffResult, tried_notices: Sequence[NotificationOrder]
) -> HandoffResult:
    """The result of a call to part of a large group: whom it missed, and whether that is temporary."""
    told_people = {line.person for line in result.delivered if line.outcome is NotificationOutcome.ACCEPTED}
    missed = tuple(notice.person for notice in tried_notices if notice.person not in told_people)
    return result.replace(
        ok=False,
        gone=False,
        more=True,
        missed=(*call.missed, *missed),
        transient=call.transient or (None if result.ok or result.gone else result.why),
    )


def _restore_transient_failure(call: HandoffCall, result: HandoffResult) -> HandoffResult:
    """The result of an attempt's last call, with the members whom earlier calls missed."""
    if call.transient and (result.ok or result.gone):
        return result.replace(ok=False, gone=False, why=call.transient)
    return result


def _note_partial_reach(result: HandoffResult, member_count: int, told_before: int) -> HandoffResult:
    """The result for a group, with the number of members not reached; `told_before` were reached earlier."""
    told_count = told_before + sum(line.outcome is NotificationOutcome.ACCEPTED for line in result.delivered)
    if not told_count or told_count == member_count:
        return result
    return result.replace(
        partly=True, why=f"{member_count - told_count} of {member_count} not reached: {result.why or SEE_LOG}"
    )
