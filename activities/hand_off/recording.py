"""What a hand-off writes: page and record before anybody is told, results afterwards. Idempotent; raises
`StoreFailure`.
"""

from datetime import datetime

from temporalio import activity

from activities import metrics
from activities.errors import RecordConflict
from activities.people.directory import Directory, DirectoryFailure
from activities.people.ids import stands_in_full
from activities.records.facts import OutcomeFacts, last_to_act
from activities.records.store import Store
from activities.records.user_texts import apart, keep_page
from workflows.follow_up.notification_types import NotificationType, kind_of
from workflows.follow_up.record import amendment, completed
from workflows.model.hand_off import HandoffReport
from workflows.model.notifications import LogPage
from workflows.model.records import Amendment, HandoffBatch, SettledRecord
from workflows.model.schedule import EscalationReason
from workflows.model.subject import Status
from workflows.model.views import Shown


async def write_before(store: Store, batch: HandoffBatch, directory: Directory | None = None) -> OutcomeFacts | None:
    """Page, record and results that are not written yet; the facts of a record that is new. Without a directory they
    name no department.
    """
    workflow_id = batch.subject.workflow_id
    await keep_page(store, workflow_id, batch.page)
    first = await _write(store, workflow_id, batch.record, directory) if batch.record is not None else None
    if batch.unrecorded is not None:
        await _amend(store, workflow_id, batch.unrecorded)
    return first


def count_settled(view: Shown, facts: OutcomeFacts) -> None:
    """Count an ending whose record was written just now, for the first time."""
    kind, outcome = view.kind, view.status
    metrics.SETTLED.add(kind=kind, outcome=outcome)
    metrics.TIME_TO_END.record(facts.seconds, kind=kind, outcome=outcome)
    if outcome.fulfilled and facts.late:
        metrics.LATE_ENDINGS.add(kind=kind)
    for holder, seconds in (facts.waited or {}).items():
        metrics.WAITED.add(round(seconds), kind=kind, holder=holder)
    if facts.brought:
        metrics.ESCALATIONS_BROUGHT.add(kind=kind, by=facts.brought)
    if outcome is Status.SIGNED:
        effect = _strongest(view)
        metrics.SIGNED.add(kind=kind, after=effect)
        metrics.TIME_TO_SIGN.record(facts.seconds, kind=kind, after=effect)


async def write_results(store: Store, batch: HandoffBatch, report: HandoffReport, written_at: datetime) -> None:
    await _amend(store, batch.subject.workflow_id, amendment(batch, report, written_at))


def _strongest(view: Shown) -> metrics.Effect:
    if any(escalation.reason is EscalationReason.ESCALATION for escalation in view.escalations):
        return metrics.Effect.ESCALATION
    heard = {kind_of(notification.stage) for notification in view.notifications if notification.reached}
    if NotificationType.WARNING in heard:
        return metrics.Effect.WARNING
    reminded = view.earlier or heard & {NotificationType.REMINDER, NotificationType.SNOOZE, NotificationType.OVERDUE}
    return metrics.Effect.REMINDER if reminded else metrics.Effect.NOTHING


async def _write(
    store: Store, workflow_id: str, record: SettledRecord, directory: Directory | None
) -> OutcomeFacts | None:
    facts = await _facts(store, workflow_id, record, directory)
    stored_record = record.replace(show=await apart(store, workflow_id, record.show))
    try:
        first = await store.records.write(workflow_id, stored_record.model_dump_json(by_alias=True).encode(), facts)
    except RecordConflict as conflict:
        # Settled twice, as after a reset: the first record stays the truth, and an operator should look.
        activity.logger.error("settled record conflicts", extra={"says": str(conflict)})
        return None
    return facts if first else None


async def _facts(
    store: Store, workflow_id: str, record: SettledRecord, directory: Directory | None
) -> OutcomeFacts | None:
    """Of what has ended, with all its notices."""
    if record.settled is None:
        return None
    view: Shown = record.show
    if pages := await store.log_pages.read(workflow_id):
        view = completed(view, map(LogPage.model_validate_json, pages))
    last = last_to_act(view)
    department = await _department(directory, last.person) if directory and last else ""
    return OutcomeFacts.from_view(view, record.settled.at, department)


async def _department(directory: Directory, person: str) -> str:
    """Of somebody of the directory; empty for others, and while it gives no answer: the record does not wait for it."""
    if stands_in_full(person):
        return ""
    try:
        return (await directory.person(person)).department or ""
    except DirectoryFailure:
        return ""


async def _amend(store: Store, workflow_id: str, changed: Amendment) -> None:
    content = changed.model_dump_json(by_alias=True).encode()
    await store.records.amend(workflow_id, changed.number, content, changed.handoffs)
