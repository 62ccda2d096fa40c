"""A sweep as a workflow: part by part, bounded, told in the Web UI; what fails is gone on from by the next one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.worker import Worker

from tests.servers import time_skipping
from tests.workflows import corpus
from workflows.model.reconciliation import (
    PARTS_AT_MOST,
    SHOWN_AT_MOST,
    CorrectedRequest,
    Reconciliation,
    ReconciliationOrder,
    ReconciliationResult,
)
from workflows.model.subject import Code
from workflows.names import RECONCILIATION, SHOW, SWEEP_QUEUE, WORKFLOW_QUEUE
from workflows.ports import EventReconciliation
from workflows.reconciliation.workflow import ReconciliationWorkflow

THEN = datetime(2026, 11, 27, 9, tzinfo=UTC)


class Events(EventReconciliation):
    """So many parts of two pages, each with requests that missed something."""

    def __init__(self, parts: int, per_part: int = 1) -> None:
        self.parts = parts
        self.per_part = per_part
        self.fails = 0
        self.orders: list[ReconciliationOrder] = []

    async def reconcile(self, order: ReconciliationOrder) -> ReconciliationResult:
        """See `EventReconciliation`."""
        if self.fails:
            self.fails -= 1
            raise ApplicationError("Core Signature answered 503: no", type=Code.UNREACHABLE)
        self.orders.append(order)
        number = len(self.orders)
        mended = [
            CorrectedRequest(request=f"msa-{number}-{index}", event="signed", at=THEN) for index in range(self.per_part)
        ]
        return ReconciliationResult(
            pages=2,
            events=200,
            told=self.per_part,
            mended=tuple(mended),
            until=THEN,
            reached=THEN,
            over=number >= self.parts,
        )


@asynccontextmanager
async def start_worker(events: Events) -> AsyncIterator[Client]:
    async with time_skipping() as env:
        workflow_worker = Worker(env.client, task_queue=WORKFLOW_QUEUE, workflows=[ReconciliationWorkflow])
        theirs = Worker(env.client, task_queue=SWEEP_QUEUE, activities=events.activities())
        async with workflow_worker, theirs:
            yield env.client


async def start_sweep(
    client: Client, reconciliation: Reconciliation | None = None
) -> WorkflowHandle[Any, ReconciliationResult]:
    return await client.start_workflow(
        RECONCILIATION,
        reconciliation or Reconciliation(),
        id="sweep",
        task_queue=WORKFLOW_QUEUE,
        result_type=ReconciliationResult,
    )


async def read_details(handle: WorkflowHandle[Any, ReconciliationResult]) -> str:
    """What the Web UI shows."""
    return str(await handle.query("__temporal_workflow_metadata", result_type=dict))


async def test_it_goes_on_part_by_part_and_says_what_it_mended() -> None:
    events = Events(parts=3)
    async with start_worker(events) as client:
        handle = await start_sweep(client)
        swept = await handle.result()
        assert (swept.pages, swept.events, swept.told, swept.over) == (6, 600, 3, True)
        assert [correction.request for correction in swept.mended] == ["msa-1-0", "msa-2-0", "msa-3-0"]
        assert await handle.query(SHOW, result_type=ReconciliationResult) == swept
        assert "| msa-2-0 | signed | 2026-11-27 09:00:00 |" in await read_details(handle)
        await corpus.record("reconciliation", handle)


async def test_it_comes_to_its_bound_however_much_is_left() -> None:
    events = Events(parts=1_000, per_part=20)
    async with start_worker(events) as client:
        handle = await start_sweep(client)
        swept = await handle.result()
        assert (len(events.orders), swept.over) == (PARTS_AT_MOST, False)
        assert (swept.told, len(swept.mended)) == (20 * PARTS_AT_MOST, SHOWN_AT_MOST)
        shown_details = await read_details(handle)
        assert "More is left: it has come back to 2026-11-27 09:00 UTC, the next one goes on." in shown_details
        assert "and 150 more" in shown_details
        await corpus.record("reconciliation-bounded", handle)


async def test_what_passes_is_tried_again_and_what_does_not_ends_it_with_its_words() -> None:
    events = Events(parts=1)
    events.fails = 3
    async with start_worker(events) as client:
        assert (await (await start_sweep(client)).result()).over
        events.fails = 100
        handle = await start_sweep(client)
        with pytest.raises(WorkflowFailureError) as failure:
            await handle.result()
        assert isinstance(failure.value.cause, ActivityError)
        assert "answered 503" in str(failure.value.cause.cause)
