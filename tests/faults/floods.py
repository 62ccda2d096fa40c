"""Many callbacks of one request, on the real server, with recording fakes for the world outside."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from temporalio.client import Client

from starter.web.receivers.callbacks import SignalNotConfirmed, SignalResult, TemporalSignals
from tests.faults.town import eventually
from tests.servers import real_server
from tests.workflows.fakes import World
from tests.workflows.stage import Story, a_request, begin, workers
from workflows.model.hand_off import SettledRequest
from workflows.model.signature import ProviderEvent
from workflows.model.subject import Participant, Status

_AT_ONCE = 20
EARLY = ("--dynamic-config-value", "limit.historyCount.suggestContinueAsNew=40")
CROWDED = (
    *EARLY,
    "--dynamic-config-value",
    "history.maximumSignalsPerExecution=100",
    "--dynamic-config-value",
    'history.workflowIdReuseMinimalInterval="300ms"',
)
"""As the server's own numbers, a run is to be over well before it takes no more signals.

The first task of a run that follows a short one waits for up to a second by itself: long enough for 400 signals, which
10,000 would bear and 100 do not.
"""
MORE_THAN_A_RUN_TAKES = 120


@dataclass(frozen=True)
class Flooded:
    """What became of the request, and the ids of events as sent and as found in its runs."""

    outcome: Status
    runs: int
    longest: int
    sent: Sequence[str]
    events: Sequence[str]
    readies: int


async def flood(count: int, server: Sequence[str] = ()) -> Flooded:
    """Once the signer is told, send `count` different events, many at once; then let the signer sign."""
    world, request = World(), a_request(Participant(person="customer-signer", order=1))
    async with real_server(*server) as env, workers(env.client, world):
        story = await begin(env, world, request)
        await eventually(lambda: _is_told(world))
        sent = [f"event-{number:05}" for number in range(count)]
        at_once = asyncio.Semaphore(_AT_ONCE)

        async def send(event: str) -> None:
            async with at_once:
                viewed = ProviderEvent(id=event, type="viewed", at=_now())
                assert await _deliver(env.client, request.brief.id, viewed) is SignalResult.TAKEN

        await asyncio.gather(*map(send, sent))
        world.signatures.sign("customer-signer")
        world.signatures.status = Status.SIGNED
        end = ProviderEvent(id="the-end", type="signed", at=_now())
        if await _deliver(env.client, request.brief.id, end) is SignalResult.TAKEN:
            # Else one of the flood was read after the signature, and told of it.
            sent.append(end.id)
        settled: SettledRequest = await story.handle.result()
        runs = [await _signalled(env.client, story, run) for run in await runs_of(env.client, story)]
        return Flooded(
            outcome=settled.outcome,
            runs=len(runs),
            longest=max(length for length, _ in runs),
            sent=sent,
            events=sorted({event for _, events in runs for event in events}),
            readies=world.push.stages().count(("ready", "customer-signer")),
        )


async def _deliver(client: Client, request: str, event: ProviderEvent) -> SignalResult:
    """Signal as the receiver does, and again as the provider does while nobody confirms it."""
    while True:
        try:
            return await TemporalSignals(client).signal(request, event)
        except SignalNotConfirmed:
            continue


async def _is_told(world: World) -> bool:
    return bool(world.push.sent)


def _now() -> datetime:
    return datetime.now(UTC)


async def runs_of(client: Client, story: Story) -> list[str]:
    """The runs from the first to the last."""
    runs, run = [], story.handle.first_execution_run_id
    while run:
        runs.append(run)
        handle = client.get_workflow_handle(story.handle.id, run_id=run)
        last = [event async for event in handle.fetch_history_events()][-1]
        run = last.workflow_execution_continued_as_new_event_attributes.new_execution_run_id
    return runs


async def _signalled(client: Client, story: Story, run: str) -> tuple[int, list[str]]:
    """How long the history of a run is, and the ids of the events in it."""
    history = await client.get_workflow_handle(story.handle.id, run_id=run).fetch_history()
    event_ids = []
    for event in history.events:
        if event.HasField("workflow_execution_signaled_event_attributes"):
            payloads = event.workflow_execution_signaled_event_attributes.input.payloads
            [provider_event] = await client.data_converter.decode(list(payloads), [ProviderEvent])
            event_ids.append(provider_event.id)
    return len(history.events), event_ids
