"""What the Web UI shows of a living request: search attributes and live details, written only when they change."""

from datetime import datetime

from temporalio import workflow
from temporalio.common import SearchAttributeKey, SearchAttributeUpdate

from workflows.model.planning import EscalationReason
from workflows.model.views import RequestShow
from workflows.names import DUE_AT, PROBLEM, STAGE, STATUS
from workflows.signature.progress import Progress
from workflows.signature.show import details


def stage_of(progress: Progress) -> str:
    """The coarse stage for lists: sending, signing, escalated (somebody kept silent), settled."""
    if progress.status.ended:
        return "settled"
    if any(entry.reason is EscalationReason.ESCALATION for entry in progress.escalations):
        return "escalated"
    return "signing" if progress.sent_at else "sending"


def trouble_code(shown: RequestShow) -> str | None:
    """The one word for lists: the problem, else what most needs somebody."""
    if shown.problem:
        return shown.problem.code
    return shown.attention[0].code if shown.attention else None


def publish(progress: Progress, shown: RequestShow) -> None:
    """Bring the details and the search attributes up to date; an upsert is an event and an action, so only changes."""
    workflow.set_current_details(details(shown))
    updates = [
        *_keyword(STATUS, progress.status),
        *_keyword(STAGE, stage_of(progress)),
        *_keyword(PROBLEM, trouble_code(shown)),
        *_due(progress.due_at),
    ]
    if updates:
        workflow.upsert_search_attributes(updates)


def _keyword(key: SearchAttributeKey[str], value: str | None) -> list[SearchAttributeUpdate]:  # type: ignore[type-arg]
    if workflow.info().typed_search_attributes.get(key) == value:
        return []
    return [key.value_set(value) if value is not None else key.value_unset()]


def _due(value: datetime | None) -> list[SearchAttributeUpdate]:  # type: ignore[type-arg]
    known = workflow.info().typed_search_attributes.get(DUE_AT)
    return [] if value is None or known == value else [DUE_AT.value_set(value)]
