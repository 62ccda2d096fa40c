"""The floor is honest: it asks as much of the world as the real workflow, and what ours adds is counted."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import ActivityTaskScheduledEventAttributes, HistoryEvent
from temporalio.client import WorkflowHistory
from temporalio.testing import WorkflowEnvironment

from starter.temporal.codec import data_converter
from tests.bench.contender import Contender, sign, start, workers_on
from tests.bench.history import NotAsAsked, actions, check
from tests.bench.stakeholders import REMINDED_AFTER
from tests.servers import time_skipping
from tests.workflows.fakes import SIGNED_PDF, SIGNING_LOG

_FOLLOW = "what the workflow asks of the world has changed: make floor.py ask the same, or the bench compares two jobs"
_TASKS = (
    EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED,
    EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED,
    EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED,
)


@dataclass(frozen=True)
class BothHistories:
    """The histories of the same request by each contender."""

    product: WorkflowHistory
    floor: WorkflowHistory


@pytest.fixture
async def histories() -> BothHistories:
    """Each contender's weeks on one time-skipping server, one after the other and under one id."""
    async with time_skipping(data_converter(())) as env, workers_on(env.client):
        return BothHistories(await _live_through(env, Contender.OURS), await _live_through(env, Contender.FLOOR))


async def test_the_floor_makes_as_many_calls_on_the_same_queues_with_the_same_patience(
    histories: BothHistories,
) -> None:
    assert len(_calls(histories.product)) == 8
    assert _calls(histories.floor) == _calls(histories.product), _FOLLOW


async def test_the_floor_waits_for_the_same_and_ends_alike(histories: BothHistories) -> None:
    assert _timers(histories.product) == ["reminder-1", "reminder-2", "reminder-3", "escalation"]
    assert _timers(histories.floor) == _timers(histories.product), _FOLLOW
    assert _start(histories.floor) == _start(histories.product), _FOLLOW


async def test_a_request_takes_at_most_23_kilobytes_and_2_1_times_the_floor(histories: BothHistories) -> None:
    """With a short id, and without what only the real server writes down of both: there it is 25 KB, 1.9 times the
    floor. How many workflow tasks each has is a matter of chance.
    """
    product_bytes, floor = _bytes(histories.product), _bytes(histories.floor)
    assert product_bytes <= 23 * 1024
    assert len(histories.product.events) <= 81
    assert max(event.ByteSize() for event in histories.product.events) <= 6_000
    assert product_bytes <= 2.1 * floor
    [reading] = [event for event in _scheduled(histories.product) if event.activity_type.name == "observe_document"]
    assert len(reading.input.payloads[0].data) <= 250, "a reading asks with ids"


@pytest.mark.long
async def test_a_request_costs_at_most_seventeen_actions_of_which_two_are_for_being_legible(
    histories: BothHistories,
) -> None:
    extra_events = _kinds(histories.product)
    extra_events.subtract(_kinds(histories.floor))
    assert {EventType.Name(kind): count for kind, count in extra_events.items() if count} == {
        "EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES": 2
    }
    assert (actions(histories.product), actions(histories.floor)) == (17, 15)


async def test_a_request_that_missed_a_timer_is_not_counted(histories: BothHistories) -> None:
    check(histories.product)
    fewer = [event for event in histories.product.events if event.event_type != EventType.EVENT_TYPE_TIMER_STARTED]
    with pytest.raises(NotAsAsked, match="0 timers and 8 activities instead of 4 and 8"):
        check(WorkflowHistory(histories.product.workflow_id, fewer))


async def _live_through(env: WorkflowEnvironment, contender: Contender) -> WorkflowHistory:
    handle = await start(env.client, contender, "msa-0042")
    await env.sleep(REMINDED_AFTER)
    await sign(handle)
    await handle.result()
    return await handle.fetch_history()


def _calls(history: WorkflowHistory) -> list[tuple[str, str]]:
    return [
        (
            call.task_queue.name,
            f"{call.start_to_close_timeout}{call.schedule_to_close_timeout}{call.heartbeat_timeout}{call.retry_policy}",
        )
        for call in _scheduled(history)
    ]


def _scheduled(history: WorkflowHistory) -> list[ActivityTaskScheduledEventAttributes]:
    scheduled = _select_events(history, EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED)
    return [event.activity_task_scheduled_event_attributes for event in scheduled]


def _timers(history: WorkflowHistory) -> list[str]:
    """The first word of what each timer waits for."""
    started = _select_events(history, EventType.EVENT_TYPE_TIMER_STARTED)
    return [json.loads(event.user_metadata.summary.data).split()[0] for event in started]


def _start(history: WorkflowHistory) -> str:
    start = history.events[0].workflow_execution_started_event_attributes
    return f"{start.memo}{start.search_attributes}{start.retry_policy}"


def _bytes(history: WorkflowHistory) -> int:
    return sum(event.ByteSize() for event in history.events)


def _select_events(history: WorkflowHistory, kind: EventType.ValueType) -> Iterable[HistoryEvent]:
    return [event for event in history.events if event.event_type == kind]


def _kinds(history: WorkflowHistory) -> Counter[EventType.ValueType]:
    """Events by kind, without workflow tasks: how many of them there are is a matter of chance."""
    return Counter(event.event_type for event in history.events if event.event_type not in _TASKS)


async def test_what_is_kept_costs_a_request_one_action_six_events_and_at_most_1_2_kilobytes(
    histories: BothHistories,
) -> None:
    [order] = [event for event in histories.product.events if _named(event) == "keep_evidence"]
    [answer] = [event for event in histories.product.events if _completes(event) == order.event_id]
    last = len(histories.product.events)
    between = [
        event
        for event in histories.product.events
        if order.event_id <= event.event_id <= min(answer.event_id + 3, last)
    ]
    assert len(between) == 6
    result_bytes = sum(len(value) for value in (SIGNED_PDF.model_dump_json(), SIGNING_LOG.model_dump_json())) + 40
    assert sum(event.ByteSize() for event in between) + 2 * result_bytes <= 1_200, (
        "its own events, the hand-off and the result"
    )


def _named(event: HistoryEvent) -> str:
    return event.activity_task_scheduled_event_attributes.activity_type.name


def _completes(event: HistoryEvent) -> int:
    return event.activity_task_completed_event_attributes.scheduled_event_id
