"""Histories of a workflow as events without payloads, each payload by a salted hash, and the payloads apart."""

import base64
import hashlib
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client
from temporalio.converter import DataConverter
from temporalio.service import RPCError

from activities.evidence.content import HISTORY, PAYLOADS, EventLine, KeptRun, PayloadLine, line, lines, salt, salted
from activities.temporal import executions
from activities.temporal.executions import about_the_workflow

RUNS_AT_MOST: Final = 100
"""Runs of one workflow whose histories are kept, the newest; the server bounds each to 50 MB."""
FORGOTTEN: Final = "Temporal has forgotten it"
TOO_MANY: Final = f"only the newest {RUNS_AT_MOST} are kept"
_NAMES: Final = ("signal_name", "marker_name", "attempt")
_NAMED: Final = ("activity_type", "workflow_type", "task_queue")
_TEXTS: Final = ("message", "stack_trace", "reason")
"""Texts of failures and of people, which are treated as payloads."""
_LOCAL: Final = "core_local_activity"


@dataclass(frozen=True)
class RunHistory:
    """One run; `events` is empty and `run.not_kept` says why where Temporal has none."""

    run: KeptRun
    parts: Mapping[str, bytes] = field(default_factory=dict)
    events: tuple[HistoryEvent, ...] = ()


@dataclass(frozen=True)
class HistoryEnd:
    """The event that scheduled this activity, in this run: nothing later is kept."""

    run_id: str
    activity_id: str

    def is_reached(self, run_id: str, event: HistoryEvent) -> bool:
        scheduled = event.activity_task_scheduled_event_attributes
        return run_id == self.run_id and scheduled.activity_id == self.activity_id


async def histories(client: Client, workflow_id: str, end: HistoryEnd) -> list[RunHistory]:
    """Of all runs that Temporal knows or that one of these follows, oldest first."""
    run_ids = [run.run_id async for run in _listed(client, workflow_id)]
    ids_to_read, events_by_run = list(dict.fromkeys([end.run_id, *run_ids])), dict[str, tuple[HistoryEvent, ...]]()
    for run_id in ids_to_read:  # Grows by those that one of them names.
        if len(events_by_run) == RUNS_AT_MOST:
            break
        events_by_run[run_id] = await _events(client, workflow_id, run_id, end)
        ids_to_read += [run_id for run_id in _list_earlier_runs(events_by_run[run_id]) if run_id not in ids_to_read]
    oldest_first = sorted(
        events_by_run,
        key=lambda run_id: events_by_run[run_id][0].event_time.ToNanoseconds() if events_by_run[run_id] else 0,
    )
    unread_runs = [
        RunHistory(KeptRun(run_id=run_id, not_kept=TOO_MANY)) for run_id in ids_to_read if run_id not in events_by_run
    ]
    read_runs = [
        await _keep_run(client.data_converter, n, run_id, events_by_run[run_id])
        for n, run_id in enumerate(oldest_first, 1)
    ]
    return [*unread_runs, *read_runs]


async def last_result(converter: DataConverter, runs: list[RunHistory], activity: str) -> bytes | None:
    """The last result of an activity of this name, local or not, as JSON; None without a readable one."""
    for history in reversed(runs):
        scheduled: set[int] = set()
        results: list[Payloads] = []
        for event in history.events:
            if event.activity_task_scheduled_event_attributes.activity_type.name == activity:
                scheduled.add(event.event_id)
            completed = event.activity_task_completed_event_attributes
            if completed.scheduled_event_id in scheduled:
                results.append(completed.result)
            marker = event.marker_recorded_event_attributes
            if marker.marker_name == _LOCAL and await _is_of(converter, marker.details["data"], activity):
                results.append(marker.details["result"])
        for result in reversed(results):
            if (data := await _decoded(converter, result)) is not None:
                return data
    return None


async def _listed(client: Client, workflow_id: str) -> AsyncIterator[executions.Run]:
    number = 0
    async for run in executions.listed(client, f'WorkflowId = "{workflow_id}"', page=RUNS_AT_MOST):
        yield run
        if (number := number + 1) == RUNS_AT_MOST:
            return


async def _events(client: Client, workflow_id: str, run_id: str, end: HistoryEnd) -> tuple[HistoryEvent, ...]:
    """Empty if Temporal has forgotten the run."""
    events = []
    try:
        async for event in client.get_workflow_handle(workflow_id, run_id=run_id).fetch_history_events():
            events.append(event)
            if end.is_reached(run_id, event):
                break
    except RPCError as error:
        if not about_the_workflow(error):
            raise
    return tuple(events)


def _list_earlier_runs(events: tuple[HistoryEvent, ...]) -> Iterator[str]:
    """The runs that this one names as its own past."""
    if events:
        began = events[0].workflow_execution_started_event_attributes
        original_id = began.original_execution_run_id
        yield from (
            run_id for run_id in (began.continued_execution_run_id, began.first_execution_run_id, original_id) if run_id
        )


