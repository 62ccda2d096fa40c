"""The receiver's way to Temporal: what is confirmed, what is dropped for good, and what should be sent again."""

import asyncio
import gc
from datetime import timedelta

import pytest
from temporalio.client import Client, Interceptor, OutboundInterceptor, SignalWorkflowInput
from temporalio.contrib.pydantic import pydantic_data_converter

from starter.web.receivers.callbacks import (
    JOINED_AT_MOST,
    RECONCILE_AFTER,
    SignalNotConfirmed,
    SignalResult,
    TemporalSignals,
)
from tests.servers import own_namespace
from workflows.kinds import Kind
from workflows.model.signature import ProviderEvent
from workflows.names import PROVIDER_EVENT, RECONCILIATION, RECONCILIATION_CALLED, SIGNATURE_REQUEST

EVENT = ProviderEvent(id="e-1", type="signed", at="2026-11-09T10:00:00Z")


async def connect_lazily(address: str, namespace: str = "default") -> Client:
    return await Client.connect(address, namespace=namespace, lazy=True, data_converter=pydantic_data_converter)


@pytest.fixture
async def client(dev_server: str) -> Client:
    return await own_namespace(dev_server)


@pytest.mark.real_server
async def test_a_signal_is_taken_by_a_running_request_only(client: Client) -> None:
    signals = TemporalSignals(client)
    handle = await client.start_workflow(SIGNATURE_REQUEST, id=Kind.REQUEST.workflow_id("msa"), task_queue="nobody")
    assert await signals.signal("msa", EVENT) is SignalResult.TAKEN
    assert await signals.signal("never-started", EVENT) is SignalResult.UNKNOWN
    history = await handle.fetch_history()
    [signal] = [
        event.workflow_execution_signaled_event_attributes for event in history.events if event.event_type == 26
    ]
    assert signal.signal_name == PROVIDER_EVENT
    await handle.terminate()
    assert await signals.signal("msa", EVENT) is SignalResult.CLOSED
    runs = [run async for run in client.list_workflows(f"WorkflowId = '{Kind.REQUEST.workflow_id('msa')}'")]
    assert len(runs) <= 1


class HeldSignals(OutboundInterceptor):
    """Signals wait at the gate, each once it is under way."""

    def __init__(self, next: OutboundInterceptor) -> None:
        super().__init__(next)
        self.gate, self.under_way, self.sent = asyncio.Event(), asyncio.Event(), list[str]()
        self.ids: list[tuple[str, ...]] = []

    async def signal_workflow(self, input: SignalWorkflowInput) -> None:
        self.under_way.set()
        await self.gate.wait()
        self.sent.append(f"{input.id} {input.args[0].id}")
        self.ids.append(input.args[0].ids)
        await super().signal_workflow(input)


class HoldingInterceptor(Interceptor):
    def intercept_client(self, next: OutboundInterceptor) -> HeldSignals:
        self.outbound = HeldSignals(next)
        return self.outbound


def hold_signals(client: Client, holding: HoldingInterceptor) -> Client:
    """A client like this one whose signals wait at the gate."""
    return Client(
        client.service_client,
        namespace=client.namespace,
        data_converter=client.data_converter,
        interceptors=[holding],
    )


