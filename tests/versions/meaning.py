"""What a history promises, in a form that can be compared: each timer's length, each call's options and input.

A replay compares neither of them, so a changed duration or input passes it. Instants are told as offsets from the
start. Left out is what only this run could know, and defaults, which are pinned elsewhere (tests/golden/fields.json).
A value that was told before is told as `=`.
"""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from google.protobuf.duration_pb2 import Duration
from pydantic import BaseModel
from temporalio.api.common.v1 import Payloads
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHistory

from tests.golden.boundary import answers, questions
from workflows.model.hand_off import SettledRequest

_ROUGHLY = timedelta(minutes=1)
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_IN_A_SENTENCE = re.compile(r"[A-Z][a-z]{2} \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d UTC")
_OF_THIS_RUN = ("run_id", "first_run_id")
_PLAN = "plan_schedule"
_TOLD_AT_LENGTH = 40


def meaning(history: WorkflowHistory) -> str:
    """The promises of a history without a codec, in order, each a line of JSON."""
    start = history.events[0].event_time.ToDatetime(UTC)
    seen_texts: set[str] = set()
    promises = (_promise(event) for event in history.events)
    lines = [_plain(promise, start, seen_texts) for promise in promises if promise]
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


def _promise(event: HistoryEvent) -> dict[str, Any] | None:
    if event.HasField("timer_started_event_attributes"):
        return {"waits": event.timer_started_event_attributes.start_to_fire_timeout.ToTimedelta()}
    if event.HasField("activity_task_scheduled_event_attributes"):
        return _call(event)
    if event.HasField("marker_recorded_event_attributes"):
        planned = event.marker_recorded_event_attributes.details["result"]
        return {"plans": _first(planned, answers()[_PLAN])} if planned.payloads else None
    if event.HasField("workflow_execution_completed_event_attributes"):
        return {"ends": _first(event.workflow_execution_completed_event_attributes.result, SettledRequest)}
    return None


def _call(event: HistoryEvent) -> dict[str, Any]:
    call = event.activity_task_scheduled_event_attributes
    retries = call.retry_policy
    return {
        "asks": call.activity_type.name,
        "on": call.task_queue.name,
        "attempt": _seconds(call.start_to_close_timeout),
        "altogether": _seconds(call.schedule_to_close_timeout),
        "heartbeat": _seconds(call.heartbeat_timeout),
        "again": [
            _seconds(retries.initial_interval),
            retries.backoff_coefficient,
            _seconds(retries.maximum_interval),
            retries.maximum_attempts,
        ],
        "input": _first(call.input, questions()[call.activity_type.name]),
    }


def _first(payloads: Payloads, kind: type[BaseModel]) -> Any:
    value = kind.model_validate_json(payloads.payloads[0].data)
    return value.model_dump(mode="json", by_alias=True, exclude_defaults=True)


def _seconds(duration: Duration) -> float:
    return duration.ToTimedelta().total_seconds()


def _plain(value: Any, start: datetime, seen_texts: set[str]) -> Any:
    match value:
        case dict():
            return {
                name: _short(name, _plain(inner, start, seen_texts), seen_texts)
                for name, inner in value.items()
                if name not in _OF_THIS_RUN
            }
        case list():
            return [_plain(inner, start, seen_texts) for inner in value]
        case timedelta():
            return _roughly(value)
        case str() if _INSTANT.fullmatch(value):
            return "+" + _roughly(datetime.fromisoformat(value) - start)
        case str():
            return _IN_A_SENTENCE.sub("<an instant>", value)
        case _:
            return value


def _short(name: str, value: Any, seen_texts: set[str]) -> Any:
    text = json.dumps({name: value})
    if len(text) < _TOLD_AT_LENGTH:
        return value
    is_repeated = text in seen_texts
    seen_texts.add(text)
    return "=" if is_repeated else value


def _roughly(span: timedelta) -> str:
    return str(_ROUGHLY * round(span / _ROUGHLY))
