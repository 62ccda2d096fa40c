"""The batches of the hand-off: which calls are due, with what key, and what became of them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import workflows.follow_up.stages as stages
from workflows.follow_up.handoff import Outbox, OutboxEntry
from workflows.follow_up.handoff_lines import dead_lines
from workflows.follow_up.memory import FollowUpState, State
from workflows.follow_up.notices import notice_to
from workflows.follow_up.record import amendment
from workflows.follow_up.replay import over
from workflows.follow_up.stages import NotificationType
from workflows.kinds import Kind
from workflows.model.entries import EscalationEntry
from workflows.model.notices import NoticeAction, NotificationOrder
from workflows.model.records import HandoffBatch, HandOffOrder
from workflows.model.settlement import (
    AnyEnded,
    AnyEscalated,
    EscalatedRequest,
    EscalatedTask,
    HandoffCall,
    HandoffReport,
    HandoffResult,
)
from workflows.model.subject import Subject


def hand_off_batch(subject: Subject, settled: AnyEnded | None, memory: FollowUpState, now: datetime) -> HandoffBatch:
    """The calls that are due now; before the end, when nothing is `settled`, they are of escalations alone."""
    calls = tuple(
        call_of(entry, subject).replace(escalated=_escalated(subject, memory.escalations, entry.escalation))
        for entry in memory.handoff.due(now)
    )
    return HandoffBatch(
        page=memory.page,
        subject=subject,
        settled=settled,
        calls=calls,
        document=memory.document,
        number=memory.handoff.batches + 1,
        at=now,
        dead=dead_lines(memory.handoff.lines),
        unrecorded=memory.handoff.unrecorded,
    )


def batch_again(order: HandOffOrder, ledger: Outbox, now: datetime) -> HandoffBatch:
    """The calls that are due now of what is handed off once more from its record."""
    return HandoffBatch(
        subject=order.subject,
        settled=order.settled,
        calls=tuple(
            call_of(entry, order.subject).replace(
                escalated=_escalated(order.subject, order.escalations, entry.escalation)
            )
            for entry in ledger.due(now)
        ),
        document=order.document,
        number=ledger.batches + 1,
        at=now,
        dead=dead_lines(ledger.lines),
        unrecorded=ledger.unrecorded,
    )


def call_of(entry: OutboxEntry, subject: Subject) -> HandoffCall:
    """The call of a line, by the line alone."""
    return HandoffCall(
        target=entry.target,
        notice=_notice_of(entry, subject),
        attempt=entry.attempts + 1,
        replay=entry.replay,
        by=entry.by,
        missed=entry.missed,
        passing=entry.passing,
        reached=entry.reached,
        listed=not entry.notice,
    )


def page_batch(subject: Subject, settled: AnyEnded, memory: FollowUpState) -> HandoffBatch:
    """A batch that tells nobody, and brings the next page to the store."""
    return HandoffBatch(subject=subject, settled=settled, calls=(), page=memory.page)


def handed_off(subject: Subject, memory: State, results: tuple[HandoffResult, ...], now: datetime) -> State:
    """What became of targets, written down; after the end the requester is to be told, once, that one is dead."""
    known = memory.handed_off(results, now)
    known = known.replace(operations=over(known.operations, known.handoff, results))
    if not known.handoff.opened:
        return known
    return known.replace(handoff=known.handoff.alerting(subject.requester, now))


def remembered(ledger: Outbox, batch: HandoffBatch, report: HandoffReport, now: datetime) -> Outbox:
    """The ledger with what the store did not take of this batch; of one that reached nobody, what it was to bring."""
    numbered = batch.replace(number=max(batch.number, report.number))
    lost = None if report.recorded else batch.unrecorded or amendment(numbered, report, now)
    # The next batch amends over none that an earlier hand-off of the same ending has.
    ledger = ledger if ledger.batches >= report.number else ledger.replace(batches=report.number)
    return ledger if lost == ledger.unrecorded else ledger.replace(unrecorded=lost)


def unreached(batch: HandoffBatch, why: str) -> HandoffReport:
    """The report of a batch that could not be called at all: an attempt of each target."""
    results = tuple(HandoffResult(target=call.target.target, ok=False, why=why) for call in batch.calls)
    return HandoffReport(results=results, recorded=False)


def targets_in_words(batch: HandoffBatch) -> str:
    """Which targets are called, for the Web UI; about 200 characters at most."""
    names = ", ".join(call.target.target for call in batch.calls)
    return f"tell {names[:190]}" if names else "record who was told"


def _notice_of(entry: OutboxEntry, subject: Subject) -> NotificationOrder | None:
    if entry.target.person is None:
        return None
    if entry.alert:
        return notice_to(subject, NotificationType.UNDELIVERED, entry.target.person, NoticeAction.OPEN)
    stage, action = (
        (NotificationType.WITHDRAWAL, NoticeAction.WITHDRAW) if entry.quiet else (_stage_of(entry), NoticeAction.OPEN)
    )
    return notice_to(subject, stage, entry.target.person, action)


def _stage_of(entry: OutboxEntry) -> str:
    return stages.news(entry.escalation) if entry.escalation else NotificationType.SETTLED


def _escalated(subject: Subject, escalations: Sequence[EscalationEntry], number: int) -> AnyEscalated | None:
    """What a target hears of an escalation, at every attempt the same; None of the ending, which is number 0."""
    if not number:
        return None
    entry = escalations[number - 1]
    facts: dict[str, Any] = {
        "kind": subject.kind,
        "at": entry.at,
        "number": number,
        "person": entry.from_,
        "to": entry.to,
        "reason": entry.reason,
    }
    if subject.type is Kind.REQUEST:
        return EscalatedRequest(request=subject.id, external_id=subject.id, **facts)
    return EscalatedTask(task=subject.id, **facts)
