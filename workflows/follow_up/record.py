"""Records of the hand-off: settled record, amendments, pages; batches of calls; replays. All depend on their input
alone, so that a repetition is byte-equal.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final

import workflows.follow_up.notification_types as notification_types
from workflows.follow_up.command_log import CommandLog
from workflows.follow_up.input import FollowUpInput
from workflows.follow_up.notification_types import NotificationType
from workflows.follow_up.notifications import notice_to
from workflows.follow_up.outbox import (
    Outbox,
    OutboxEntry,
    dead_of,
    escalation_of,
    is_subscriber,
    key_of,
    originals_and_newest,
    state_after,
    subscriber,
)
from workflows.follow_up.state import LifecycleState, State
from workflows.follow_up.view import dead_hand_offs, handed_off_entry, is_needless, stamp, told_entry, with_dead_targets
from workflows.model.commands import Replay
from workflows.model.evidence import KeptFiles
from workflows.model.hand_off import (
    AnyEnded,
    AnyEscalated,
    HandoffCall,
    HandoffLine,
    HandoffReport,
    HandoffResult,
    HandoffState,
    escalated_of,
)
from workflows.model.messages import Message
from workflows.model.notifications import LogPage, NoticeAction, Notification, NotificationOrder
from workflows.model.policy import Target
from workflows.model.records import Amendment, HandoffBatch, HandOffOrder, RecordedHandOff, SettledRecord
from workflows.model.rejections import Rejection, clipped, name_fault
from workflows.model.subject import Subject
from workflows.model.timeline import EscalationEntry, EventType, TimelineEntry
from workflows.model.views import AnyShow, Shown
from workflows.names import REPLAY

_NAMES_AT_MOST: Final = 300
"""Bytes."""


def settled_record(
    request: FollowUpInput, state: State, run_id: str, show: Callable[[State, datetime], Shown]
) -> SettledRecord | None:
    """None once written, or before the end. Its view is as of the settlement; results of the hand-off are
    amendments.
    """
    if state.lifecycle.recorded or state.lifecycle.settled_at is None:
        return None
    settled = state.paged(state.page).at_settlement()
    return SettledRecord(fingerprint=request.fingerprint, run_id=run_id, show=show(settled, state.lifecycle.settled_at))


def with_record(
    batch: HandoffBatch, record: SettledRecord, outbox: Outbox, escalated: tuple[Target, ...]
) -> HandoffBatch:
    """The batch with the record, of which a history has once what follows from the rest of the batch: its facts, its
    hand-off order, its files, and in its timeline who was told.
    """
    show, timeline = record.show, _without_told(record.show)
    if _with_told(show.replace(timeline=timeline)) == show.timeline:
        show = show.replace(timeline=timeline)
    if batch.settled and show.kept_files == batch.settled.kept_files:
        show = show.with_files(KeptFiles(), None)
    targets = outbox.targets if outbox.targets != _called_targets(batch) else ()
    return batch.replace(record=record.replace(show=show), targets=targets, escalated=escalated)


def complete_record(batch: HandoffBatch) -> HandoffBatch:
    """The batch with its whole record; idempotent."""
    record = batch.record
    if record is None or batch.settled is None:
        return batch
    order = HandOffOrder(
        subject=batch.subject,
        settled=batch.settled,
        document=batch.document,
        targets=batch.targets or _called_targets(batch),
        escalated=batch.escalated,
    )
    show = record.show.replace(timeline=_with_told(record.show))
    if show.kept_files == KeptFiles():
        show = show.with_files(batch.settled.kept_files, None)
    return batch.replace(record=record.replace(show=show, settled=batch.settled, hand_off=order))


def amendment(batch: HandoffBatch, report: HandoffReport, amended_at: datetime) -> Amendment:
    """What the results of `batch` change; a repeated batch replaces its own."""
    results = {result.target: result for result in report.results}
    calls_and_results = [(call, results.get(call.target.target)) for call in batch.calls]
    first_results = [
        (call, result) for call, result in calls_and_results if result is not None and not result.told_before
    ]
    return Amendment(
        number=batch.number,
        handoffs=tuple(
            HandoffLine(
                target=call.target.target,
                state=state_after(result, call.attempt),
                attempts=call.attempt - result.held,
                at=amended_at,
                why=result.why,
                key=key_of(call.target, batch.subject.reference),
                replay=call.replay,
                by=call.by,
            )
            for call, result in first_results
            if call.listed
        ),
        notifications=tuple(
            Notification(**dict(line), at=amended_at) for _, result in first_results for line in result.delivered
        ),
        subscribers=tuple(call.target.target for call, _ in first_results if is_subscriber(call.target)),
    )


def order_of(record: SettledRecord, later: Amendment) -> HandOffOrder | None:
    """The hand-off order of a record, with later subscribers and its escalations."""
    order = record.hand_off
    if order is None:
        return None
    targets = {target.target: target for target in (*order.targets, *map(subscriber, later.subscribers))}
    return order.replace(targets=tuple(targets.values()), escalations=record.show.escalations)


def joined(amendments: Iterable[Amendment]) -> Amendment:
    """Merged: of each target the original line and its newest replays."""
    handoffs: dict[tuple[str, int], HandoffLine] = {}
    notifications: dict[str, Notification] = {}
    subscribers: dict[str, None] = {}
    number = 0
    for amended_batch in amendments:
        number = amended_batch.number
        handoffs |= {(line.target, line.replay): line for line in amended_batch.handoffs}
        notifications |= {line.key: line for line in amended_batch.notifications}
        subscribers |= dict.fromkeys(amended_batch.subscribers)
    return Amendment(
        number=number,
        handoffs=originals_and_newest(tuple(handoffs.values())),
        notifications=tuple(notifications.values()),
        subscribers=tuple(subscribers),
    )


def completed(view: AnyShow, pages: Iterable[LogPage]) -> AnyShow:
    """With the lines and entries that were moved to the store."""
    remembered = {line.key for line in view.notifications}
    lines: dict[str, Notification] = {}
    timeline: dict[TimelineEntry, None] = {}
    for page in pages:
        lines |= {line.key: line for line in page.lines if line.key not in remembered}
        timeline |= dict.fromkeys(page.timeline)
    notification_entries = [told_entry(line) for line in lines.values() if not is_needless(line)]
    entries = dict.fromkeys([*timeline, *notification_entries, *view.timeline])
    return view.replace(
        notifications=(*lines.values(), *view.notifications),
        earlier=0,
        timeline=tuple(sorted(entries, key=lambda entry: entry.at)),
    )


def amended(view: AnyShow, later: Amendment) -> AnyShow:
    """The settled record's view with everything after settlement."""
    handoffs = {(line.target, line.replay): line for line in (*view.handoffs, *later.handoffs)}
    notifications = {line.key: line for line in (*view.notifications, *later.notifications)}
    happened = [handed_off_entry(line) for line in handoffs.values()]
    happened += [
        told_entry(line) for key, line in notifications.items() if key not in {n.key for n in view.notifications}
    ]
    return view.replace(
        handoffs=tuple(handoffs.values()),
        notifications=tuple(notifications.values()),
        timeline=tuple(sorted([*view.timeline, *happened], key=lambda entry: entry.at)),
        says=with_dead_targets(view.says, handoffs.values()),
        attention=dead_hand_offs(dead_of(handoffs.values())),
    )


