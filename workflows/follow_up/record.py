"""What is kept beyond Temporal's memory: the settled record, an amendment for each hand-off batch, and pages.

They are made from their input alone, so that a repetition is equal to the byte.
"""

from collections.abc import Callable, Iterable
from datetime import datetime

from workflows.follow_up.attention import dead_hand_offs
from workflows.follow_up.handoff import Outbox, is_subscriber, key_of, state_after, subscriber
from workflows.follow_up.handoff_lines import dead_lines, dead_of, originals_and_newest
from workflows.follow_up.inputs import FollowUpInput
from workflows.follow_up.memory import State
from workflows.follow_up.show import handed_off_entry, is_needless, told_entry, with_dead_targets
from workflows.model.entries import TimelineEntry
from workflows.model.notices import LogPage, Notification
from workflows.model.records import Amendment, DeadHandOffs, HandoffBatch, HandOffOrder, SettledRecord
from workflows.model.settlement import HandoffLine, HandoffReport
from workflows.model.views import AnyShow, Shown


def settled_record(
    request: FollowUpInput, memory: State, run_id: str, show: Callable[[State, datetime], Shown]
) -> SettledRecord | None:
    """The record of what is remembered at settlement, until it has been written.

    Shown at that instant, so that making it again changes nothing; what becomes of the hand-off is in the amendments.
    """
    if memory.recorded or memory.settled_at is None:
        return None
    settled = memory.paged(memory.page).replace(handoff=Outbox())
    return SettledRecord(fingerprint=request.fingerprint, run_id=run_id, show=show(settled, memory.settled_at))


def amendment(batch: HandoffBatch, report: HandoffReport, at: datetime) -> Amendment:
    """What the results of `batch` change; a repeated batch replaces its own amendment."""
    results = {result.target: result for result in report.results}
    found = [(call, results.get(call.target.target)) for call in batch.calls]
    told = [(call, result) for call, result in found if result is not None and not result.before]
    return Amendment(
        number=batch.number,
        handoffs=tuple(
            HandoffLine(
                target=call.target.target,
                state=state_after(result, call.attempt),
                attempts=call.attempt - result.held,
                at=at,
                why=result.why,
                key=key_of(call.target, batch.subject.reference),
                replay=call.replay,
                by=call.by,
            )
            for call, result in told
            if call.listed
        ),
        notifications=tuple(Notification(**dict(line), at=at) for _, result in told for line in result.delivered),
        subscribers=tuple(call.target.target for call, _ in told if is_subscriber(call.target)),
    )


def dead_after(batch: HandoffBatch, lines: Iterable[HandoffLine]) -> DeadHandOffs | None:
    """The request's entry in the index of dead hand-offs, None when the lines of this batch have changed nothing of it.

    One without hand-offs is none any more: everyone has been told.
    """
    dead = dead_lines((*batch.dead, *lines))
    # What was dead before the end is noted with the record; until then its own list of open requests names it.
    if dead == batch.dead and (batch.record is None or not dead):
        return None
    return dead_before(batch.replace(dead=dead))


def dead_before(batch: HandoffBatch) -> DeadHandOffs | None:
    """The same entry as it was to be before this batch; None before the end."""
    if batch.settled is None:
        return None
    brief = batch.subject
    return DeadHandOffs(id=brief.id, kind=brief.kind, status=batch.settled.outcome, handoffs=batch.dead)


def order_of(record: SettledRecord, later: Amendment) -> HandOffOrder | None:
    """What a replay needs, with whoever subscribed after the record was written, and what escalations were."""
    order = record.hand_off
    if order is None:
        return None
    targets = {target.target: target for target in (*order.targets, *map(subscriber, later.subscribers))}
    return order.replace(targets=tuple(targets.values()), escalations=record.show.escalations)


def joined(amendments: Iterable[Amendment]) -> Amendment:
    """What they say together, in their order: of each target the original line and the newest of its replays."""
    handoffs: dict[tuple[str, int], HandoffLine] = {}
    notifications: dict[str, Notification] = {}
    subscribers: dict[str, None] = {}
    number = 0
    for one in amendments:
        number = one.number
        handoffs |= {(line.target, line.replay): line for line in one.handoffs}
        notifications |= {line.key: line for line in one.notifications}
        subscribers |= dict.fromkeys(one.subscribers)
    return Amendment(
        number=number,
        handoffs=originals_and_newest(tuple(handoffs.values())),
        notifications=tuple(notifications.values()),
        subscribers=tuple(subscribers),
    )


def completed(shown: AnyShow, pages: Iterable[LogPage]) -> AnyShow:
    """The answer with all that the request had forgotten."""
    remembered = {line.key for line in shown.notifications}
    lines: dict[str, Notification] = {}
    timeline: dict[TimelineEntry, None] = {}
    for page in pages:
        lines |= {line.key: line for line in page.lines if line.key not in remembered}
        timeline |= dict.fromkeys(page.timeline)
    told = [told_entry(line) for line in lines.values() if not is_needless(line)]
    entries = dict.fromkeys([*timeline, *told, *shown.timeline])
    return shown.replace(
        notifications=(*lines.values(), *shown.notifications),
        earlier=0,
        timeline=tuple(sorted(entries, key=lambda entry: entry.at)),
    )


def amended(shown: AnyShow, later: Amendment) -> AnyShow:
    """The settled record's answer with everything that happened after settlement."""
    handoffs = {(line.target, line.replay): line for line in (*shown.handoffs, *later.handoffs)}
    notifications = {line.key: line for line in (*shown.notifications, *later.notifications)}
    happened = [handed_off_entry(line) for line in handoffs.values()]
    happened += [
        told_entry(line) for key, line in notifications.items() if key not in {n.key for n in shown.notifications}
    ]
    return shown.replace(
        handoffs=tuple(handoffs.values()),
        notifications=tuple(notifications.values()),
        timeline=tuple(sorted([*shown.timeline, *happened], key=lambda entry: entry.at)),
        says=with_dead_targets(shown.says, handoffs.values()),
        attention=dead_hand_offs(dead_of(handoffs.values())),
    )
