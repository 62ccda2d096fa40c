"""`countersign fast-forward`: moves workflow clocks, so that weeks are rehearsed in seconds, on a server with workflow
time skipping. A clock stands while an activity runs; a retried activity ends the rehearsal, since each skipped pause
would be a real call.
"""

import asyncio
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from google.protobuf.field_mask_pb2 import FieldMask
from pydantic import AwareDatetime
from temporalio.api.common.v1 import TimeSkippingConfig, WorkflowExecution
from temporalio.api.workflow.v1 import WorkflowExecutionOptions
from temporalio.api.workflowservice.v1 import UpdateWorkflowExecutionOptionsRequest
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import TimeSkipper

from activities.temporal import executions as runs
from activities.temporal.executions import Description, RunStatus, about_its_begin, about_the_workflow
from starter.errors import Refusal
from starter.queries.filters import followed_up
from workflows import names
from workflows.kinds import WorkflowName, kinds, named
from workflows.model.base import Model
from workflows.model.views import FollowUpShow
from workflows.names import SHOW

WITHIN: Final = timedelta(seconds=60)
TOGETHER_AT_MOST: Final = 400
"""Clocks moved together: each timer of each takes a moment."""
_GLANCE: Final = 0.2
JUST_AFTER: Final = timedelta(seconds=10)
"""How far past an instant a clock is moved: longer than the work there takes. The server may move a workflow that is
still at work on to its next timer, days too far.
"""
_NEARLY: Final = timedelta(seconds=1)
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}

_NEVER: Final = datetime.max.replace(tzinfo=UTC)

Handle = WorkflowHandle[Any, Any]


class ForwardedClock(Model):
    """The clock of a request or a task; `reached` is False if it ended before the target."""

    id: str
    now: AwareDatetime
    reached: bool


def span(text: str) -> timedelta:
    """`90m`, `4h`, `3d`, `2w`; `ValueError` otherwise."""
    match = re.fullmatch(r"([1-9][0-9]{0,3})([mhdw])", text)
    if not match:
        raise ValueError(f"{text} is not a duration such as 4h, 3d or 2w")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


async def forward(client: Client, id: str, duration: timedelta, *, time_limit: timedelta = WITHIN) -> ForwardedClock:
    """Move one clock by `duration`, and wait until everything on the way is done. `id` is a request's or
    workflow id; an onboarding or campaign moves its open parts. `Refusal` if the server cannot, it is unknown or
    closed, an activity is retried, or `within` of real time is over.
    """
    workflow = followed_up(id)
    handle = client.get_workflow_handle(workflow.workflow_id)
    skipper = TimeSkipper(client)
    try:
        if workflow.kind.spec.has_parts:
            return await _FollowUpGroup(skipper, workflow, time_limit).forward(duration)
        described = await runs.described(client, handle.id)
        if not described.status.open:
            raise _not_open(workflow)
        _refuse_to_hurry(described, workflow)
        reached = await _move_clock(skipper, handle, workflow, duration, time_limit)
        return ForwardedClock(id=workflow.id, now=await skipper.get_current_time(handle), reached=reached)
    except RPCError as error:
        raise _in_words(error, workflow) from error


async def forward_to_next(client: Client, id: str, *, time_limit: timedelta = WITHIN) -> ForwardedClock:
    """To the next event, of any open part; `Refusal` if it has no time, and as `forward`."""
    workflow = followed_up(id)
    handle = client.get_workflow_handle(workflow.workflow_id)
    skipper = TimeSkipper(client)
    try:
        view = await _at_rest(client, handle, workflow, time_limit)
        now = await skipper.get_current_time(handle)
        next_at = view.next.at if view.next else None
        if workflow.kind.spec.has_parts and (first := await _FollowUpGroup(skipper, workflow, time_limit).first()):
            next_at = first
    except RPCError as error:
        raise _in_words(error, workflow) from error
    if next_at is None:
        reason = view.next.why if view.next else view.says
        raise Refusal(f"{workflow.id}: nothing is to come at a time of its own ({reason})")
    return await forward(client, id, max(next_at - now, timedelta(0)) + JUST_AFTER, time_limit=time_limit)