async def _keep_run(converter: DataConverter, number: int, run_id: str, events: tuple[HistoryEvent, ...]) -> RunHistory:
    if not events:
        return RunHistory(KeptRun(run_id=run_id, not_kept=FORGOTTEN))
    event_lines, payloads, decoded = [], [], True
    for event in events:
        apart = [await _apart(converter, event.event_id, path, payload) for path, payload in _payloads(event)]
        payloads += [line(payload_line) for payload_line, _ in apart]
        decoded = decoded and all(payload_line.decoded for payload_line, _ in apart)
        event_lines.append(line(_event_line(event, {payload_line.place: sha256 for payload_line, sha256 in apart})))
    history, erasable = f"{HISTORY}-{number}", f"{PAYLOADS}-{number}"
    parts = {history: lines(event_lines), erasable: lines(payloads)}
    run = KeptRun(
        run_id=run_id,
        events=len(events),
        history=history,
        sha256=hashlib.sha256(parts[history]).hexdigest(),
        payloads=erasable,
        decoded=decoded,
    )
    return RunHistory(run, parts, events)


def _event_line(event: HistoryEvent, payloads: Mapping[str, str]) -> EventLine:
    name = EventType.Name(event.event_type) if event.event_type in EventType.values() else str(event.event_type)
    return EventLine(
        id=event.event_id,
        type=name.removeprefix("EVENT_TYPE_"),
        at=event.event_time.ToDatetime(UTC),
        ids={path: value for path, value in _scalars(event) if _is_id(path)},
        payloads=dict(payloads),
    )


async def _apart(converter: DataConverter, event: int, path: str, payload: Payload | str) -> tuple[PayloadLine, str]:
    """The line of a payload, and its hash."""
    random, decoded = salt(), True
    if isinstance(payload, str):
        encoding, data = "text", payload.encode()
    else:
        try:
            [payload] = await converter.payload_codec.decode([payload]) if converter.payload_codec else [payload]
        except Exception:  # Codecs raise what they like; a key that is gone must not cost the rest.
            decoded = False
        encoding, data = payload.metadata.get("encoding", b"").decode(errors="replace"), payload.data
    as_text = _text(data)
    return (
        PayloadLine(
            event=event,
            place=path,
            random=random.hex(),
            encoding=encoding,
            decoded=decoded,
            text=as_text,
            base64=base64.b64encode(data).decode() if as_text is None else None,
        ),
        salted(random, data),
    )


def _text(data: bytes) -> str | None:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


def _payloads(event: HistoryEvent) -> Iterator[tuple[str, Payload | str]]:
    """All payloads of an event, and its texts, each with its place."""
    for path, value in _leaves(event):
        if isinstance(value, Payload) or (isinstance(value, str) and value and path.rpartition(".")[2] in _TEXTS):
            yield path, value


def _scalars(event: HistoryEvent) -> Iterator[tuple[str, str | int]]:
    return ((path, value) for path, value in _leaves(event) if isinstance(value, str | int))


def _is_id(path: str) -> bool:
    """Whether it is an id, or a name that the code gives: nothing that a person has written."""
    *_, parent, name = ("", *path.split("."))
    return name.endswith("_id") or name in _NAMES or (name == "name" and parent in _NAMED)


def _leaves(event: HistoryEvent) -> Iterator[tuple[str, Payload | str | int]]:
    attribute = event.WhichOneof("attributes")
    if attribute is not None:
        yield from _list_leaves("", getattr(event, attribute))
    yield from _list_leaves("user_metadata", event.user_metadata)


def _list_leaves(path: str, message: Message) -> Iterator[tuple[str, Payload | str | int]]:
    for described, value in message.ListFields():
        yield from _of_field(f"{path}.{described.name}".lstrip("."), described, value)


def _of_field(path: str, described: FieldDescriptor, value: Any) -> Iterator[tuple[str, Payload | str | int]]:
    if isinstance(value, Payload):
        yield path, value
    elif isinstance(value, Message):
        yield from _list_leaves(path, value)
    elif isinstance(value, Mapping):
        for key in sorted(value):
            yield from _of_field(f"{path}.{key}", described, value[key])
    elif isinstance(value, str | int):
        if described.enum_type is None and not isinstance(value, bool):
            yield path, value
    elif not isinstance(value, bytes | float):
        for position, element in enumerate(value):
            yield from _of_field(f"{path}.{position}", described, element)


async def _is_of(converter: DataConverter, details: Payloads, activity: str) -> bool:
    data = await _decoded(converter, details)
    return data is not None and json.loads(data).get("activity_type") == activity


async def _decoded(converter: DataConverter, payloads: Payloads) -> bytes | None:
    try:
        [payload] = payloads.payloads
        [decoded] = await converter.payload_codec.decode([payload]) if converter.payload_codec else [payload]
    except Exception:  # As above.
        return None
    return bytes(decoded.data)