@pytest.mark.real_server
async def test_what_comes_while_a_request_is_signalled_goes_as_one_hint_behind_it(client: Client) -> None:
    """Ten times as many as are sent: a burst costs a workflow two signals at a time, not one for each."""
    holding = HoldingInterceptor()
    signals = TemporalSignals(hold_signals(client, holding))
    for id in ("msa", "other"):
        await client.start_workflow(SIGNATURE_REQUEST, id=Kind.REQUEST.workflow_id(id), task_queue="nobody")
    first = asyncio.create_task(signals.signal("msa", EVENT))
    await holding.outbound.under_way.wait()
    behind = [asyncio.create_task(signals.signal("msa", EVENT.replace(id=f"e-{n}"))) for n in range(2, 22)]
    other_calls = [
        asyncio.create_task(signals.signal("other", EVENT)),
        asyncio.create_task(signals.signal("nobody", EVENT)),
    ]
    await asyncio.sleep(0)
    assert holding.outbound.sent == []
    holding.outbound.gate.set()
    assert await asyncio.gather(first, *behind) == [SignalResult.TAKEN] * 21
    assert await asyncio.gather(*other_calls) == [SignalResult.TAKEN, SignalResult.UNKNOWN]
    msa = Kind.REQUEST.workflow_id("msa")
    assert len([sent for sent in holding.outbound.sent if sent.startswith(f"{msa} ")]) == 2
    assert await signals.signal("msa", EVENT) is SignalResult.TAKEN, "and nothing is left behind"
    assert len(holding.outbound.sent) == 5


@pytest.mark.real_server
async def test_one_that_is_repeated_takes_no_other_along_unread(client: Client) -> None:
    """A workflow knows by its id what it has heard: a hint for several is one only if all of them were."""
    holding = HoldingInterceptor()
    signals, id = TemporalSignals(hold_signals(client, holding)), Kind.REQUEST.workflow_id("msa")
    await client.start_workflow(SIGNATURE_REQUEST, id=id, task_queue="nobody")
    repeated, new = EVENT, EVENT.replace(id="e-2")
    for behind in ([repeated], [repeated, new], [new, repeated, new]):
        holding.outbound.gate.clear()
        holding.outbound.under_way.clear()
        first = asyncio.create_task(signals.signal("msa", repeated))
        await holding.outbound.under_way.wait()
        joined = [asyncio.create_task(signals.signal("msa", event)) for event in behind]
        await asyncio.sleep(0)
        holding.outbound.gate.set()
        assert await asyncio.gather(first, *joined) == [SignalResult.TAKEN] * (1 + len(behind))
    assert [set(sent) for sent in holding.outbound.ids[1::2]] == [{"e-1"}, {"e-1", "e-2"}, {"e-1", "e-2"}]


async def test_a_hint_for_several_is_the_newest_of_them_in_whatever_order_they_came() -> None:
    holding = HoldingInterceptor()
    signals = TemporalSignals(hold_signals(await connect_lazily("127.0.0.1:1"), holding), seconds=5)
    calls = [asyncio.create_task(signals.signal("msa", EVENT))]
    await holding.outbound.under_way.wait()
    minutes = (5, 9, 2)
    events = [EVENT.replace(id=f"at-{minute}", at=EVENT.at + timedelta(minutes=minute)) for minute in minutes]
    calls += [asyncio.create_task(signals.signal("msa", event)) for event in events]
    await asyncio.sleep(0)
    holding.outbound.gate.set()
    await asyncio.gather(*calls, return_exceptions=True)
    assert holding.outbound.sent[1] == f"{Kind.REQUEST.workflow_id('msa')} at-9"
    assert set(holding.outbound.ids[1]) == {"at-5", "at-9", "at-2"}


async def test_of_ten_times_as_many_as_a_hint_carries_one_id_is_told() -> None:
    """Whoever forges ids fills no history with them, and takes no genuine one along: what is told is not known yet."""
    holding = HoldingInterceptor()
    signals = TemporalSignals(hold_signals(await connect_lazily("127.0.0.1:1"), holding), seconds=5)
    calls = [asyncio.create_task(signals.signal("msa", EVENT))]
    await holding.outbound.under_way.wait()
    forged = {f"forged-{number}" for number in range(10 * JOINED_AT_MOST)}
    calls += [asyncio.create_task(signals.signal("msa", EVENT.replace(id=id))) for id in forged]
    await asyncio.sleep(0)
    holding.outbound.gate.set()
    await asyncio.gather(*calls, return_exceptions=True)
    [event_id] = holding.outbound.ids[1]
    assert event_id not in forged | {EVENT.id}