def refuse(state: LifecycleState, command: Replay) -> Message | None:
    if fault := name_fault(command.actor) or name_fault(command.target, "--target"):
        return fault
    if not state.status.has_ended and command.target not in _last(state.outbox):
        return Rejection.NO_HAND_OFF_YET.to_message(subject=state.vocabulary.subject, status=state.status)
    return refuse_of(state.outbox, command)


def refuse_of(outbox: Outbox, command: Replay) -> Message | None:
    """By the outbox alone: a done target needs `again`, a pending one is waited for. A requested replay without an
    attempt serves later requests too.
    """
    last = _last(outbox)
    entry = last.get(command.target)
    if entry is None:
        names = clipped(", ".join(last), _NAMES_AT_MOST)
        return (Rejection.NO_TARGET if last else Rejection.NO_TARGETS).to_message(target=command.target, targets=names)
    if _is_asked_for(entry):
        return None
    if entry.state is HandoffState.PENDING:
        last_answer = f" ({entry.why})" if entry.why else ""
        return Rejection.BEING_TOLD.to_message(
            target=command.target, attempt=entry.attempts + 1, due=stamp(entry.due_at), why=last_answer
        )
    if entry.state is HandoffState.DONE and not command.again:
        return Rejection.TOLD_ALREADY.to_message(target=command.target, at=stamp(entry.at))
    return None


