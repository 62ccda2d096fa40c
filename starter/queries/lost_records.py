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

    def counting(self, run: Run, why: str | None) -> "Recovery":
        """With a record that was written, or why not."""
        if why is None:
            return self.replace(written=self.written + 1, records=(*self.records, run.id)[:NAMED_AT_MOST])
        named = (*self.not_found, NotFound(id=run.id, why=why))[:NAMED_AT_MOST]
        return self.replace(missing=self.missing + 1, not_found=named)


async def recover(client: Client, store: Store, seen: Callable[[Recovery, int], None]) -> Recovery:
    """Write what is missing; nobody is told. Idempotent; `seen` gets the progress, and of how many."""
    types = ", ".join(f"'{kind.spec.workflow}'" for kind in kinds())
    query = f"WorkflowType IN ({types}) AND ExecutionStatus != 'ContinuedAsNew'"
    total, done, token = (await client.count_workflows(query)).count, Recovery(), b""
    while True:
        page, token = await executions.page_of(client, query, size=PAGE, token=token)
        newest = {run.id: run for run in reversed(page) if named(run.id)}
        done = await _recover_some(client, store, list(newest.values()), done)
        done = done.replace(looked_at=done.looked_at + len(page))
        seen(done, total)
        if not token:
            return done


async def _recover_some(client: Client, store: Store, runs: Sequence[Run], done: Recovery) -> Recovery:
    ids = [run.id for run in runs]
    unknown = set(ids) - await store.starts.known(ids)
    ended = set(ids) - await store.records.known(ids)
    for first in range(0, len(runs), HISTORIES_AT_ONCE):
        some = runs[first : first + HISTORIES_AT_ONCE]
        # First: a record takes from it whether it is of a campaign.
        begun = await asyncio.gather(*(_recover_start(client, store, run) for run in some if run.id in unknown))
        done = done.replace(starts=done.starts + sum(begun))
        missing = [run for run in some if run.id in ended and _has_ended(run)]
        reasons = await asyncio.gather(*(_recover_record(client, store, run) for run in missing))
        for run, why in zip(missing, reasons, strict=True):
            if why is None or await _is_over(client, run):
                done = done.counting(run, why)
    return done


def _has_ended(run: Run) -> bool:
    return not run.status.open or run.known.get(names.STAGE) == SETTLED


async def _is_over(client: Client, run: Run) -> bool:
    """Whether it is closed, and was not started anew."""
    last = await executions.found(client, run.id)
    return last is None or (last.run_id == run.run_id and not last.status.open)


@cache
def _inputs() -> dict[str, Any]:
    """By workflow type. The SDK has no public way to ask for it."""
    definitions = map(workflow._Definition.must_from_class, workflows())
    return {one.name or "": one.arg_types[0] for one in definitions if one.arg_types}


async def _recover_start(client: Client, store: Store, run: Run) -> bool:
    try:
        given = await executions.began_with(client, run, _inputs()[referred(run.id).kind.spec.workflow])
    except (CodecError, RPCError, ValidationError):
        return False
    await store.starts.begin(run.id, start_of(given, run.known.get(names.PARENT), run.started_at))
    return True


async def _recover_record(client: Client, store: Store, run: Run) -> str | None:
    """Write record, pages and results; or why there is no record."""
    try:
        found = await _handed_off(client, run)
    except (CodecError, ValidationError):
        return "its history cannot be read here: COUNTERSIGN_PAYLOAD_KEYS?"
    if not any(batch.record for batch, _ in found):
        return f"it was {run.status}" if run.status.broken_off else "Temporal has forgotten how it ended"
    for batch, report in found:
        await write_before(store, batch)
        if batch.calls and batch.at:
            await write_results(store, batch.replace(number=report.number or batch.number), report, batch.at)
    return None


async def _handed_off(client: Client, run: Run) -> list[tuple[HandoffBatch, HandoffReport]]:
    """All batches that were stored, and their results, oldest first: of its runs, then of later replays."""
    found = list[tuple[HandoffBatch, HandoffReport]]()
    run_id = run.run_id
    for _ in range(RUNS_AT_MOST):
        some, run_id = await _of_one_run(client, run, run.id, run_id)
        found = some + found
        if not run_id:
            break
    id = names.hand_off_workflow_id(referred(run.id).reference)
    replays = [one async for one in executions.listed(client, f"WorkflowId = '{id}'")]
    for one in reversed(replays):
        found += (await _of_one_run(client, run, id, one.run_id))[0]
    return found


async def _of_one_run(
    client: Client, run: Run, id: str, run_id: str
) -> tuple[list[tuple[HandoffBatch, HandoffReport]], str]:
    """The batches of one run, and the run before it; nothing of what Temporal has forgotten."""
    found, begun, before = list[tuple[HandoffBatch, HandoffReport]](), dict[int, Payloads](), ""
    try:
        async for event in client.get_workflow_handle(id, run_id=run_id).fetch_history_events():
            match event.WhichOneof("attributes"):
                case "workflow_execution_started_event_attributes":
                    before = event.workflow_execution_started_event_attributes.continued_execution_run_id
                case "activity_task_scheduled_event_attributes":
                    scheduled = event.activity_task_scheduled_event_attributes
                    if scheduled.activity_type.name == _HAND_OFF:
                        begun[event.event_id] = scheduled.input
                case "activity_task_completed_event_attributes":
                    completed = event.activity_task_completed_event_attributes
                    if (given := begun.pop(completed.scheduled_event_id, None)) is not None:
                        [batch] = await run.converter.decode(given.payloads, [HandoffBatch])
                        [report] = await run.converter.decode(completed.result.payloads, [HandoffReport])
                        found.append((batch.whole(), report))
    except RPCError as error:
        if not executions.about_the_workflow(error):
            raise
    return found, before
