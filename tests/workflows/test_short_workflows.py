"""Workflows that do one thing and end: what they ask for, and their histories for the replay corpus."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Worker

from tests.servers import time_skipping
from tests.workflows import corpus
from workflows import names
from workflows.absence.workflow import AbsenceWorkflow
from workflows.model.absence import SEEN_WITHIN, AbsenceOrder, AbsenceReport
from workflows.model.retention import RetentionOrder, RetentionResult
from workflows.ports import AbsenceNewsService, RetentionService
from workflows.retention.workflow import RetentionWorkflow


class Absences(AbsenceNewsService):
    def __init__(self) -> None:
        self.orders: list[AbsenceOrder] = []

    async def tell(self, order: AbsenceOrder) -> AbsenceReport:
        self.orders.append(order)
        return AbsenceReport(told=3)


class FakeRetention(RetentionService):
    def __init__(self) -> None:
        self.orders: list[RetentionOrder] = []

    async def apply(self, order: RetentionOrder) -> RetentionResult:
        self.orders.append(order)
        return RetentionResult(erased=1, removed=2)


@asynccontextmanager
async def start_worker(workflows: Sequence[type], activities: Sequence[Any]) -> AsyncIterator[Client]:
    async with (
        time_skipping() as env,
        Worker(env.client, task_queue=names.WORKFLOW_QUEUE, workflows=workflows, activities=activities),
    ):
        yield env.client


async def measure_seconds(handle: WorkflowHandle[Any, Any]) -> float:
    described = await handle.describe()
    assert described.close_time is not None
    return (described.close_time - described.start_time).total_seconds()


@pytest.mark.long
async def test_an_absence_is_told_once_every_process_knows_of_it() -> None:
    absences, order = Absences(), AbsenceOrder(id="a1")
    async with start_worker([AbsenceWorkflow], absences.activities()) as client:
        handle = await client.start_workflow(
            AbsenceWorkflow.run, order, id=names.absence_workflow_id("a1", back=False), task_queue=names.WORKFLOW_QUEUE
        )
        assert await handle.result() == AbsenceReport(told=3)
        assert await measure_seconds(handle) >= SEEN_WITHIN.total_seconds()
        await corpus.record("absence-told", handle)
    assert absences.orders == [order]


async def test_retention_passes_on_the_instant_until_which_things_are_due() -> None:
    retention = FakeRetention()
    async with start_worker([RetentionWorkflow], retention.activities()) as client:
        handle = await client.start_workflow(
            RetentionWorkflow.run, RetentionOrder(), id=names.RETENTION, task_queue=names.WORKFLOW_QUEUE
        )
        assert (await handle.result()).removed == 2
        await corpus.record("retention", handle)
    assert [order.now is not None for order in retention.orders] == [True]
