"""Records that the database lost when an older one was restored, from the histories that Temporal still has."""

import asyncio
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Final

from pydantic import ValidationError
from temporalio import workflow
from temporalio.api.common.v1 import Payloads
from temporalio.client import Client
from temporalio.service import RPCError

from activities.hand_off.recording import write_before, write_results
from activities.launch.launch import start_of
from activities.records.store import Store
from activities.temporal import executions
from activities.temporal.executions import Run
from starter.queries.filters import SETTLED
from starter.temporal.codec import CodecError
from starter.temporal.plugin import workflows
from workflows import names
from workflows.follow_up.record import complete_record
from workflows.kinds import kinds, named, referred
from workflows.model.base import Model
from workflows.model.hand_off import HandoffReport
from workflows.model.records import HandoffBatch

PAGE: Final = 200
"""Workflows of one page of a list."""
HISTORIES_AT_ONCE: Final = 8
RUNS_AT_MOST: Final = 100
"""Runs of one follow-up, one after the other; years take some."""
NAMED_AT_MOST: Final = 1_000
_HAND_OFF: Final = "hand_off"


class NotFound(Model):
    """An ended follow-up without a record, by workflow id."""

    id: str
    why: str


class Recovery(Model):
    """`records` and `not_found` name the first `NAMED_AT_MOST`, by workflow id."""

    looked_at: int = 0
    starts: int = 0
    written: int = 0
    missing: int = 0
    records: tuple[str, ...] = ()
    not_found: tuple[NotFound, ...] = ()

    def counting(self, run: Run, reason: str | None) -> "Recovery":
        """With a record that was written, or why not."""
        if reason is None:
            return self.replace(written=self.written + 1, records=(*self.records, run.id)[:NAMED_AT_MOST])
        named = (*self.not_found, NotFound(id=run.id, why=reason))[:NAMED_AT_MOST]
        return self.replace(missing=self.missing + 1, not_found=named)


async def recover(client: Client, store: Store, report_progress: Callable[[Recovery, int], None]) -> Recovery:
    """Write what is missing; nobody is told. Idempotent; `report_progress` gets the progress, and of how many."""
    types = ", ".join(f"'{kind.spec.workflow}'" for kind in kinds())
    query = f"WorkflowType IN ({types}) AND ExecutionStatus != 'ContinuedAsNew'"
    total, recovery, token = (await client.count_workflows(query)).count, Recovery(), b""
    while True:
        page, token = await executions.page_of(client, query, size=PAGE, token=token)
        newest = {run.id: run for run in reversed(page) if named(run.id)}
        recovery = await _recover_some(client, store, list(newest.values()), recovery)
        recovery = recovery.replace(looked_at=recovery.looked_at + len(page))
        report_progress(recovery, total)
        if not token:
            return recovery


async def _recover_some(client: Client, store: Store, runs: Sequence[Run], recovery: Recovery) -> Recovery:
    ids = [run.id for run in runs]
    unknown = set(ids) - await store.starts.find_known(ids)
    unrecorded_ids = set(ids) - await store.records.find_recorded(ids)
    for first in range(0, len(runs), HISTORIES_AT_ONCE):
        run_batch = runs[first : first + HISTORIES_AT_ONCE]
        # First: a record takes from it whether it is of a campaign.
        recovered_starts = await asyncio.gather(
            *(_recover_start(client, store, run) for run in run_batch if run.id in unknown)
        )
        recovery = recovery.replace(starts=recovery.starts + sum(recovered_starts))
        missing = [run for run in run_batch if run.id in unrecorded_ids and _has_ended(run)]
        reasons = await asyncio.gather(*(_recover_record(client, store, run) for run in missing))
        for run, reason in zip(missing, reasons, strict=True):
            if reason is None or await _is_over(client, run):
                recovery = recovery.counting(run, reason)
    return recovery


def _has_ended(run: Run) -> bool:
    return not run.status.open or run.search_attributes.get(names.STAGE) == SETTLED