@dataclass
class _FollowUpGroup:
    """An onboarding with its open parts, or a campaign with its open requests; each has its own clock."""

    skipper: TimeSkipper
    what: WorkflowName
    within: timedelta

    async def forward(self, duration: timedelta) -> ForwardedClock:
        """Move all clocks to one instant, the earliest timer first; parts that begin meanwhile are included."""
        handle = self.skipper.client.get_workflow_handle(self.what.workflow_id)
        if await self._clock(self.what) is None:
            raise _not_open(self.what)
        target = await self.skipper.get_current_time(handle) + duration
        try:
            async with asyncio.timeout(self.within.total_seconds()):
                reached = await self._all(target)
        except TimeoutError:
            raise await _too_slow(self.skipper, handle, self.what, self.within) from None
        except ExceptionGroup as several:
            raise several.exceptions[0] from None
        return ForwardedClock(id=self.what.id, now=await self.skipper.get_current_time(handle), reached=reached)

    async def first(self) -> datetime | None:
        """The next event of any of them; None if nothing has a time."""
        wakes = [await self._wakes(workflow, _NEVER) for workflow in await self._list_late_parts(_NEVER)]
        return min((wakes_at for wakes_at in wakes if wakes_at != _NEVER), default=None)

    async def _all(self, target: datetime) -> bool:
        """Move all; False if it ended on the way."""
        while behind := await self._list_late_parts(target):
            wakes = {workflow: await self._wakes(workflow, target) for workflow in behind}
            first = min(wakes.values())
            early = [workflow for workflow, wakes_at in wakes.items() if first in (wakes_at, target)]
            async with asyncio.TaskGroup() as moving:
                moves = {workflow: moving.create_task(self._move(workflow, first)) for workflow in early}
            if self.what in moves and not moves[self.what].result():
                return False
        return True

    async def _list_late_parts(self, target: datetime) -> list[WorkflowName]:
        """Those whose clock is not there yet."""
        query = f"{names.PARENT.name} = '{self.what.workflow_id}' AND {runs.OPEN}"
        listed = [named(run.id) async for run in runs.listed(self.skipper.client, query)]
        if len(listed) > TOGETHER_AT_MOST:
            raise Refusal(
                f"{self.what.id}: {len(listed):,} open ones are more than {TOGETHER_AT_MOST} to move together"
            )
        clocks = {workflow: await self._clock(workflow) for workflow in (self.what, *filter(None, listed))}
        return [workflow for workflow, clock in clocks.items() if clock is not None and clock < target - _NEARLY]

    async def _clock(self, workflow: WorkflowName) -> datetime | None:
        handle = self.skipper.client.get_workflow_handle(workflow.workflow_id)
        if not (await runs.described(self.skipper.client, handle.id)).status.open:
            return None
        return await self.skipper.get_current_time(handle)

    async def _wakes(self, workflow: WorkflowName, target: datetime) -> datetime:
        """Its next event, else the target; one that has not begun comes first."""
        handle = self.skipper.client.get_workflow_handle(workflow.workflow_id)
        now = await self.skipper.get_current_time(handle)
        begins = (await runs.described(self.skipper.client, handle.id)).raw.workflow_execution_info.execution_time
        next_at: datetime | None = begins.ToDatetime(UTC)
        if next_at is None or next_at <= now:
            view = await _query_view(handle, workflow, self.within)
            next_at = view.next.at if view.next else None
        return min(max(next_at, now) + JUST_AFTER, target) if next_at else target

    async def _move(self, workflow: WorkflowName, target: datetime) -> bool:
        """Whether its clock is there; False if it has ended."""
        handle = self.skipper.client.get_workflow_handle(workflow.workflow_id)
        duration = target - await self.skipper.get_current_time(handle)
        try:
            return duration <= timedelta() or await _move_clock(self.skipper, handle, workflow, duration, self.within)
        except RPCError as error:
            if about_the_workflow(error):
                return False
            raise


async def _at_rest(client: Client, handle: Handle, workflow: WorkflowName, time_limit: timedelta) -> FollowUpShow:
    """Its state once it has a next time or no running work: while it is being created, nothing is planned."""
    view = await _query_view(handle, workflow, time_limit)
    with suppress(TimeoutError):
        async with asyncio.timeout(time_limit.total_seconds()):
            while view.next is None or view.next.at is None:
                busy = _is_at_work(await runs.described(client, handle.id))
                view = await _query_view(handle, workflow, time_limit)
                if not busy:
                    break
                await asyncio.sleep(_GLANCE)
    return view