async def test_who_waits_behind_a_signal_without_an_answer_waits_no_longer_than_for_their_own() -> None:
    """Core Signature hangs up after some seconds, and what it was not answered it may not repeat."""
    holding = HoldingInterceptor()
    signals = TemporalSignals(hold_signals(await connect_lazily("127.0.0.1:1"), holding), seconds=0.5)
    first = asyncio.create_task(signals.signal("msa", EVENT))
    await holding.outbound.under_way.wait()
    behind = asyncio.create_task(signals.signal("msa", EVENT))
    answered, _ = await asyncio.wait({first, behind}, timeout=0.95)
    assert {type(call.exception()) for call in answered} == {SignalNotConfirmed}
    assert answered == {first, behind}, "one after the other they would take twice as long"
    holding.outbound.gate.set()
    with pytest.raises(SignalNotConfirmed):
        await signals.signal("msa", EVENT)


async def test_whoever_joined_a_hint_that_nobody_took_is_told_so() -> None:
    signals = TemporalSignals(await connect_lazily("127.0.0.1:1"))
    answers = await asyncio.gather(*(signals.signal("msa", EVENT) for _ in range(20)), return_exceptions=True)
    assert {type(answer) for answer in answers} == {SignalNotConfirmed}


@pytest.mark.long
async def test_what_nobody_waits_for_any_more_leaves_no_line_in_the_log() -> None:
    """Each caller has its own deadline, and may be gone before the signal that it joined is refused."""
    holding, log_messages, loop = HoldingInterceptor(), list[str](), asyncio.get_running_loop()
    signals = TemporalSignals(hold_signals(await connect_lazily("127.0.0.1:1"), holding))
    loop.set_exception_handler(lambda _, context: log_messages.append(context["message"]))
    calls = {asyncio.create_task(signals.signal("msa", EVENT))}
    await holding.outbound.under_way.wait()
    calls |= {asyncio.create_task(signals.signal("msa", EVENT)) for _ in range(20)}
    await asyncio.sleep(0)
    while calls:
        calls.pop().cancel()
    for _ in range(3):
        await asyncio.sleep(0)  # They are gone.
    holding.outbound.gate.set()
    await asyncio.wait(asyncio.all_tasks() - {asyncio.current_task()})
    gc.collect()
    assert log_messages == []


@pytest.mark.real_server
async def test_however_many_ask_for_a_sweep_one_comes(client: Client) -> None:
    signals = TemporalSignals(client)
    for _ in range(10):
        await signals.reconcile()
    described = await client.get_workflow_handle(RECONCILIATION_CALLED).describe()
    events = (await client.get_workflow_handle(RECONCILIATION_CALLED).fetch_history()).events
    started = events[0].workflow_execution_started_event_attributes
    assert (len(events), described.workflow_type) == (1, RECONCILIATION)
    assert started.first_workflow_task_backoff.ToTimedelta() == RECONCILE_AFTER


@pytest.mark.real_server
async def test_a_missing_namespace_is_no_reason_to_drop_an_event(client: Client) -> None:
    elsewhere = await connect_lazily(client.service_client.config.target_host, namespace="elsewhere")
    with pytest.raises(SignalNotConfirmed):
        await TemporalSignals(elsewhere).signal("msa", EVENT)


@pytest.mark.long
@pytest.mark.real_server
async def test_a_reachable_server_is_reachable(client: Client) -> None:
    assert await TemporalSignals(client).reachable()


async def test_a_server_that_is_not_there_yet_is_no_crash() -> None:
    signals = TemporalSignals(await connect_lazily("127.0.0.1:1"))
    assert not await signals.reachable()
    with pytest.raises(SignalNotConfirmed):
        await signals.signal("msa", EVENT)
    with pytest.raises(SignalNotConfirmed):
        await signals.reconcile()