def refuse_closed(outbox: Outbox, command: Replay) -> Message | None:
    """The same once its run is closed."""
    entry = _last(outbox).get(command.target)
    if entry is not None and entry.target == Target(target=command.target):
        return Rejection.CANNOT_BE_TOLD.to_message(target=command.target)
    return refuse_of(outbox, command)


def ask(state: State, command: Replay, now: datetime) -> State:
    updated = state.replace(outbox=replayed(state.outbox, command, now))
    return updated.note(now, EventType.REPLAY_ASKED, command.target, None, sender=command.actor)


def replayed(outbox: Outbox, command: Replay, now: datetime) -> Outbox:
    """With a new line for the target; lines of earlier replays are stored and dropped."""
    last = _last(outbox)[command.target]
    if _is_asked_for(last):
        return outbox
    fresh = OutboxEntry(
        target=last.target,
        escalation=last.escalation,
        replay=last.replay + 1,
        by=command.attribution or command.actor,
        at=now,
        due_at=now,
    )
    remaining = tuple(entry for entry in outbox.entries if entry is not last or not entry.replay)
    return outbox.replace(entries=(*remaining, fresh))


def close_replays(operations: CommandLog, outbox: Outbox, results: tuple[HandoffResult, ...]) -> CommandLog:
    """After replays: done, or refused with the last answer."""
    attempted = {result.target for result in results}
    for entry in outbox.entries:
        name = entry.target.target
        if name not in attempted:
            continue
        if entry.replay and entry.state is HandoffState.DONE:
            operations = operations.mark_done(REPLAY, f"told {name}" + (f": {entry.why}" if entry.why else ""), name)
        elif entry.replay and entry.state is HandoffState.DEAD:
            refusal = Rejection.NOT_TOLD.to_message(target=name, answer=entry.why or "no answer")
            operations = operations.refused(REPLAY, refusal, name)
    return operations


def outbox_of(recalled: RecordedHandOff) -> Outbox:
    """From the record of a closed run; pending targets become dead."""
    order = recalled.order
    if order is None:
        return Outbox()
    targets = {target.target: target for target in (*order.targets, *_of_escalations(order, recalled.lines))}
    called_entries = [_given_up(targets.get(line.target), line) for line in recalled.lines]
    called_targets = {line.target for line in recalled.lines}
    never = [
        OutboxEntry(target=target, state=HandoffState.DEAD, at=order.settled.at)
        for name, target in targets.items()
        if name not in called_targets
    ]
    return Outbox(of=order.subject.reference, entries=(*called_entries, *never), batches=recalled.batches)


def hand_off_batch(subject: Subject, settled: AnyEnded | None, state: LifecycleState, now: datetime) -> HandoffBatch:
    """The calls due now; before the end (`settled` None) only those of escalations."""
    calls = tuple(
        call_of(entry).replace(escalated=_escalated(subject, state.escalated, entry.escalation))
        for entry in state.outbox.due(now)
    )
    return HandoffBatch(
        page=state.page,
        subject=subject,
        settled=settled,
        calls=calls,
        document=state.document_id,
        number=state.outbox.batches + 1,
        at=now,
        unrecorded=state.outbox.unrecorded,
    )


def batch_again(order: HandOffOrder, outbox: Outbox, now: datetime) -> HandoffBatch:
    """The calls due now of a replay from the record."""
    return HandoffBatch(
        subject=order.subject,
        settled=order.settled,
        calls=tuple(
            call_of(entry).replace(escalated=_escalated(order.subject, order.escalations, entry.escalation))
            for entry in outbox.due(now)
        ),
        document=order.document,
        number=outbox.batches + 1,
        at=now,
        unrecorded=outbox.unrecorded,
    )


def call_of(entry: OutboxEntry) -> HandoffCall:
    return HandoffCall(
        target=entry.target,
        stage=_stage_of(entry),
        attempt=entry.attempts + 1,
        replay=entry.replay,
        by=entry.by,
        missed=entry.missed,
        transient=entry.transient,
        reached=entry.reached,
        listed=not entry.notice,
    )


def notice_of_call(call: HandoffCall, subject: Subject) -> NotificationOrder | None:
    """What a target that is a person is told."""
    if call.target.person is None:
        return None
    news_stage = notification_types.news(call.escalated.number) if call.escalated else NotificationType.SETTLED
    action = NoticeAction.WITHDRAW if call.stage == NotificationType.WITHDRAWAL else NoticeAction.OPEN
    return notice_to(subject, call.stage or news_stage, call.target.person, action)


