"""What a campaign is measured beside: the same requests started raw, and the least workflow that waits.

`python -m tests.bench.campaign_floor ADDRESS` is a worker that knows the least workflow alone.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import PollerBehaviorAutoscaling, Worker

with workflow.unsafe.imports_passed_through():
    from activities.launch.launch import search_attributes
    from activities.temporal.interceptors import priority
    from starter.temporal.codec import data_converter
    from tests.bench.contender import Contender, start
    from tests.bench.floor import CALLING, KEEPING, PROMPT, FloorWorkflow
    from tests.faults.town import eventually
    from workflows import names
    from workflows.signature.state import SignatureInput

RAW: Final = "StartedRaw"
_QUEUE: Final = "bench-raw"
_LONG: Final = timedelta(hours=2)
_AT_ONCE: Final = 25
"""As many as a walk has on their way."""


@workflow.defn(name=RAW, sandboxed=False)
class StartedRaw:
    """Has an activity start them, and nothing else."""

    @workflow.run
    async def run(self, parent: str) -> int:
        """How many were."""
        started: int = await workflow.execute_activity(
            "start_raw", parent, result_type=int, start_to_close_timeout=_LONG
        )
        return started


@dataclass
class Raw:
    """Starts requests by `start_workflow`, with all that a start says, and looks at nothing."""

    client: Client
    requests: Sequence[SignatureInput]

    @activity.defn(name="start_raw")
    async def start(self, parent: str) -> int:
        """All of them, some at a time."""
        for begin in range(0, len(self.requests), _AT_ONCE):
            await asyncio.gather(*(self._start(request, parent) for request in self.requests[begin : begin + _AT_ONCE]))
        return len(self.requests)

    async def _start(self, request: SignatureInput, parent: str) -> None:
        brief = request.brief
        await self.client.start_workflow(
            names.SIGNATURE_REQUEST,
            request,
            id=brief.workflow_id,
            task_queue=names.CAMPAIGN_QUEUE,
            memo={names.MEMO_FINGERPRINT: request.fingerprint, names.MEMO_DOCUMENT: brief.title},
            search_attributes=search_attributes(request, parent, datetime.now(UTC)),
            static_summary=f"{brief.kind}: {brief.title}",
            priority=priority(brief.kind, urgent=False, parent=parent),
        )


async def start_raw(client: Client, requests: Sequence[SignatureInput], parent: str) -> None:
    """Have them started by an activity of ours, as those of the campaign `parent`."""
    raw = Raw(client, requests)
    async with Worker(client, task_queue=_QUEUE, workflows=[StartedRaw], activities=[raw.start]):
        await client.execute_workflow(RAW, parent, id=f"raw-{len(requests)}", task_queue=_QUEUE)


@asynccontextmanager
async def waiting(client: Client) -> AsyncIterator[int]:
    """A worker for the least workflow, in a process of its own; its number."""
    address = client.service_client.config.target_host
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.campaign_floor", address, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        yield process.pid
    finally:
        process.kill()
        await process.wait()


async def have_wait(client: Client, count: int, name: str, say: Callable[[int], None]) -> None:
    """Start so many of the least workflow; all wait for their signer when this returns."""
    for begin in range(0, count, _AT_ONCE):
        request_names = [f"{name}-{number}" for number in range(begin, min(count, begin + _AT_ONCE))]
        handles = await asyncio.gather(
            *(start(client, Contender.FLOOR, request_name) for request_name in request_names)
        )
        say(begin)
        for handle in handles:
            await eventually(partial(_waits, client, handle.id))


async def _waits(client: Client, workflow_id: str) -> bool:
    raw = (await client.get_workflow_handle(workflow_id).describe()).raw_description
    busy = bool(raw.pending_activities) or raw.HasField("pending_workflow_task")
    return not busy and raw.workflow_execution_info.history_length > 1


async def _work(address: str) -> None:
    client = await Client.connect(address, data_converter=data_converter(()))
    pollers = PollerBehaviorAutoscaling()
    async with (
        Worker(
            client,
            task_queue=names.WORKFLOW_QUEUE,
            workflows=[FloorWorkflow],
            activities=PROMPT,
            workflow_task_poller_behavior=pollers,
            activity_task_poller_behavior=pollers,
        ),
        Worker(client, task_queue=names.SIGNATURE_QUEUE, activities=CALLING, activity_task_poller_behavior=pollers),
        Worker(client, task_queue=names.EVIDENCE_QUEUE, activities=KEEPING, activity_task_poller_behavior=pollers),
    ):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_work(sys.argv[1]))
