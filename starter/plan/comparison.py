"""`countersign request plan FILE --against ID`: what the file's due date and policy would change in an open request."""

from collections.abc import Iterator
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final

from pydantic import AwareDatetime
from temporalio.client import WorkflowQueryFailedError
from temporalio.service import RPCError, RPCStatusCode

from activities.people.directory import Directory
from activities.schedule.planner import PolicyPlanner
from activities.signature.intake import PreparedRequest
from activities.temporal import executions as runs
from activities.temporal.executions import RunStatus
from starter.boot.context import Context
from starter.errors import Refusal
from starter.plan.calendar import policy_fields
from starter.queries.filters import request_id
from workflows import names
from workflows.kinds import Kind
from workflows.model.base import Model
from workflows.model.schedule import PlanningInput, Schedule, ScheduledAction

_WITHIN: Final = timedelta(seconds=5)


class ChangeKindOfAction(StrEnum):
    ADDED = "added"
    REMOVED = "removed"
    MOVED = "moved"


class ScheduleChange(Model):
    """A changed notice: `before` and `after` are its instants."""

    what: ChangeKindOfAction
    stage: str
    person: str
    to: str
    before: AwareDatetime | None = None
    after: AwareDatetime | None = None
    why: str


class PolicyChange(Model):
    field: str
    before: Any
    after: Any


class Difference(Model):
    """The answer of `request plan --against`; only future notices are compared."""

    id: str
    due_before: AwareDatetime
    due_after: AwareDatetime
    policy: tuple[PolicyChange, ...] = ()
    changes: tuple[ScheduleChange, ...] = ()


async def compare(context: Context, prepared: PreparedRequest, directory: Directory, id: str) -> Difference:
    """`Refusal` if the request does not wait for signers, or no worker answers; `FileFaults` for a past due date."""
    if prepared.overdue is not None:
        raise prepared.overdue
    planning = await _planning(context, request_id(id))
    if not planning.turns:
        raise Refusal(f"{planning.subject.id}: nothing can be compared, it is nobody's turn: not sent yet, or ended")
    wanted = planning.replace(policy=prepared.request.policy, due=prepared.request.due)
    planner = PolicyPlanner(directory)
    now, then = await planner.calendar(planning), await planner.calendar(wanted)
    return Difference(
        id=planning.subject.id,
        due_before=now.due_at,
        due_after=then.due_at,
        policy=tuple(_policy_changes(planning, wanted)),
        changes=tuple(sorted(_changes(now, then, planning), key=lambda one: one.after or one.before or now.due_at)),
    )


async def _planning(context: Context, id: str) -> PlanningInput:
    handle = context.client.get_workflow_handle(Kind.REQUEST.workflow_id(id))
    try:
        if (await runs.described(context.client, handle.id)).status is RunStatus.PAUSED:
            raise Refusal(f"{id}: the workflow is paused in Temporal, so nothing can be compared: unpause it")
        planning: PlanningInput = await handle.query(names.PLANNING, result_type=PlanningInput, rpc_timeout=_WITHIN)
    except WorkflowQueryFailedError as failure:
        raise Refusal(f"{id}: it does not say what it is planned from: {failure}") from None
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise Refusal(f"{id} is not a request that Temporal knows") from None
        raise Refusal(f"{id}: no worker answers, so nothing can be compared") from None
    return planning


def _policy_changes(planning: PlanningInput, wanted: PlanningInput) -> Iterator[PolicyChange]:
    before, after = dict(policy_fields(planning.policy)), dict(policy_fields(wanted.policy))
    for field in dict.fromkeys([*before, *after]):
        if before.get(field) != after.get(field):
            yield PolicyChange(field=field, before=before.get(field), after=after.get(field))


def _changes(now: Schedule, then: Schedule, planning: PlanningInput) -> Iterator[ScheduleChange]:
    before, after = _future_actions(now, planning), _future_actions(then, planning)
    for key in dict.fromkeys([*before, *after]):
        old, new = before.get(key), after.get(key)
        if old is None and new is not None:
            yield _change(ChangeKindOfAction.ADDED, new, after=new.at)
        elif new is None and old is not None:
            yield _change(ChangeKindOfAction.REMOVED, _as_suppressed(then, old), before=old.at)
        elif old is not None and new is not None and (old.at, old.to) != (new.at, new.to):
            yield _change(ChangeKindOfAction.MOVED, new, before=old.at, after=new.at)


def _future_actions(agenda: Schedule, planning: PlanningInput) -> dict[tuple[str, str], ScheduledAction]:
    return {(one.stage, one.person): one for one in agenda.moments if one.at > planning.now}


def _as_suppressed(then: Schedule, old: ScheduledAction) -> ScheduledAction:
    """The action as suppressed by the new plan, with the reason, else as it was."""
    return next((one for one in then.dropped if (one.stage, one.person) == (old.stage, old.person)), old)


def _change(what: ChangeKindOfAction, moment: ScheduledAction, **instants: Any) -> ScheduleChange:
    return ScheduleChange(what=what, stage=moment.stage, person=moment.person, to=moment.to, why=moment.why, **instants)