def page_batch(subject: Subject, settled: AnyEnded, state: LifecycleState) -> HandoffBatch:
    """A batch without calls that stores the next page."""
    return HandoffBatch(subject=subject, settled=settled, calls=(), page=state.page)


def handed_off(subject: Subject, state: State, results: tuple[HandoffResult, ...], now: datetime) -> State:
    """After the results; after the end the requester is notified once of dead targets."""
    updated = state.handed_off(results, now)
    updated = updated.replace(commands=close_replays(updated.commands, updated.outbox, results))
    if not updated.outbox.opened:
        return updated
    return updated.replace(outbox=updated.outbox.alerting(subject.requester, now))


def remembered(outbox: Outbox, batch: HandoffBatch, report: HandoffReport, now: datetime) -> Outbox:
    """With what the store did not take of this batch."""
    numbered = batch.replace(number=max(batch.number, report.number))
    lost = None if report.recorded else batch.unrecorded or amendment(numbered, report, now)
    # The next batch must not overwrite an amendment of an earlier hand-off of the same ending.
    outbox = outbox if outbox.batches >= report.number else outbox.replace(batches=report.number)
    return outbox if lost == outbox.unrecorded else outbox.replace(unrecorded=lost)


def unreached(batch: HandoffBatch, reason: str) -> HandoffReport:
    """The report of a batch that failed as a whole: one attempt per target."""
    results = tuple(HandoffResult(target=call.target.target, ok=False, why=reason) for call in batch.calls)
    return HandoffReport(results=results, recorded=False)


def targets_in_words(batch: HandoffBatch) -> str:
    """The called targets for the Web UI, about 200 characters at most."""
    names = ", ".join(call.target.target for call in batch.calls)
    return f"tell {names[:190]}" if names else "record who was told"


def _called_targets(batch: HandoffBatch) -> tuple[Target, ...]:
    """The targets of the ending among the calls."""
    return tuple(call.target for call in batch.calls if call.listed and call.escalated is None)


def _without_told(view: Shown) -> tuple[TimelineEntry, ...]:
    told_entries = frozenset(map(told_entry, view.notifications))
    return tuple(entry for entry in view.timeline if entry not in told_entries)


def _with_told(view: Shown) -> tuple[TimelineEntry, ...]:
    """The timeline with the entries of the notifications, if it has none of them: in the order of the views, in which
    escalations are last at their instant.
    """
    told_entries = [told_entry(line) for line in view.notifications if not is_needless(line)]
    if not told_entries or not frozenset(told_entries).isdisjoint(view.timeline):
        return view.timeline
    escalations = [entry for entry in view.timeline if entry.happened == EventType.ESCALATED]
    entries = [entry for entry in view.timeline if entry.happened != EventType.ESCALATED]
    return tuple(sorted([*entries, *told_entries, *escalations], key=lambda entry: entry.at))


def _of_escalations(order: HandOffOrder, lines: Sequence[HandoffLine]) -> Iterator[Target]:
    """Targets of those lines that are of a recorded escalation."""
    policy = {target.name: target for target in order.escalated}
    for line in lines:
        number, target = escalation_of(line.target), policy.get(Target(target=line.target).name)
        if target is not None and 0 < number <= len(order.escalations):
            yield target.of_escalation(number)


def _given_up(target: Target | None, line: HandoffLine) -> OutboxEntry:
    state = HandoffState.DEAD if line.state is HandoffState.PENDING else line.state
    return OutboxEntry(
        target=target or Target(target=line.target),
        state=state,
        attempts=line.attempts,
        at=line.at,
        why=line.why,
        replay=line.replay,
        by=line.by,
        escalation=escalation_of(line.target),
    )


def _is_asked_for(entry: OutboxEntry) -> bool:
    return entry.state is HandoffState.PENDING and entry.replay > 0 and entry.attempts == 0


def _last(outbox: Outbox) -> dict[str, OutboxEntry]:
    return {entry.target.target: entry for entry in outbox.entries if not entry.notice}


def _stage_of(entry: OutboxEntry) -> str:
    if entry.alert:
        return NotificationType.UNDELIVERED
    return NotificationType.WITHDRAWAL if entry.quiet else ""


def _escalated(subject: Subject, escalations: Sequence[EscalationEntry], number: int) -> AnyEscalated | None:
    """The facts of an escalation, equal at every attempt; None for number 0, the ending."""
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
    return escalated_of(subject.type).from_id(subject.id, **facts)