def _is_at_work(described: Description) -> bool:
    """Whether it has running work without failures."""
    raw = described.raw
    return raw.HasField("pending_workflow_task") or any(activity.attempt <= 1 for activity in raw.pending_activities)


async def _query_view(handle: Handle, workflow: WorkflowName, time_limit: timedelta) -> FollowUpShow:
    """Its state; one just started is queried again until it has begun."""
    try:
        async with asyncio.timeout(time_limit.total_seconds()):
            while True:
                try:
                    view: FollowUpShow = await handle.query(SHOW, result_type=FollowUpShow)
                except RPCError as error:
                    if not about_its_begin(error):
                        raise
                    await asyncio.sleep(_GLANCE)
                else:
                    return view
    except TimeoutError:
        raise Refusal(f"{workflow.id}: has not begun within {time_limit.total_seconds():.0f} s") from None


async def _move_clock(
    skipper: TimeSkipper, handle: Handle, workflow: WorkflowName, duration: timedelta, time_limit: timedelta
) -> bool:
    move = asyncio.create_task(skipper.fast_forward(handle, duration))
    try:
        async with asyncio.timeout(time_limit.total_seconds()):
            while not move.done():
                await asyncio.wait([move], timeout=_GLANCE)
                _refuse_to_hurry(await runs.described(skipper.client, handle.id), workflow)
            return await move
    except TimeoutError:
        raise await _too_slow(skipper, handle, workflow, time_limit) from None
    finally:
        if not move.done() or move.cancelled() or move.exception():
            await _disarm(skipper.client, handle)
        move.cancel()


async def _disarm(client: Client, handle: Handle) -> None:
    """Let the clock run normally."""
    with suppress(RPCError):
        await client.workflow_service.update_workflow_execution_options(
            UpdateWorkflowExecutionOptionsRequest(
                namespace=client.namespace,
                workflow_execution=WorkflowExecution(workflow_id=handle.id),
                workflow_execution_options=WorkflowExecutionOptions(
                    time_skipping_config=TimeSkippingConfig(enabled=False)
                ),
                update_mask=FieldMask(paths=["time_skipping_config"]),
            )
        )


def _refuse_to_hurry(described: Description, workflow: WorkflowName) -> None:
    if described.status is RunStatus.PAUSED:
        raise Refusal(
            f"{workflow.id}: the workflow is paused in Temporal, so its clock moves nothing; unpause it there first"
        )
    for pending in described.raw.pending_activities:
        if pending.attempt > 1:
            raise Refusal(
                f"{workflow.id}: {pending.activity_type.name} is being retried (attempt {pending.attempt}), "
                "so its clock is not moved any further; fix that first "
                f"(countersign {workflow.kind.spec.command} show {workflow.id})"
            )


async def _too_slow(skipper: TimeSkipper, handle: Handle, workflow: WorkflowName, time_limit: timedelta) -> Refusal:
    now: datetime = await skipper.get_current_time(handle)
    waits = _waits_for(await runs.described(skipper.client, handle.id))
    return Refusal(
        f"{workflow.id}: not there within {time_limit.total_seconds():.0f} s, "
        f"its clock is at {now:%d %b %H:%M} UTC{waits}"
    )


def _waits_for(described: Description) -> str:
    raw = described.raw
    busy = [activity.activity_type.name for activity in raw.pending_activities]
    busy += [f"the workflow {child.workflow_id}" for child in raw.pending_children]
    return f"; it waits for {', '.join(busy)}" if busy else ""


def _in_words(error: RPCError, workflow: WorkflowName) -> Exception:
    if error.status is RPCStatusCode.UNIMPLEMENTED:
        return Refusal(
            "this Temporal server moves no clocks: fast-forward works on the one that `countersign dev` starts"
        )
    if not about_the_workflow(error):
        return error
    whole_ids = ", ".join(kind.workflow_id(workflow.id) for kind in kinds() if not kind.spec.bare_reference)
    return _not_open(
        workflow, f"; if it is no request, give its whole id: {whole_ids}" if workflow.kind.spec.bare_reference else ""
    )


def _not_open(workflow: WorkflowName, hint: str = "") -> Refusal:
    return Refusal(f"{workflow.id}: no such {workflow.kind} is open, so there is no clock to move{hint}")
