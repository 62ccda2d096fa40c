"""Deploys on a stage: workers as `worker.py` makes them, of any build and any code, and the requests they serve."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar
from unittest.mock import patch

from temporalio.client import Client, WorkflowHandle, WorkflowHistory
from temporalio.worker import Worker

from activities.http.rate_limit import RateLimiter
from starter.config import settings
from starter.temporal import plugin
from starter.temporal import workers as task_queues
from tests.glances import glances
from tests.servers import time_skipping
from tests.versions.changed import WorkflowCode
from tests.workflows.fakes import FakeEvidence, FakeHandoff, FakePlanner, FakePushService, FakeSignatureService, refusal
from tests.workflows.stage import a_request
from workflows.kinds import Kind
from workflows.model.hand_off import Settled
from workflows.model.signature import ProviderEvent
from workflows.model.subject import Code, Status
from workflows.names import (
    BATCH_QUEUE,
    CAMPAIGN_QUEUE,
    EVIDENCE_QUEUE,
    PROVIDER_EVENT,
    SIGNATURE_QUEUE,
    SWEEP_QUEUE,
    WORKFLOW_QUEUE,
)
from workflows.signature.workflow import SignatureRequestWorkflow

Found = TypeVar("Found")

_UNPACED = 1000.0
_GLANCE = 0.1
_TASK_TIMEOUT = timedelta(seconds=1)
"""A worker that cannot go on with a history says so once and then lets its tasks time out: by default in 10 s."""


@dataclass
class Surroundings:
    """What a deploy does not change: a provider, a planner, phones and targets that record."""

    signatures: FakeSignatureService = field(default_factory=FakeSignatureService)
    planner: FakePlanner = field(default_factory=FakePlanner)
    handoff: FakeHandoff = field(default_factory=FakeHandoff)
    evidence: FakeEvidence = field(default_factory=FakeEvidence)

    def __post_init__(self) -> None:
        self.push = FakePushService(self.signatures)

    def activities(self) -> dict[str, list[Any]]:
        """As `worker.activities_of` lists them."""
        return {
            WORKFLOW_QUEUE: [*self.planner.activities(), *self.push.activities(), *self.handoff.activities()],
            CAMPAIGN_QUEUE: self.planner.activities(),
            BATCH_QUEUE: self.planner.activities(),
            SWEEP_QUEUE: self.planner.activities(),
            EVIDENCE_QUEUE: self.evidence.activities(),
            SIGNATURE_QUEUE: [*self.signatures.activities(), *self.push.activities()],
        }

    def told(self, stage: str, person: str) -> int:
        """How often somebody was told of a stage."""
        return self.push.stages().count((stage, person))


@dataclass(frozen=True)
class Living:
    """A request whose life a deploy must not disturb."""

    handle: WorkflowHandle[SignatureRequestWorkflow, Settled]
    around: Surroundings

    async def build(self) -> str:
        """The version that has it, or is about to; empty for an unversioned worker."""
        info = (await self.handle.describe()).raw_description.workflow_execution_info.versioning_info
        return info.version_transition.deployment_version.build_id or info.deployment_version.build_id

    async def callback(self) -> None:
        """What the receiver signals when somebody has signed."""
        event = ProviderEvent(id=datetime.now(UTC).isoformat(), type="signer_signed", at=datetime.now(UTC))
        await self.handle.signal(PROVIDER_EVENT, event)

    async def reaches(self, build: str) -> None:
        """It is called back until that version has it: a change of version takes the server a moment."""

        async def there() -> bool:
            await self.callback()
            return await self.build() == build

        await eventually(there)

    async def visits(self, build: str) -> None:
        """It is called back until that version has done a task of it, which is all that a canary has there."""

        async def there() -> bool:
            await self.callback()
            events = (await self.handle.fetch_history()).events
            done = [one.workflow_task_completed_event_attributes for one in events]
            return any(one.deployment_version.build_id == build for one in done)

        await eventually(there)

    async def signed_by_all(self) -> Settled:
        """Everybody signs; how it ends."""
        for signer in a_request().brief.people:
            self.around.signatures.sign(signer.person)
        self.around.signatures.status = Status.SIGNED
        await self.callback()
        return await self.handle.result()


@asynccontextmanager
async def deployed(
    client: Client,
    around: Surroundings,
    build_id: str | None = None,
    code: WorkflowCode = SignatureRequestWorkflow,
    **how: Any,
) -> AsyncIterator[None]:
    """The workers of `starter/temporal/workers.py` with this build id, and with `code` where the workflow's code is;
    `how` they work beside that."""
    environment = {}
    if build_id is not None:
        environment["TEMPORAL_WORKER_BUILD_ID"] = build_id
    with (
        patch.object(plugin, "workflows", lambda: (code,)),
        patch.object(task_queues, "Worker", partial(Worker, **how)),
    ):
        slots = task_queues.paced_slots(RateLimiter(_UNPACED))
        both = task_queues.workers(
            _connected(client), around.activities(), slots, settings.load(environment=environment)
        )
    async with AsyncExitStack() as running:
        for one in both:
            await running.enter_async_context(one)
        yield


def _connected(client: Client) -> Client:
    """The same client as `starter.temporal.connection.connect` would make it, but with the data converter that it
    has.
    """
    ours = plugin.CountersignPlugin()
    ours.data_converter = None
    config = client.config()
    config["plugins"] = [ours]
    return Client(**config)


async def living(client: Client, around: Surroundings, name: str = "msa-0042") -> Living:
    """A request that somebody has just started."""
    handle = await client.start_workflow(
        SignatureRequestWorkflow.run,
        a_request(name=name),
        id=Kind.REQUEST.workflow_id(name),
        task_queue=WORKFLOW_QUEUE,
        task_timeout=_TASK_TIMEOUT,
    )
    return Living(handle, around)


async def silence(code: WorkflowCode) -> WorkflowHistory:
    """The history of a request that nobody ever signs, lived with `code` on a clock that skips.

    Planning fails once, so that it is asked of an activity, whose input stands in the history.
    """
    around = Surroundings(planner=FakePlanner(failures=[refusal(Code.DIRECTORY, retryable=True)]))
    async with time_skipping() as env, deployed(env.client, around, code=code):
        request = await living(env.client, around)
        await request.handle.result()
        return await request.handle.fetch_history()


async def eventually(probe: Callable[[], Awaitable[Found | None]], within: float = 40) -> Found:
    """What the probe finds once it finds something; `TimeoutError` when it never does."""
    async with asyncio.timeout(within):
        for pause in glances(_GLANCE, within):
            if found := await probe():
                return found
            await asyncio.sleep(pause)
    raise TimeoutError
