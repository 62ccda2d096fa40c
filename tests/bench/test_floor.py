"""The floor is honest: it makes the same calls as the real workflow, to the byte, and what ours adds is counted."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.api.common.v1 import Payloads
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHistory
from temporalio.testing import WorkflowEnvironment

from starter.codec import data_converter
from tests.bench.contender import Contender, sign, start, workers_on
from tests.bench.history import NotAsAsked, actions, check
from tests.bench.stakeholders import REMINDED_AFTER
from tests.servers import time_skipping

_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")
_STAMP = re.compile(r"\w{3} \d\d \w{3} \d{4} \d\d:\d\d UTC")
_FOLLOW = "what the workflow asks of the world has changed: make floor.py ask the same, or the bench compares two jobs"
_TASKS = (
    EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED,
    EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED,
    EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED,
)


@dataclass(frozen=True)
class Both:
    """The histories of the same request by each contender."""

    ours: WorkflowHistory
    floor: WorkflowHistory


@pytest.fixture
async def both() -> Both:
    """Each contender's weeks on one time-skipping server, one after the other and under one id."""
    async with time_skipping(data_converter(())) as env, workers_on(env.client):
        return Both(await _lived(env, Contender.OURS), await _lived(env, Contender.FLOOR))


async def test_the_floor_makes_the_same_calls_with_the_same_inputs_results_and_summaries(both: Both) -> None:
    assert len(_calls(both.ours)) == 7
    assert _calls(both.floor) == _calls(both.ours), _FOLLOW
    assert _results(both.floor) == _results(both.ours), _FOLLOW


async def test_the_floor_starts_and_waits_with_the_same_words(both: Both) -> None:
    assert [words.split()[0] for words in _timers(both.ours)] == [
        '"reminder-1', '"reminder-2', '"reminder-3', '"escalation',
    ]  # fmt: skip
    assert _timers(both.floor) == _timers(both.ours), _FOLLOW
    assert _start(both.floor) == _start(both.ours), _FOLLOW


async def test_a_request_costs_at_most_sixteen_actions_of_which_two_are_for_being_legible(both: Both) -> None:
    more = _kinds(both.ours)
    more.subtract(_kinds(both.floor))
    assert {EventType.Name(kind): count for kind, count in more.items() if count} == {
        "EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES": 2
    }
    assert (actions(both.ours), actions(both.floor)) == (16, 14)


async def test_a_request_that_missed_a_timer_is_not_counted(both: Both) -> None:
    check(both.ours)
    fewer = [event for event in both.ours.events if event.event_type != EventType.EVENT_TYPE_TIMER_STARTED]
    with pytest.raises(NotAsAsked, match="0 timers and 7 activities instead of 4 and 7"):
        check(WorkflowHistory(both.ours.workflow_id, fewer))


async def _lived(env: WorkflowEnvironment, contender: Contender) -> WorkflowHistory:
    handle = await start(env.client, contender, "msa-0042")
    await env.sleep(REMINDED_AFTER)
    await sign(handle)
    await handle.result()
    return await handle.fetch_history()


def _calls(history: WorkflowHistory) -> list[tuple[str, str, str, str, str]]:
    called = [
        (event, event.activity_task_scheduled_event_attributes)
        for event in _of(history, EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED)
    ]
    return [
        (
            call.activity_type.name,
            call.task_queue.name,
            event.user_metadata.summary.data.decode(),
            f"{call.start_to_close_timeout}{call.schedule_to_close_timeout}{call.heartbeat_timeout}{call.retry_policy}",
            _plain(history, call.input),
        )
        for event, call in called
    ]


def _results(history: WorkflowHistory) -> list[str]:
    answered = _of(history, EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED)
    planned = _of(history, EventType.EVENT_TYPE_MARKER_RECORDED)
    ended = _of(history, EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED)
    results = [event.activity_task_completed_event_attributes.result for event in answered]
    results += [event.marker_recorded_event_attributes.details["result"] for event in planned]
    results += [event.workflow_execution_completed_event_attributes.result for event in ended]
    return [_plain(history, result) for result in results]


def _timers(history: WorkflowHistory) -> list[str]:
    return [event.user_metadata.summary.data.decode() for event in _of(history, EventType.EVENT_TYPE_TIMER_STARTED)]


def _start(history: WorkflowHistory) -> str:
    start = history.events[0].workflow_execution_started_event_attributes
    return f"{start.input}{start.memo}{start.search_attributes}{start.retry_policy}"


def _of(history: WorkflowHistory, kind: EventType.ValueType) -> Iterable[HistoryEvent]:
    return [event for event in history.events if event.event_type == kind]


def _kinds(history: WorkflowHistory) -> Counter[EventType.ValueType]:
    """Events by kind, without workflow tasks: how many of them there are is a matter of chance."""
    return Counter(event.event_type for event in history.events if event.event_type not in _TASKS)


def _plain(history: WorkflowHistory, payloads: Payloads) -> str:
    """The JSON as written: the run's id by name, instants as minutes since its start, those in words left out."""
    began = history.events[0].event_time.ToDatetime(UTC)
    text = "\n".join(payload.data.decode() for payload in payloads.payloads)
    text = _STAMP.sub("<then>", text.replace(history.run_id, "<run>"))
    return _INSTANT.sub(lambda at: f"{(datetime.fromisoformat(at[0]) - began) / timedelta(minutes=1):+.0f} min", text)