async def _is_over(client: Client, run: Run) -> bool:
    """Whether it is closed, and was not started anew."""
    last = await executions.find_run(client, run.id)
    return last is None or (last.run_id == run.run_id and not last.status.open)


@cache
def _inputs() -> dict[str, Any]:
    """By workflow type. The SDK has no public way to ask for it."""
    definitions = map(workflow._Definition.must_from_class, workflows())
    return {definition.name or "": definition.arg_types[0] for definition in definitions if definition.arg_types}


async def _recover_start(client: Client, store: Store, run: Run) -> bool:
    try:
        start_input = await executions.began_with(client, run, _inputs()[referred(run.id).kind.spec.workflow])
    except (CodecError, RPCError, ValidationError):
        return False
    await store.starts.begin(run.id, start_of(start_input, run.search_attributes.get(names.PARENT), run.started_at))
    return True


async def _recover_record(client: Client, store: Store, run: Run) -> str | None:
    """Write record, pages and results; or why there is no record."""
    try:
        hand_offs = await _handed_off(client, run)
    except (CodecError, ValidationError):
        return "its history cannot be read here: COUNTERSIGN_PAYLOAD_KEYS?"
    if not any(batch.record for batch, _ in hand_offs):
        return f"it was {run.status}" if run.status.broken_off else "Temporal has forgotten how it ended"
    for batch, report in hand_offs:
        await write_before(store, batch)
        if batch.calls and batch.at:
            await write_results(store, batch.replace(number=report.number or batch.number), report, batch.at)
    return None


async def _handed_off(client: Client, run: Run) -> list[tuple[HandoffBatch, HandoffReport]]:
    """All batches that were stored, and their results, oldest first: of its runs, then of later replays."""
    hand_offs = list[tuple[HandoffBatch, HandoffReport]]()
    run_id = run.run_id
    for _ in range(RUNS_AT_MOST):
        earlier_hand_offs, run_id = await _of_one_run(client, run, run.id, run_id)
        hand_offs = earlier_hand_offs + hand_offs
        if not run_id:
            break
    id = names.hand_off_workflow_id(referred(run.id).reference)
    replays = [replay_run async for replay_run in executions.listed(client, f"WorkflowId = '{id}'")]
    for replay_run in reversed(replays):
        hand_offs += (await _of_one_run(client, run, id, replay_run.run_id))[0]
    return hand_offs


async def _of_one_run(
    client: Client, run: Run, id: str, run_id: str
) -> tuple[list[tuple[HandoffBatch, HandoffReport]], str]:
    """The batches of one run, and the run before it; nothing of what Temporal has forgotten."""
    hand_offs, payloads_by_event, previous_run_id = (
        list[tuple[HandoffBatch, HandoffReport]](),
        dict[int, Payloads](),
        "",
    )
    try:
        async for event in client.get_workflow_handle(id, run_id=run_id).fetch_history_events():
            match event.WhichOneof("attributes"):
                case "workflow_execution_started_event_attributes":
                    previous_run_id = event.workflow_execution_started_event_attributes.continued_execution_run_id
                case "activity_task_scheduled_event_attributes":
                    scheduled = event.activity_task_scheduled_event_attributes
                    if scheduled.activity_type.name == _HAND_OFF:
                        payloads_by_event[event.event_id] = scheduled.input
                case "activity_task_completed_event_attributes":
                    completed = event.activity_task_completed_event_attributes
                    if (payloads := payloads_by_event.pop(completed.scheduled_event_id, None)) is not None:
                        [batch] = await run.converter.decode(payloads.payloads, [HandoffBatch])
                        [report] = await run.converter.decode(completed.result.payloads, [HandoffReport])
                        hand_offs.append((complete_record(batch), report))
    except RPCError as error:
        if not executions.about_the_workflow(error):
            raise
    return hand_offs, previous_run_id
