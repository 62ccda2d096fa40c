"""What the Web UI shows of whatever lives: search attributes and live details, written only when they change."""

from datetime import datetime, timedelta
from typing import Final

from temporalio import workflow
from temporalio.common import SearchAttributeKey, SearchAttributeUpdate

from workflows.follow_up.awaited import listed_people
from workflows.follow_up.handoff_lines import dead_lines
from workflows.follow_up.memory import FollowUpState
from workflows.model.planning import EscalationReason
from workflows.model.settlement import HandoffState
from workflows.model.views import FollowUpShow, WaitingFor
from workflows.names import DUE_AT, HANDOFF, PROBLEM, STAGE, STATUS, TURN_AT, WAITING_FOR

_NO_OTHER_INSTANT: Final = timedelta(minutes=1)


def stage_of(memory: FollowUpState) -> str:
    """The coarse stage for lists: `escalated` when somebody kept silent, `settled`, else what each kind calls it."""
    if memory.status.ended:
        return "settled"
    if any(entry.reason is EscalationReason.ESCALATION for entry in memory.escalations):
        return "escalated"
    return memory.phase


def trouble_code(shown: FollowUpShow) -> str | None:
    """The one word for lists: the problem, else what most needs somebody."""
    if shown.problem:
        return shown.problem.code
    return shown.attention[0].code if shown.attention else None


def untold(shown: FollowUpShow) -> HandoffState | None:
    """Before the end, whether a target will never hear of an escalation, or was tried in vain and waits."""
    if shown.status.ended:
        return None
    if dead_lines(shown.handoffs):
        return HandoffState.DEAD
    waits = any(line.state is HandoffState.PENDING and line.why for line in shown.handoffs)
    return HandoffState.PENDING if waits else None


def publish(memory: FollowUpState, shown: FollowUpShow, details: str) -> None:
    """Bring the details and the search attributes up to date; an upsert is an event and an action, so only changes."""
    workflow.set_current_details(details)
    updates = [
        *_keyword(STATUS, memory.current_status),
        *_keyword(STAGE, stage_of(memory)),
        *_keyword(PROBLEM, trouble_code(shown)),
        *_keyword(HANDOFF, untold(shown)),
        *_due(memory.due_at),
        *_turn(shown),
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


def _turn(shown: FollowUpShow) -> list[SearchAttributeUpdate]:  # type: ignore[type-arg]
    """Whose turn it is and since when, always together: one upsert a turn. Before all others whoever owes an answer."""
    asked = shown.question
    answers = (WaitingFor(person=shown.requester, since=asked.at),) if asked and shown.waiting_for else ()
    waiting = (*answers, *shown.waiting_for)
    people = listed_people(one.person for one in waiting)
    known = workflow.info().typed_search_attributes
    told, since = list(known.get(WAITING_FOR) or ()), min((one.since for one in waiting), default=None)
    if people == told and _is_about(known.get(TURN_AT), since):
        return []
    if since is None:
        return [WAITING_FOR.value_unset(), TURN_AT.value_unset()]
    return [WAITING_FOR.value_set(people), TURN_AT.value_set(since)]


def _is_about(known: datetime | None, since: datetime | None) -> bool:
    """Whether an instant is told already as people read it: what a start takes is not worth an upsert."""
    if known is None or since is None:
        return known is since
    return abs(known - since) < _NO_OTHER_INSTANT
