"""What a hand-off writes: page and record before anybody is told, results afterwards. Idempotent; raises
`StoreFailure`.
"""

from contextlib import suppress
from datetime import datetime

from temporalio import activity

from activities.errors import RecordConflict, StoreFailure
from activities.metrics import SETTLED, SIGNED, TIME_TO_SIGN, Effect
from activities.records.store import Store
from activities.records.user_texts import apart, keep_page
from workflows.follow_up.notification_types import NotificationType, kind_of
from workflows.follow_up.record import amendment
from workflows.model.hand_off import HandoffReport
from workflows.model.records import Amendment, HandoffBatch, SettledRecord
from workflows.model.schedule import EscalationReason
from workflows.model.subject import Status, Subject
from workflows.model.views import Shown


async def write_before(store: Store, batch: HandoffBatch) -> bool:
    """Page, record and results that are not written yet; whether the record is new."""
    workflow_id = batch.subject.workflow_id
    await keep_page(store, workflow_id, batch.page)
    first = batch.record is not None and await _write(store, workflow_id, batch.record)
    if batch.unrecorded is not None:
        await _amend(store, workflow_id, batch.unrecorded)
    return first


async def count_settled(store: Store, shown: Shown, subject: Subject) -> None:
    """Count an ending whose record was written just now, for the first time."""
    SETTLED.add(kind=subject.kind, outcome=shown.status)
    if shown.status is not Status.SIGNED:
        return
    after = _strongest(shown)
    SIGNED.add(kind=subject.kind, after=after)
    with suppress(StoreFailure):
        began = await store.starts.started_at(subject.workflow_id)
        ended = max((line.at for line in shown.lines if line.at), default=None)
        if began and ended:
            TIME_TO_SIGN.record((ended - began).total_seconds(), kind=subject.kind, after=after)


def _strongest(shown: Shown) -> Effect:
    if any(one.reason is EscalationReason.ESCALATION for one in shown.escalations):
        return Effect.ESCALATION
    heard = {kind_of(one.stage) for one in shown.notifications if one.reached}
    if NotificationType.WARNING in heard:
        return Effect.WARNING
    reminded = shown.earlier or heard & {NotificationType.REMINDER, NotificationType.SNOOZE, NotificationType.OVERDUE}
    return Effect.REMINDER if reminded else Effect.NOTHING


async def write_results(store: Store, batch: HandoffBatch, report: HandoffReport, at: datetime) -> None:
    await _amend(store, batch.subject.workflow_id, amendment(batch, report, at))


async def _write(store: Store, workflow_id: str, record: SettledRecord) -> bool:
    kept = record.replace(show=await apart(store, workflow_id, record.show))
    try:
        return await store.records.write(workflow_id, kept.model_dump_json(by_alias=True).encode())
    except RecordConflict as conflict:
        # Settled twice, as after a reset: the first record stays the truth, and an operator should look.
        activity.logger.error("settled record conflicts", extra={"says": str(conflict)})
        return False


async def _amend(store: Store, workflow_id: str, changed: Amendment) -> None:
    content = changed.model_dump_json(by_alias=True).encode()
    await store.records.amend(workflow_id, changed.number, content, changed.handoffs)
