"""The sweep over the sandbox's events: open requests are told what they missed, once; nothing else is."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from temporalio import workflow
from temporalio.client import Client, Interceptor, OutboundInterceptor, SignalWorkflowInput
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import ActivityEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.core_signature.client import CoreSignatureClient
from activities.reconciliation.adoption import Adoption
from activities.reconciliation.callback_health import CallbackAlarm, CallbackHealth
from activities.reconciliation.figures import FigureCounter
from activities.reconciliation.service import NAMES_REMEMBERED, ExternalIds, PassLimits, PassMark, ReconciliationService
from activities.records.store import Store
from activities.retention.service import DailyRetention
from deploy.sandbox.server import RunningSandbox, running
from deploy.sandbox.state.faults import ArmedFault
from deploy.sandbox.state.records import CoreDocument, CoreEvent
from deploy.sandbox.state.settings import SandboxSettings
from tests.activities.core_signature.conftest import calls, config_for
from tests.servers import time_skipping
from tests.storage import count
from tests.workflows.stage import a_request
from workflows.kinds import Kind
from workflows.model.reconciliation import ReconciliationOrder, ReconciliationResult
from workflows.model.retention import RetentionOrder
from workflows.model.signature import FINAL, WITHOUT_EFFECT, ProviderEvent
from workflows.model.subject import Code, Status
from workflows.names import PROVIDER_EVENT, SIGNATURE_REQUEST
from workflows.signature.state import SignatureState

NOW = datetime.now(UTC) - timedelta(hours=2)
"""So that what happens an hour later has happened for the sandbox as well."""
MINUTE = timedelta(minutes=1)
PAGE = 10


@workflow.defn(name=SIGNATURE_REQUEST)
class Listening:
    """Stands for a request: remembers what it was told."""

    def __init__(self) -> None:
        self.heard: list[ProviderEvent] = []

    @workflow.run
    async def run(self) -> None:
        """For ever."""
        await workflow.wait_condition(lambda: False)

    @workflow.signal(name=PROVIDER_EVENT)
    def provider_event(self, event: ProviderEvent) -> None:
        """Remember it."""
        self.heard.append(event)

    @workflow.query
    def told(self) -> list[ProviderEvent]:
        """All of it."""
        return self.heard


@dataclass
class OpenRequestIds:
    """Visibility, on a server that has none."""

    status: dict[str, str] = field(default_factory=dict)
    asked: list[Sequence[str]] = field(default_factory=list)
    looked_up: list[Sequence[str]] = field(default_factory=list)

    async def among(self, ids: Sequence[str]) -> Mapping[str, str]:
        """See `OpenRequests`."""
        self.asked.append(ids)
        return {id: self.status[id] for id in ids if id in self.status}

    async def find_known(self, ids: Sequence[str]) -> AbstractSet[str]:
        """See `OpenRequests`."""
        self.looked_up += [ids] if ids else []
        return {id for id in ids if id in self.status}


@dataclass
class Office:
    """A provider whose clock is `now`, and requests that listen."""

    sandbox: RunningSandbox
    signature: CoreSignatureClient
    temporal: Client
    store: Store
    known: OpenRequestIds
    now: datetime = NOW
    limits: PassLimits = field(default_factory=lambda: PassLimits(pages=100))
    adoption: Adoption | None = None
    alarm: CallbackAlarm | None = None
    figures: FigureCounter | None = None

    async def begins(self, *ids: str, status: Status = Status.SENT) -> None:
        """These requests go on."""
        for id in ids:
            await self.temporal.start_workflow(Listening.run, id=Kind.REQUEST.workflow_id(id), task_queue="listening")
            self.known.status[id] = status

    def happens(self, id: str | None, event_type: str = "signed", ago: timedelta = MINUTE, **fields: Any) -> CoreEvent:
        """Something happened to a document; nobody was called."""
        happened_at = (self.now - ago).timestamp()
        return self.sandbox.state.database.events.save(
            CoreEvent(
                **{
                    "event_type": event_type,
                    "timestamp": happened_at,
                    "document": "d" * 32,
                    "external_id": id,
                    **fields,
                }
            )
        )

    async def sweeps(self, waited: timedelta = timedelta(), **limit_overrides: Any) -> ReconciliationResult:
        """One part of a sweep, which may have waited in its queue."""
        limits = replace(self.limits, **limit_overrides)
        sweep = ReconciliationService(
            self.signature,
            self.temporal,
            self.store,
            self.known,
            limits=limits,
            adoption=self.adoption,
            alarm=self.alarm,
            figures=self.figures,
        )
        env = ActivityEnvironment()
        env.info = replace(env.info, started_time=self.now)
        answer: ReconciliationResult = await env.run(sweep.reconcile, ReconciliationOrder(now=self.now - waited))
        return answer

    async def heard(self, id: str) -> list[str]:
        """The types of the events that a request was told of."""
        handle = self.temporal.get_workflow_handle(Kind.REQUEST.workflow_id(id))
        return [event.type for event in await handle.query(Listening.told)]

    def calls(self) -> int:
        """How often the list of events was asked for."""
        return len(calls(self.sandbox, "/events/"))


@asynccontextmanager
async def office(folder: Path, **settings: Any) -> AsyncIterator[Office]:
    async with running(SandboxSettings(conversion_delay=0, **settings)) as sandbox, time_skipping() as env:
        signature = CoreSignatureClient(config_for(sandbox, page_size=PAGE))
        worker = Worker(
            env.client,
            task_queue="listening",
            workflows=[Listening],
            workflow_runner=UnsandboxedWorkflowRunner(),
        )
        async with worker, aclosing(signature):
            yield Office(sandbox, signature, env.client, Store(str(folder)), OpenRequestIds())


async def test_what_a_callback_did_not_tell_is_told_and_what_it_told_is_not(tmp_path: Path) -> None:
    async with office(tmp_path) as back_office:
        await back_office.begins("lost", "heard", "idle")
        back_office.happens("heard", "signer_signed", delivered=True)
        back_office.happens("lost", "signer_viewed", ago=3 * MINUTE)
        back_office.happens("lost", "signer_signed", ago=2 * MINUTE)
        for event_type in WITHOUT_EFFECT:
            back_office.happens("idle", event_type)
        swept = await back_office.sweeps()
        assert [(mended_request.request, mended_request.event) for mended_request in swept.mended] == [
            ("lost", "signer_signed")
        ]
        assert (swept.told, swept.events, swept.over) == (1, 3 + len(WITHOUT_EFFECT), True)
        assert await back_office.heard("lost") == ["signer_signed"]
        assert await back_office.heard("heard") == await back_office.heard("idle") == []


@pytest.mark.parametrize("event_type", FINAL)
async def test_an_end_is_told_to_whom_it_does_not_show_whatever_is_said_of_its_callback(
    event_type: str, tmp_path: Path
) -> None:
    async with office(tmp_path) as back_office:
        await back_office.begins("open")
        await back_office.begins("settling", status=Status.SIGNED)
        event = back_office.happens("open", event_type, delivered=True)
        back_office.happens("settling", event_type)
        swept = await back_office.sweeps()
        assert [mended_request.request for mended_request in swept.mended] == ["open"]
        assert await back_office.heard("settling") == []
        handle = back_office.temporal.get_workflow_handle(Kind.REQUEST.workflow_id("open"))
        [hint] = await handle.query(Listening.told)
        state = SignatureState.begin(a_request().brief, NOW)
        assert state.notify_of(hint.replace(id=event.uuid), NOW).notify_of(hint, NOW).document.events_seen == (
            event.uuid,
            hint.id,
        )


async def test_types_that_are_not_known_are_hints_like_any_other_and_what_is_no_word_is_not_repeated(
    tmp_path: Path,
) -> None:
    async with office(tmp_path) as back_office:
        await back_office.begins("new", "odd")
        back_office.happens("new", "signer_has_moved")
        back_office.happens("odd", "| no | word |\n" * 30, status="no status", callback_status_code=999)
        swept = await back_office.sweeps()
        assert {(mended_request.request, mended_request.event) for mended_request in swept.mended} == {
            ("new", "signer_has_moved"),
            ("odd", "another"),
        }
        assert await back_office.heard("new") == ["signer_has_moved"]
        assert [len(event) for event in await back_office.heard("odd")] == [100]


async def test_documents_of_others_and_of_what_has_ended_are_nobody_s(tmp_path: Path) -> None:
    async with office(tmp_path) as back_office:
        await back_office.begins("ours")
        back_office.known.status["closed"] = Status.SENT  # Temporal's visibility lags.
        for id in ("foreign", "closed", None, "it's", "../ours", "x" * 300, ""):
            back_office.happens(id)
        swept = await back_office.sweeps()
        assert (swept.told, swept.over) == (0, True)
        assert [set(ids) for ids in back_office.known.asked] == [{"closed", "foreign"}]
        back_office.happens("ours")
        assert (await back_office.sweeps()).told == 1


async def test_the_next_sweep_is_one_call_and_tells_nobody_again(tmp_path: Path) -> None:
    async with office(tmp_path) as back_office:
        ids = [f"quiet-{number}" for number in range(5)]
        await back_office.begins(*ids)
        for id in ids:
            back_office.happens(id, "signer_viewed")
        assert (await back_office.sweeps()).told == len(ids)
        calls_before, back_office.now = back_office.calls(), NOW + 5 * MINUTE
        swept = await back_office.sweeps()
        assert (swept.told, swept.mended, back_office.calls() - calls_before) == (0, (), 1)
        back_office.happens(ids[0], "signer_signed")
        assert [mended_request.request for mended_request in (await back_office.sweeps()).mended] == [ids[0]]
        assert [await back_office.heard(id) for id in ids[:2]] == [
            ["signer_viewed", "signer_signed"],
            ["signer_viewed"],
        ]


async def test_an_hour_with_nothing_new_costs_one_call_a_sweep_however_many_wait(tmp_path: Path) -> None:
    async with office(tmp_path) as back_office:
        back_office.known.status = {f"quiet-{number}": Status.SENT for number in range(2_000)}
        for number in range(12):
            back_office.now = NOW + number * 5 * MINUTE
            await back_office.sweeps()
        assert (back_office.calls(), back_office.known.asked) == (12, [])


async def test_an_event_that_is_listed_late_is_told_by_the_next_sweep(tmp_path: Path) -> None:
    clock = [NOW.timestamp()]
    async with office(tmp_path, list_lag=5.0, clock=lambda: clock[0]) as back_office:
        await back_office.begins("late", "timely")
        back_office.happens("late", ago=timedelta(seconds=3))
        back_office.happens("timely", ago=-MINUTE)
        clock[0] += 1
        back_office.now = NOW + timedelta(seconds=61)
        assert (await back_office.sweeps(young=timedelta())).told == 0
        clock[0] += 5
        assert [mended_request.request for mended_request in (await back_office.sweeps(young=timedelta())).mended] == [
            "late"
        ]
        clock[0] += 70
        back_office.now += MINUTE
        assert [mended_request.request for mended_request in (await back_office.sweeps()).mended] == ["timely"]


async def test_an_event_that_is_recorded_after_a_later_one_is_told_as_well(tmp_path: Path) -> None:
    async with office(tmp_path) as back_office:
        await back_office.begins("first", "late")
        back_office.happens("first", ago=MINUTE)
        assert [mended_request.request for mended_request in (await back_office.sweeps()).mended] == ["first"]
        back_office.happens("late", ago=1.5 * MINUTE)
        assert [mended_request.request for mended_request in (await back_office.sweeps()).mended] == ["late"]


async def test_what_has_just_happened_is_left_to_its_callback(tmp_path: Path) -> None:
    async with office(tmp_path) as back_office:
        await back_office.begins("young")
        back_office.happens("young", ago=timedelta(seconds=2))
        assert (await back_office.sweeps()).told == 0
        back_office.now += MINUTE
        assert (await back_office.sweeps()).told == 1


async def test_a_part_that_waited_in_its_queue_takes_nothing_for_the_future(tmp_path: Path) -> None:
    async with office(tmp_path) as back_office:
        await back_office.begins("ours")
        back_office.happens("ours")
        swept = await back_office.sweeps(waited=40 * MINUTE)
        assert (swept.told, swept.ahead, swept.until) == (1, 0, back_office.now - MINUTE)


@pytest.mark.long
async def test_ten_times_the_bound_is_caught_up_with_part_by_part_while_more_happens(tmp_path: Path) -> None:
    async with office(tmp_path) as back_office:
        ids = [f"many-{number:03}" for number in range(60)]
        await back_office.begins(*ids)
        for number in range(600):
            back_office.happens(ids[number] if number < 60 else "foreign", ago=timedelta(hours=3) - number * MINUTE / 6)
        parts: list[ReconciliationResult] = []
        while not parts or not parts[-1].over:
            calls_before = back_office.calls()
            parts.append(await back_office.sweeps(pages=6))
            assert back_office.calls() - calls_before <= 6
            back_office.happens("foreign", ago=-len(parts) * MINUTE)
        assert 10 <= len(parts) <= 15
        assert sorted(mended_request.request for part in parts for mended_request in part.mended) == ids
        assert [part.until for part in parts[:-1]] == [parts[0].until] * (len(parts) - 1)
        assert not (await back_office.sweeps(pages=6)).told


class Deaf(Interceptor):
    """Temporal takes no signal for this request."""

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:
        """See `Interceptor`."""
        return _Refusing(next)


class _Refusing(OutboundInterceptor):
    async def signal_workflow(self, input: SignalWorkflowInput) -> None:
        if input.id == Kind.REQUEST.workflow_id("deaf"):
            raise RPCError("exceeded workflow execution limit for signal events", RPCStatusCode.INVALID_ARGUMENT, b"")
        await super().signal_workflow(input)


async def test_one_request_that_takes_no_signal_keeps_nothing_from_the_others(tmp_path: Path) -> None:
    async with office(tmp_path) as back_office:
        other_ids = [f"other-{number:02}" for number in range(2 * PAGE)]
        await back_office.begins("deaf", *other_ids)
        for number, id in enumerate(other_ids):
            back_office.happens(id, ago=timedelta(hours=1) - number * MINUTE)
        back_office.happens("deaf")
        temporal = back_office.temporal
        back_office.temporal = Client(
            temporal.service_client,
            namespace=temporal.namespace,
            data_converter=temporal.data_converter,
            interceptors=[Deaf()],
        )
        swept = await back_office.sweeps()
        assert (swept.told, swept.not_told, swept.over) == (len(other_ids), ("deaf",), True)
        assert "Temporal takes no signal for 1 request, not told: deaf" in swept.details


class Away(Interceptor):
    """Temporal is away for whoever asks second; of the others it is counted who was told and who is being told."""

    def __init__(self) -> None:
        self.asked, self.telling, self.told = 0, 0, 0

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:
        """See `Interceptor`."""
        return _Leaving(next, self)


class _Leaving(OutboundInterceptor):
    def __init__(self, next: OutboundInterceptor, vanishing: Away) -> None:
        super().__init__(next)
        self._vanishing = vanishing

    async def signal_workflow(self, input: SignalWorkflowInput) -> None:
        vanishing = self._vanishing
        vanishing.asked += 1
        if vanishing.asked == 2:
            raise RPCError("away", RPCStatusCode.UNAVAILABLE, b"")
        vanishing.telling += 1
        await super().signal_workflow(input)
        vanishing.telling, vanishing.told = vanishing.telling - 1, vanishing.told + 1


async def test_when_temporal_goes_away_the_sweep_fails_and_leaves_no_call_behind(tmp_path: Path) -> None:
    async with office(tmp_path) as back_office:
        ids = [f"r-{number:02}" for number in range(2 * PAGE)]
        await back_office.begins(*ids)
        for number, id in enumerate(ids):
            back_office.happens(id, ago=timedelta(hours=1) - number * MINUTE)
        temporal, vanishing = back_office.temporal, Away()
        back_office.temporal = Client(
            temporal.service_client,
            namespace=temporal.namespace,
            data_converter=temporal.data_converter,
            interceptors=[vanishing],
        )
        with pytest.raises(ApplicationError, match="Temporal: UNAVAILABLE") as failure:
            await back_office.sweeps()
        assert (failure.value.type, failure.value.non_retryable) == (Code.UNREACHABLE, False)
        assert (vanishing.telling, vanishing.told) == (0, vanishing.asked - 1)
        assert vanishing.asked <= PAGE
        back_office.temporal = temporal
        assert (await back_office.sweeps()).over
        assert all([await back_office.heard(id) for id in ids])


@pytest.mark.long
async def test_a_part_that_dies_loses_nothing(tmp_path: Path) -> None:
    async with office(tmp_path) as back_office:
        ids = [f"died-{number:02}" for number in range(30)]
        await back_office.begins(*ids)
        for number, id in enumerate(ids):
            back_office.happens(id, "signer_signed", ago=timedelta(hours=1) - number * MINUTE)
        faults = back_office.sandbox.state.faults
        faults.arm(ArmedFault(path="*/events/*", fault="503", after=1, times=None))
        assert ((part := await back_office.sweeps()).pages, part.told, part.over) == (1, PAGE, False)
        with pytest.raises(ApplicationError) as failure:
            await back_office.sweeps()
        assert (failure.value.type, failure.value.non_retryable) == (Code.UNREACHABLE, False)
        faults.clear()
        sweep_mark = await back_office.store.notes.sweep_mark()
        assert [len(await back_office.heard(id)) for id in ids] == [0] * 20 + [1] * PAGE
        assert (await back_office.sweeps()).told == 20
        await back_office.store.notes.note_sweep_mark(
            sweep_mark or b""
        )  # As if it had died before the place was remembered.
        repeated_sweep = await back_office.sweeps()
        assert (repeated_sweep.told, repeated_sweep.over) == (20, True)
        assert {len(await back_office.heard(id)) for id in ids} == {1, 2}


class Counts(FigureCounter):
    """Remembers of each count whether the reconciliation finished."""

    def __init__(self, it: Office) -> None:
        super().__init__(it.temporal, it.store)
        self.seen = list[bool]()

    async def count(self, silence: CallbackHealth, now: datetime, *, finished: bool = True) -> None:
        """See `FigureCounter`."""
        self.seen.append(finished)


async def test_what_is_open_is_counted_while_core_signature_is_away_too(tmp_path: Path) -> None:
    async with office(tmp_path) as it:
        it.figures = counts = Counts(it)
        await it.sweeps()
        it.sandbox.state.faults.arm(ArmedFault(path="*/events/*", fault="503", times=None))
        with pytest.raises(ApplicationError):
            await it.sweeps()
    assert counts.seen == [True, False]


@pytest.mark.long
async def test_two_sweeps_at_once_lose_nothing(tmp_path: Path) -> None:
    async with office(tmp_path) as back_office:
        ids = [f"both-{number:02}" for number in range(40)]
        await back_office.begins(*ids)
        for number, id in enumerate(ids):
            back_office.happens(id, ago=timedelta(hours=1) - number * MINUTE)
        await asyncio.gather(back_office.sweeps(), back_office.sweeps(pages=2))
        while not (await back_office.sweeps()).over:
            pass
        assert all([await back_office.heard(id) for id in ids])


def wrong() -> float:
    """The clock of a provider that is ahead."""
    return (NOW + timedelta(days=400)).timestamp()


async def test_an_event_with_a_time_that_is_to_come_hides_none_that_happens_before(tmp_path: Path) -> None:
    async with office(tmp_path, clock=wrong) as back_office:
        await back_office.begins("ours", "ahead")
        back_office.happens("ahead", ago=timedelta(hours=-8))
        first = await back_office.sweeps()
        assert (first.told, first.ahead, first.over, first.until) == (0, 1, True, NOW)
        assert "1 event with a time that is to come" in first.details
        back_office.now = NOW + timedelta(hours=1)
        back_office.happens("ours")
        assert [mended_request.request for mended_request in (await back_office.sweeps()).mended] == ["ours"]
        back_office.now = NOW + timedelta(hours=8, minutes=1)
        back_office.happens("somebody-else-s")
        assert [mended_request.request for mended_request in (await back_office.sweeps()).mended] == ["ahead"]


async def test_neither_does_one_that_a_pass_of_several_parts_begins_with(tmp_path: Path) -> None:
    async with office(tmp_path, clock=wrong) as back_office:
        await back_office.begins("ours")
        back_office.happens("somebody-else-s", ago=timedelta(hours=-8))
        for _ in range(3 * PAGE):
            back_office.happens("somebody-else-s", ago=5 * MINUTE)
        assert not (await back_office.sweeps(pages=2)).over
        back_office.happens("ours", ago=-MINUTE)
        back_office.now = NOW + timedelta(hours=1)
        while not (await back_office.sweeps(pages=2)).over:
            assert await back_office.heard("ours") == []
        assert [mended_request.request for mended_request in (await back_office.sweeps()).mended] == ["ours"]


async def test_a_place_that_is_to_come_is_looked_for_anew(tmp_path: Path) -> None:
    async with office(tmp_path) as back_office:
        await back_office.begins("ours")
        back_office.happens("ours", ago=timedelta(days=7))
        await back_office.store.notes.note_sweep_mark(
            PassMark(until=NOW + timedelta(days=365)).model_dump_json().encode()
        )
        assert (await back_office.sweeps()).told == 1


async def test_a_list_that_has_become_shorter_meanwhile_is_looked_through_to_its_end(tmp_path: Path) -> None:
    async with office(tmp_path) as back_office:
        events = [back_office.happens("foreign", ago=timedelta(hours=1) - number * MINUTE) for number in range(50)]
        assert not (await back_office.sweeps(pages=4)).over
        for event in events[:30]:
            back_office.sandbox.state.database.events.drop(event)
        assert ((part := await back_office.sweeps()).over, part.pages) == (False, 0)
        assert ((part := await back_office.sweeps()).over, part.pages) == (True, 2)


async def test_a_page_that_is_said_not_to_be_there_is_not_taken_for_the_end(tmp_path: Path) -> None:
    async with office(tmp_path) as back_office:
        await back_office.begins("deep")
        back_office.happens("deep", ago=timedelta(hours=1))
        for number in range(30):
            back_office.happens("foreign", ago=timedelta(minutes=50) - number * MINUTE)
        back_office.sandbox.state.faults.arm(ArmedFault(path="*/events/*", fault="404", after=2))
        assert ((part := await back_office.sweeps()).over, part.pages) == (False, 2)
        assert ((part := await back_office.sweeps()).over, part.told) == (True, 1)


@pytest.mark.parametrize("late", [1, 2, 4])
async def test_events_that_were_recorded_late_hide_nothing_behind_their_page(late: int, tmp_path: Path) -> None:
    ids = [f"r-{number:02}" for number in range(30)]
    async with office(tmp_path) as back_office:
        await back_office.begins(*ids)
        back_office.happens("foreign", ago=60 * MINUTE)
        await back_office.sweeps()
        for number, id in enumerate(ids):
            if number == len(ids) - PAGE + late:  # So that their page ends with them.
                for _ in range(late):
                    back_office.happens("foreign", "signer_email_bounced", ago=75 * MINUTE)
            back_office.happens(id, ago=(50 - number) * MINUTE)
        swept = await back_office.sweeps()
        assert (swept.told, swept.over) == (len(ids), True)


async def test_a_place_that_cannot_be_read_is_looked_for_anew(tmp_path: Path) -> None:
    async with office(tmp_path) as back_office:
        await back_office.begins("ours")
        back_office.happens("ours", ago=timedelta(days=7))
        await back_office.store.notes.note_sweep_mark(b"{}")
        with pytest.raises(ValidationError):
            PassMark.model_validate_json(b"{}")
        assert (await back_office.sweeps()).told == 1


async def test_events_that_do_not_say_whose_document_they_are_about_are_counted(tmp_path: Path) -> None:
    async with office(tmp_path) as back_office:
        back_office.happens(None)
        swept = await back_office.sweeps()
        assert (swept.unnamed, swept.told) == (1, 0)
        assert "1 event without the id of a request" in swept.details


def a_document(back_office: Office, id: str | None) -> str:
    """One at Core Signature that carries this id; its uuid."""
    happened_at = NOW.timestamp()
    facts: dict[str, Any] = {
        "source": "s" * 64,
        "created": happened_at,
        "modified": happened_at,
        "converts_at": happened_at + 1e9,
    }
    return back_office.sandbox.state.database.documents.save(
        CoreDocument(name="Lease", external_id=id, file_name="lease.pdf", **facts)
    ).uuid


@pytest.mark.parametrize("form", ["address", "text"])
async def test_events_that_name_their_document_by_its_address_alone_are_matched_by_reading_it_once(
    tmp_path: Path, form: str
) -> None:
    async with office(tmp_path, event_document=form) as back_office:
        await back_office.begins("ours", "called")
        our_document, called, foreign = (a_document(back_office, id) for id in ("ours", "called", None))
        back_office.happens("ours", "signer_viewed", ago=3 * MINUTE, document=our_document)
        back_office.happens("ours", "signer_signed", ago=2 * MINUTE, document=our_document)
        back_office.happens("called", "signer_signed", document=called, delivered=True)
        back_office.happens("ours", "downloaded", document=our_document)
        back_office.happens(None, "signed", document=foreign)
        back_office.happens(None, "signed", document="gone")
        swept = await back_office.sweeps()
        assert {(mended_request.request, mended_request.event) for mended_request in swept.mended} == {
            ("ours", "signer_signed"),
            ("called", "signer_signed"),
        }
        assert (swept.told, swept.unnamed, swept.over) == (2, 2, True)
        assert await back_office.heard("called") == ["signer_signed"], "a callback that said as little told no request"
        read = [call["path"].split("/")[-2] for call in calls(back_office.sandbox, "/documents/", "GET")]
        assert sorted(read) == sorted([our_document, called, foreign, "gone"])
        back_office.happens("ours", "declined", ago=timedelta(minutes=0.5), document=our_document)
        assert [mended_request.event for mended_request in (await back_office.sweeps()).mended] == ["declined"]
        later_reads = [call["path"].split("/")[-2] for call in calls(back_office.sandbox, "/documents/", "GET")][
            len(read) :
        ]
        assert later_reads == ["gone"], "of what is not shown nothing is known, the others are"


async def test_what_a_part_has_no_time_to_read_the_next_one_does(tmp_path: Path) -> None:
    async with office(tmp_path, event_document="address") as back_office:
        ids = [f"r-{number}" for number in range(3)]
        await back_office.begins(*ids)
        for id in ids:
            back_office.happens(id, document=a_document(back_office, id))
        assert (await back_office.sweeps(seconds=0.0)).over is False
        arm = ArmedFault.model_validate(
            {"path": "*/documents/*", "method": "GET", "fault": "503", "after": 1, "times": 1}
        )
        back_office.sandbox.state.faults.arm(arm)
        first = await back_office.sweeps()
        assert (first.told, first.over) == (1, False)
        second = await back_office.sweeps()
        assert (second.told, second.over) == (2, True)
        assert [await back_office.heard(id) for id in ids] == [["signed"]] * 3


def test_of_ten_times_as_many_documents_as_are_remembered_by_their_address_the_latest_are_known() -> None:
    names = ExternalIds()
    for number in range(0, 10 * NAMES_REMEMBERED, NAMES_REMEMBERED // 2):
        names = ExternalIds(
            known={**names.known, **{f"{number + offset}": "x" for offset in range(NAMES_REMEMBERED // 2)}}
        )
        names = names.learnt(f"last-{number}", "x")
    assert len(names.known) == NAMES_REMEMBERED
    assert list(names.known)[-1] == f"last-{number}"


async def test_an_outage_of_core_signature_stops_no_dropping_of_used_rows(tmp_path: Path) -> None:
    async with office(tmp_path) as back_office:
        days = [(back_office.now - timedelta(days=ago)).date() for ago in range(5)]
        for day in days:
            assert await back_office.store.one_use.use(day, "a-in")
        back_office.sandbox.state.faults.arm(ArmedFault(path="*/events/*", fault="503", times=None))
        with pytest.raises(ApplicationError):
            await back_office.sweeps()
        result = await DailyRetention(back_office.store).apply(RetentionOrder(now=back_office.now))
        assert result.rows == 2
        assert [await back_office.store.one_use.was_used(day, "a-in") for day in days] == [
            True,
            True,
            True,
            False,
            False,
        ]
        assert count(back_office.store, "one_use") == 3
