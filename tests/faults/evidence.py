"""What is known after a run: the sandbox's ledger, and of each workflow its history and its own word."""

import asyncio
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Final, NamedTuple

import httpx
from temporalio.api.enums.v1 import EventType, WorkflowTaskFailedCause
from temporalio.api.history.v1 import ActivityTaskScheduledEventAttributes, HistoryEvent
from temporalio.client import Client, WorkflowExecutionStatus

from activities.records.outcomes import MemberOutcome
from activities.temporal import executions as runs
from activities.temporal.executions import RunStatus
from starter.queries import campaign as composed
from tests.faults.population import TITLE
from tests.faults.town import RECEIVER, WORKER, Town
from tests.faults.vendor import Entry
from workflows.follow_up.record import notice_of_call
from workflows.kinds import Kind, WorkflowName, named
from workflows.model.notifications import Delivery, NotificationOrder
from workflows.model.records import HandoffBatch
from workflows.model.signature import ProviderEvent
from workflows.model.views import CampaignShow, OnboardingShow, RequestShow
from workflows.names import PARENT, PROVIDER_EVENT, SHOW, SIGNATURE_REQUEST

_AT_ONCE: Final = 10
_CLOSING: Final = (
    EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED,
    EventType.EVENT_TYPE_ACTIVITY_TASK_FAILED,
    EventType.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT,
    EventType.EVENT_TYPE_ACTIVITY_TASK_CANCELED,
)
_TIMER_OVER: Final = (EventType.EVENT_TYPE_TIMER_FIRED, EventType.EVENT_TYPE_TIMER_CANCELED)
_BENIGN: Final = (
    # News came while the last task ran, so it is done again: how Temporal loses no signal.
    WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND,
    # What a dead server leaves behind.
    WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_FAILOVER_CLOSE_COMMAND,
    WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_FORCE_CLOSE_COMMAND,
)


@dataclass
class Call:
    """One activity of a history, decided on when the workflow task began that asked for it.

    `attempts` are those that were really started, as far as the history tells.
    """

    name: str
    notices: tuple[NotificationOrder, ...]
    decided: datetime
    attempts: int = 1
    closed: bool = False


class Fired(NamedTuple):
    """A timer that is over: for when it was set, and when it was over."""

    due: datetime
    at: datetime


@dataclass(frozen=True)
class RequestEvidence:
    """One request as Temporal tells it."""

    request: str
    run_id: str
    status: WorkflowExecutionStatus | None
    view: RequestShow
    calls: tuple[Call, ...]
    failed_tasks: tuple[str, ...] = ()
    busy: bool = False
    timers: int = 0
    """Begun, and neither over nor taken back."""
    fired: tuple[Fired, ...] = ()
    closed: datetime | None = None
    heard: frozenset[str] | None = None
    """The events it was told of; None where an earlier run of it was told as well."""


@dataclass(frozen=True)
class PartRun:
    """A workflow of an onboarding, as often as it was begun: a run that only goes on in a fresh history is none."""

    workflow: str
    started: datetime


@dataclass(frozen=True)
class OnboardingEvidence:
    """One onboarding as Temporal tells it, with the workflows that were begun for it."""

    view: OnboardingShow
    parts: tuple[PartRun, ...]
    calls: tuple[Call, ...]
    ended_at: datetime
    ledger: tuple[Entry, ...] = field(repr=False, default=())

    @property
    def request(self) -> str:
        """What phones know it by."""
        return WorkflowName(Kind.ONBOARDING, self.view.id).reference

    @property
    def customers(self) -> tuple[str, ...]:
        """Those who are the customer's."""
        return (self.view.customer, *self.view.colleagues)

    def pushes(self, *requests: str) -> list[Entry]:
        """What phones took about these, or about the onboarding and all its parts."""
        return [
            entry
            for entry in self.ledger
            if entry["type"] == "push" and _request_of_entry(entry) in (requests or self._all)
        ]

    @property
    def _all(self) -> tuple[str, ...]:
        references = (named(part.workflow) for part in self.parts)
        return (self.request, *(reference.reference for reference in references if reference))


@dataclass(frozen=True)
class CampaignEvidence:
    """One campaign as Temporal and its record tell it, the workflows that were begun for it, and what died meanwhile.

    `waiting` are those of its requests that have not ended. The ledger has what is about it and its requests alone.
    """

    view: CampaignShow
    lines: tuple[MemberOutcome, ...]
    runs: tuple[PartRun, ...]
    waiting: frozenset[str] = frozenset()
    calls: tuple[Call, ...] = ()
    failed_tasks: tuple[str, ...] = ()
    kills: int = 0
    ledger: tuple[Entry, ...] = field(repr=False, default=())

    @property
    def ended_at(self) -> datetime | None:
        """When it came to its end, None while it goes on."""
        ends = (entry.at for entry in reversed(self.view.timeline) if entry.what == self.view.status)
        return next(ends, None) if self.view.status.has_ended else None

    def entries_by_request(self, entry_type: str) -> dict[str, list[Entry]]:
        """The entries of one type, by the request they are about."""
        entries_by_id: dict[str, list[Entry]] = {}
        for entry in self.ledger:
            if entry["type"] == entry_type:
                entries_by_id.setdefault(_request_of_entry(entry) or "", []).append(entry)
        return entries_by_id


