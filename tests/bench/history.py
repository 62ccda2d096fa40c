"""What the server wrote down of a request: events, bytes, and the actions it would be billed for."""

from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHandle, WorkflowHistory

ACTIONS: Final = frozenset(
    {
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED,
        EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED,
        EventType.EVENT_TYPE_TIMER_STARTED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED,
        EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES,
        EventType.EVENT_TYPE_MARKER_RECORDED,
    }
)
_OF_MOVED_CLOCKS: Final = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIME_SKIPPING_TRANSITIONED


@dataclass(frozen=True)
class HistorySize:
    """One closed request as the server keeps it, without what only the bench's moving of its clock wrote.

    `size` is in bytes.
    """

    actions: int
    events: int
    size: int


class NotAsAsked(Exception):
    """A request did less or more than the bench asks of it; its figures would compare different things."""


async def read_history_size(handle: WorkflowHandle[Any, Any], calls: int = 8) -> HistorySize:
    """Read what one request left behind; `NotAsAsked` when a reminder or the armed escalation is missing in it."""
    history = await handle.fetch_history()
    check(history, calls)
    counted_events = [event for event in history.events if event.event_type != _OF_MOVED_CLOCKS]
    return HistorySize(
        actions=actions(history), events=len(counted_events), size=sum(event.ByteSize() for event in counted_events)
    )


def actions(history: WorkflowHistory) -> int:
    """Start, activities, timers, signals, updates, upserts and local-activity markers."""
    return sum(event.event_type in ACTIONS for event in history.events)


def check(history: WorkflowHistory, expected: int = 8) -> None:
    """Raise `NotAsAsked` unless each of the three reminders went out and the escalation was armed."""
    count = Counter(event.event_type for event in history.events)
    timers = count[EventType.EVENT_TYPE_TIMER_STARTED]
    calls = count[EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED]
    if (timers, calls) != (4, expected):
        expectation = f"4 and {expected}"
        raise NotAsAsked(f"{history.workflow_id} has {timers} timers and {calls} activities instead of {expectation}")
