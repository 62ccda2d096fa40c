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
from workflows.model.hand_off import SettledRequest
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
        """As `worker.make_activities` lists them."""
        return {
            WORKFLOW_QUEUE: [*self.planner.activities(), *self.push.activities(), *self.handoff.activities()],
            CAMPAIGN_QUEUE: self.planner.activities(),
            BATCH_QUEUE: self.planner.activities(),
            SWEEP_QUEUE: self.planner.activities(),
            EVIDENCE_QUEUE: self.evidence.activities(),
            SIGNATURE_QUEUE: [*self.signatures.activities(), *self.push.activities()],
        }

    def count_notices(self, stage: str, person: str) -> int:
        """How often somebody was told of a stage."""
        return self.push.stages().count((stage, person))


@dataclass(frozen=True)
class Living:
    """A request whose life a deploy must not disturb."""

    handle: WorkflowHandle[SignatureRequestWorkflow, SettledRequest]
    surroundings: Surroundings

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

        async def has_reached() -> bool:
            await self.callback()
            return await self.build() == build

        await eventually(has_reached)

    async def visits(self, build: str) -> None:
        """It is called back until that version has done a task of it, which is all that a canary has there."""

        async def has_visited() -> bool:
            await self.callback()
            events = (await self.handle.fetch_history()).events
            completions = [completion.workflow_task_completed_event_attributes for completion in events]
            return any(completion.deployment_version.build_id == build for completion in completions)

        await eventually(has_visited)

    async def signed_by_all(self) -> SettledRequest:
        """Everybody signs; how it ends."""
        for signer in a_request().brief.people:
            self.surroundings.signatures.sign(signer.person)
        self.surroundings.signatures.status = Status.SIGNED
        await self.callback()
        return await self.handle.result()


@asynccontextmanager
async def deploy_workers(
    client: Client,
    surroundings: Surroundings,
    build_id: str | None = None,
    code: WorkflowCode = SignatureRequestWorkflow,
    **worker_options: Any,
) -> AsyncIterator[None]:
    """The workers of `starter/temporal/workers.py` with this build id, and with `code` where the workflow's code is;
    `worker_options` are set on each of them."""
    environment = {}
    if build_id is not None:
        environment["TEMPORAL_WORKER_BUILD_ID"] = build_id
    with (
        patch.object(plugin, "workflows", lambda: (code,)),
        patch.object(task_queues, "Worker", partial(Worker, **worker_options)),
    ):
        slots = task_queues.make_slots(RateLimiter(_UNPACED))
        queue_workers = task_queues.make_workers(
            _without_converter(client), surroundings.activities(), slots, settings.load(environment=environment)
        )
    async with AsyncExitStack() as running:
        for worker in queue_workers:
            await running.enter_async_context(worker)
        yield


def _without_converter(client: Client) -> Client:
    """The same client as `starter.temporal.connection.connect` would make it, but with the data converter that it
    has.
    """
    own_plugin = plugin.CountersignPlugin()
    own_plugin.data_converter = None
    config = client.config()
    config["plugins"] = [own_plugin]
    return Client(**config)


async def start_request(client: Client, surroundings: Surroundings, name: str = "msa-0042") -> Living:
    """A request that somebody has just started."""
    handle = await client.start_workflow(
        SignatureRequestWorkflow.run,
        a_request(name=name),
        id=Kind.REQUEST.workflow_id(name),
        task_queue=WORKFLOW_QUEUE,
        task_timeout=_TASK_TIMEOUT,
    )
    return Living(handle, surroundings)


async def silence(code: WorkflowCode) -> WorkflowHistory:
    """The history of a request that nobody ever signs, lived with `code` on a clock that skips.

    Planning fails once, so that it is asked of an activity, whose input stands in the history.
    """
    surroundings = Surroundings(planner=FakePlanner(failures=[refusal(Code.DIRECTORY, retryable=True)]))
    async with time_skipping() as env, deploy_workers(env.client, surroundings, code=code):
        request = await start_request(env.client, surroundings)
        await request.handle.result()
        return await request.handle.fetch_history()


async def eventually(probe: Callable[[], Awaitable[Found | None]], timeout_seconds: float = 40) -> Found:
    """What the probe finds once it finds something; `TimeoutError` when it never does."""
    async with asyncio.timeout(timeout_seconds):
        for pause in glances(_GLANCE, timeout_seconds):
            if result := await probe():
                return result
            await asyncio.sleep(pause)
    raise TimeoutError