@dataclass(frozen=True)
class Evidence:
    """`acknowledged` are the starts that were confirmed: request → run id."""

    acknowledged: Mapping[str, str]
    lives: Mapping[str, RequestEvidence]
    ledger: tuple[Entry, ...] = field(repr=False, default=())
    places: Mapping[str, str] = field(repr=False, default_factory=dict)
    """Logs, lists and figures, which all may read who run it."""
    canaries: frozenset[str] = field(repr=False, default=frozenset())
    """What must stand in none of these: names, addresses, phones, secrets, what is signed."""

    def entries(self, entry_type: str, request: str | None = None) -> list[Entry]:
        """The ledger's entries of one type, about one request or all that are known here."""
        if request:
            return self._entries_by_type_and_request.get((entry_type, request), [])
        request_ids = {*self.acknowledged, *self.lives}
        return [
            entry for entry in self.ledger if entry["type"] == entry_type and _request_of_entry(entry) in request_ids
        ]

    @cached_property
    def _entries_by_type_and_request(self) -> dict[tuple[str, str | None], list[Entry]]:
        entries_by_key = defaultdict(list)
        for entry in self.ledger:
            entries_by_key[entry["type"], _request_of_entry(entry)].append(entry)
        return dict(entries_by_key)


async def gather(
    town: Town, acknowledged: Mapping[str, str], prefix: str, ledger: Sequence[Entry] | None = None
) -> Evidence:
    """Everything about the requests whose names begin with `prefix`; without a `ledger` it is read from the sandbox."""
    client, at_once = town.context.client, asyncio.Semaphore(_AT_ONCE)
    listed = [execution.id async for execution in client.list_workflows(f"WorkflowType = '{SIGNATURE_REQUEST}'")]
    request_ids = {id.partition(":")[2] for id in listed} | set(acknowledged)

    async def life(id: str) -> RequestEvidence:
        async with at_once:
            return await _life(town, client, id)

    lives = await asyncio.gather(*(life(id) for id in sorted(request_ids) if id.startswith(prefix)))
    entries = await town.vendor.ledger() if ledger is None else ledger
    entries_of_prefix = tuple(entry for entry in entries if (_request_of_entry(entry) or "").startswith(prefix))
    return Evidence(
        acknowledged, {life.request: life for life in lives}, entries_of_prefix, await _places(town), _canaries(town)
    )


async def _places(town: Town) -> dict[str, str]:
    """Spans stand in the log of a process whose `OTEL_TRACES_EXPORTER` is console."""
    rows = [execution.raw_info async for execution in town.context.client.list_workflows()]
    for row in rows:
        row.ClearField("memo")  # encrypted like every payload where there are keys
    places = {f"log of {name}": town.log(name) for name in (WORKER, RECEIVER)}
    if port := town.conditions.worker.get("OTEL_EXPORTER_PROMETHEUS_PORT"):
        async with httpx.AsyncClient(trust_env=False) as browser:
            places["metrics"] = (await browser.get(f"http://127.0.0.1:{port}/metrics")).text
    return places | {"lists": b"".join(row.SerializeToString() for row in rows).decode("latin-1")}


def _canaries(town: Town) -> frozenset[str]:
    canaries = {TITLE, *filter(None, asdict(town.folder_state.secrets).values())}
    for person in json.loads(town.people.read_text())["people"]:
        canaries |= {person["email"], *(phone["token"] for phone in person["devices"])}
        canaries |= {name for name in [person["name"]] if " " in name}
    return frozenset(canaries)


async def gather_onboarding(town: Town, id: str) -> OnboardingEvidence:
    """Everything about one onboarding that has ended."""
    client, workflow_id = town.context.client, Kind.ONBOARDING.workflow_id(id)
    handle = client.get_workflow_handle(workflow_id)
    described = await handle.describe()
    assert described.close_time is not None
    listed = [execution async for execution in client.list_workflows(f"{PARENT.name} = '{workflow_id}'")]
    events = [event async for event in handle.fetch_history_events()]
    view: OnboardingShow = await handle.query(SHOW, result_type=OnboardingShow)
    ended_at = next(entry.at for entry in reversed(view.timeline) if entry.what == view.status)
    return OnboardingEvidence(
        view=view,
        parts=tuple(
            PartRun(execution.id, execution.start_time)
            for execution in listed
            if execution.run_id == execution.root_run_id
        ),
        calls=await _calls(client, events),
        ended_at=ended_at,
        ledger=tuple(await town.vendor.ledger()),
    )


async def gather_campaign(town: Town, id: str, kills: int = 0) -> CampaignEvidence:
    """Everything about one campaign, whether it goes on or has ended."""
    client, workflow_id = town.context.client, Kind.CAMPAIGN.workflow_id(id)
    listed = [run async for run in runs.listed(client, f"{PARENT.name} = '{workflow_id}'")]
    events = [event async for event in client.get_workflow_handle(workflow_id).fetch_history_events()]
    picture = await composed.picture(client, town.context.store, id)
    return CampaignEvidence(
        view=picture.view,
        lines=tuple(await picture.lines.read()) if picture.lines else (),
        runs=tuple(PartRun(run.id, run.started_at) for run in listed if run.status is not RunStatus.CONTINUED_AS_NEW),
        waiting=frozenset(run.id.partition(":")[2] for run in listed if run.status.open),
        calls=await _calls(client, events),
        failed_tasks=tuple(_failed_tasks(events)),
        kills=kills,
        ledger=tuple(
            entry for entry in await town.vendor.ledger() if (_request_of_entry(entry) or "").startswith(f"{id}.")
        ),
    )


async def _life(town: Town, client: Client, id: str) -> RequestEvidence:
    handle = client.get_workflow_handle(Kind.REQUEST.workflow_id(id))
    described = await handle.describe()
    raw = described.raw_description
    events = [event async for event in handle.fetch_history_events()]
    return RequestEvidence(
        request=id,
        run_id=raw.workflow_execution_info.first_run_id,
        status=described.status,
        view=await town.read_view(id),
        calls=await _calls(client, events),
        failed_tasks=tuple(_failed_tasks(events)),
        busy=bool(raw.pending_activities) or raw.HasField("pending_workflow_task"),
        timers=open_timers(events),
        fired=tuple(_fired(events)),
        closed=described.close_time,
        heard=await _heard(client, events) if described.run_id == raw.workflow_execution_info.first_run_id else None,
    )


def _fired(events: Iterable[HistoryEvent]) -> Iterator[Fired]:
    due: dict[int, datetime] = {}
    for event in events:
        fired_at = event.event_time.ToDatetime(UTC)
        if event.event_type == EventType.EVENT_TYPE_TIMER_STARTED:
            due[event.event_id] = fired_at + event.timer_started_event_attributes.start_to_fire_timeout.ToTimedelta()
        elif event.event_type == EventType.EVENT_TYPE_TIMER_FIRED:
            yield Fired(due[event.timer_fired_event_attributes.started_event_id], fired_at)


async def _heard(client: Client, events: Iterable[HistoryEvent]) -> frozenset[str]:
    signals = (event.workflow_execution_signaled_event_attributes for event in events)
    payload_lists = [list(signal.input.payloads) for signal in signals if signal.signal_name == PROVIDER_EVENT]
    hints = [(await client.data_converter.decode(payloads, [ProviderEvent]))[0] for payloads in payload_lists]
    return frozenset(id for hint in hints for id in hint.ids)


def open_timers(events: Iterable[HistoryEvent]) -> int:
    """Begun, and neither over nor taken back."""
    kinds = [event.event_type for event in events]
    return kinds.count(EventType.EVENT_TYPE_TIMER_STARTED) - sum(kinds.count(timer_end) for timer_end in _TIMER_OVER)


async def _calls(client: Client, events: Iterable[HistoryEvent]) -> tuple[Call, ...]:
    calls: dict[int, Call] = {}
    begun_at: dict[int, datetime] = {}
    for event in events:
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED:
            begun_at[event.event_id] = event.event_time.ToDatetime(UTC)
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
            begun_at[event.event_id] = begun_at[event.workflow_task_completed_event_attributes.started_event_id]
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
            scheduled = event.activity_task_scheduled_event_attributes
            notices = await _notices(client, scheduled)
            decided = begun_at[scheduled.workflow_task_completed_event_id]
            calls[event.event_id] = Call(scheduled.activity_type.name, notices, decided)
        elif event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED:
            started = event.activity_task_started_event_attributes
            calls[started.scheduled_event_id].attempts = started.attempt
        elif event.event_type in _CLOSING:
            calls[_closed(event)].closed = True
    return tuple(calls.values())


async def _notices(client: Client, scheduled: ActivityTaskScheduledEventAttributes) -> tuple[NotificationOrder, ...]:
    payloads = list(scheduled.input.payloads)
    match scheduled.activity_type.name:
        case "deliver_notices":
            [delivery] = await client.data_converter.decode(payloads, [Delivery])
            return tuple(delivery.notices)
        case "hand_off":
            [batch] = await client.data_converter.decode(payloads, [HandoffBatch])
            return tuple(notice for call in batch.calls if (notice := notice_of_call(call, batch.subject)))
        case _:
            return ()


def _closed(event: HistoryEvent) -> int:
    attributes = getattr(event, str(event.WhichOneof("attributes")))
    return int(attributes.scheduled_event_id)


def _failed_tasks(events: Iterable[HistoryEvent]) -> Iterable[str]:
    for event in events:
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED:
            failed = event.workflow_task_failed_event_attributes
            if failed.cause not in _BENIGN:
                yield f"{WorkflowTaskFailedCause.Name(failed.cause)}: {failed.failure.message}"


def _request_of_entry(entry: Entry) -> str | None:
    """The request an entry is about."""
    data = entry.get("data") or (entry.get("body") or {}).get("data") if isinstance(entry.get("body"), dict) else None
    request: str | None = entry.get("external_id") or (entry.get("data") or data or {}).get("request")
    return request
