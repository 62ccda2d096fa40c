"""Sends commands of people to open requests and tasks. A command is an update, answered once it is recorded; its id has
the `op`, so that a repeated one counts once. Its outcome is read afterwards.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from hashlib import sha256
from typing import Any, Final

from google.protobuf.field_mask_pb2 import FieldMask
from temporalio.api.common.v1 import Priority as PrioritySet
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflow.v1 import WorkflowExecutionOptions
from temporalio.api.workflowservice.v1 import UpdateWorkflowExecutionOptionsRequest
from temporalio.client import (
    Client,
    WithStartWorkflowOperation,
    WorkflowHandle,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
    WorkflowUpdateFailedError,
)
from temporalio.common import Priority, WorkflowIDConflictPolicy
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from activities.errors import StoreFailure
from activities.records.receipts import KeptReceipt
from activities.records.store import Store
from activities.temporal import executions as runs
from activities.temporal.executions import about_a_pause, about_the_limit_in_flight, about_the_workflow
from activities.temporal.updates import answered
from starter.errors import Refusal
from starter.queries import lookup
from starter.queries.filters import id_of
from starter.temporal import pollers
from starter.temporal.connection import Context, TemporalRefusal
from workflows import names
from workflows.follow_up.commands import day_words
from workflows.hand_off.state import ReplayInput
from workflows.kinds import Kind, WorkflowName
from workflows.model.commands import UPDATES, AnyCommand, Cancellation, Command, Replay, TaskCompletion, Waiver
from workflows.model.messages import Message
from workflows.model.receipts import ID_AT_MOST, OTHER_CONTENT, OperationState, Receipt, digest_of
from workflows.model.records import ReplayOrder, SettledRecord
from workflows.model.rejections import Rejection, name_fault
from workflows.model.subject import Status, group_of
from workflows.model.views import Shown
from workflows.names import URGENT

OVERTAKES_AFTER: Final = timedelta(seconds=2)
"""Mostly the answer takes a tenth of that."""
_TOLD_WITHIN: Final = timedelta(seconds=5)
RECORDED_WITHIN: Final = timedelta(seconds=20)
CARRIED_OUT_WITHIN: Final = timedelta(seconds=20)
"""How long the outcome is awaited by default."""
_CALLER_CHARACTERS: Final = 8
"""Of the hash of a caller in the id of an update."""
OP_AT_MOST: Final = ID_AT_MOST - len("op--") - _CALLER_CHARACTERS
_KEPT_WITHIN: Final = 2.0
"""Seconds for a receipt in the database."""
_ENDED_WITHIN: Final = timedelta(seconds=2)
_FIRST_GLANCE: Final = 0.05
_GLANCE_AT_MOST: Final = 1.0
"""Longest seconds between two reads of the outcome; the pause doubles."""
_NO_ANSWER: Final = (
    RPCStatusCode.CANCELLED,
    RPCStatusCode.DEADLINE_EXCEEDED,
    RPCStatusCode.RESOURCE_EXHAUSTED,
    RPCStatusCode.UNAVAILABLE,
)


@asynccontextmanager
async def overtaking(client: Client, workflow_id: str) -> AsyncIterator[None]:
    """Raise a workflow's priority while a person waits for its answer, which thousands of queued starts would delay by
    minutes; then restore it. Activities keep theirs. No effect on servers that cannot, or without a worker.
    """
    original_priority = _OriginalPriority()
    first = asyncio.create_task(_go_first(client, workflow_id, original_priority))
    try:
        yield
    finally:
        if original_priority.before is None:
            first.cancel()
        with suppress(asyncio.CancelledError, RPCError, RuntimeError):
            await first
        if original_priority.before is not None:
            await _set_priority(client, workflow_id, original_priority.before)


@dataclass(frozen=True)
class Begin:
    """How to start the workflow for a command; each try makes its own `operation`, which the SDK takes once."""

    workflow_id: str
    operation: Callable[[], WithStartWorkflowOperation[Any, Any]]


class CommandRefused(Refusal):
    """Rejected; the text begins with `subject_id`, if given."""

    message: Message

    def __init__(self, message: Message, subject_id: str = "") -> None:
        super().__init__(f"{subject_id}: {message.english}" if subject_id else message.english, message)


class NotRunning(Refusal):
    """Nothing of this id is running: it has ended, or never was."""


class NotAdmitted(Refusal):
    """Temporal refused the update before it reached the workflow."""

    def __init__(self, reason: str, subject_id: str = "") -> None:
        super().__init__(
            f"{subject_id}: nothing was changed: {reason}" if subject_id else f"nothing was changed: {reason}"
        )
        self.reason = reason


class NotConfirmed(Refusal):
    """Unknown whether the change was made; repeated with the same `op` it is made once."""

    def __init__(self, op: str, reason: str = "") -> None:
        super().__init__(f"not confirmed, may still apply: repeat with --op {op}" + (f" ({reason})" if reason else ""))
        self.op = op


async def send(
    client: Client,
    id: str,
    command: AnyCommand,
    op: str,
    *,
    kind: Kind = Kind.REQUEST,
    time_limit: timedelta = RECORDED_WITHIN,
    begin: Begin | None = None,
    update_id: str = "",
) -> Receipt:
    """The receipt of an accepted command, now or earlier under the same `op`, or `update_id`. With `begin` the workflow
    is started unless it runs. Raises `CommandRefused`, `NotRunning`, `NotAdmitted`, `TemporalRefusal`, `NotConfirmed`.
    """
    workflow, id = WorkflowName(kind, id), update_id or _update_id(command, op)
    try:
        async with overtaking(client, workflow.workflow_id):
            receipt = await answered(lambda: _ask(client, workflow, command, id, begin), time_limit)
    except TimeoutError:
        raise NotConfirmed(op) from None
    except WorkflowUpdateFailedError as failure:
        raise CommandRefused(_read_refusal(failure, kind)) from None
    except RuntimeError as error:  # a lazy client that finds no server
        raise NotConfirmed(op) from error
    except RPCError as error:
        raise _not_taken(error, workflow, op, client.namespace) from error
    # The server answers a known update without asking the workflow.
    if receipt.digest != digest_of(command):
        raise CommandRefused(OTHER_CONTENT)
    return receipt


async def carry_out(
    client: Client,
    id: str,
    command: AnyCommand,
    op: str,
    *,
    kind: Kind = Kind.REQUEST,
    time_limit: timedelta = RECORDED_WITHIN,
    wait: timedelta = CARRIED_OUT_WITHIN,
    begin: Begin | None = None,
    update_id: str = "",
) -> Receipt:
    """Send a command, and wait up to `wait` for its outcome, which may still be open. Raises as `send`."""
    update_id = update_id or _update_id(command, op)
    receipt = await send(client, id, command, op, kind=kind, time_limit=time_limit, begin=begin, update_id=update_id)
    handle = client.get_workflow_handle(begin.workflow_id if begin else kind.workflow_id(id))
    outcome = await _outcome(handle, update_id, receipt, wait)
    if outcome.state is OperationState.REFUSED:
        raise CommandRefused(outcome.refusal or _not_done(kind))
    return outcome


async def make(
    context: Context,
    id: str,
    command: AnyCommand,
    *,
    op: str | None = None,
    kind: Kind = Kind.REQUEST,
    time_limit: timedelta = RECORDED_WITHIN,
    wait: timedelta = CARRIED_OUT_WITHIN,
) -> Receipt:
    """Carry out an operator's command, once for each `op` of its caller, by default the command's own; see `carry_out`.
    One that is repeated within 30 days has its former answer, also when the workflow has ended or was forgotten;
    another one under the same `op` is refused.
    """
    by_hand = command if isinstance(command, Command) else None
    id, op = id_of(kind, id), op or (by_hand and by_hand.op) or secrets.token_hex(6)
    if fault := _unnamed(by_hand, op):
        raise Refusal(fault.english, fault)
    if by_hand:
        command = by_hand.replace(op=op)
    workflow = WorkflowName(kind, id)
    try:
        former = await _former(context.store, workflow, command, op)
        if former and former.state is not OperationState.OPEN:
            return former
        receipt = (await _deliver_command(context, workflow, command, op, time_limit=time_limit, wait=wait)).replace(
            op=op
        )
    except CommandRefused as refused:
        raise CommandRefused(refused.message, id) from None
    except NotAdmitted as refused:
        raise NotAdmitted(refused.reason, id) from None
    except NotRunning:
        if former:
            return await _became(context.client, workflow, command, former)
        async with lookup.suggesting(context.client):
            view = await _view_of_ended(context, workflow, command)
        sentence, digest = view.says, digest_of(command)
        receipt = Receipt(id=id, status=view.status, op=op, says=sentence, state=OperationState.DONE, digest=digest)
    await _keep(context.store, workflow, command, receipt)
    return receipt


def refuse_own(person: str, asking: frozenset[str]) -> None:
    """Refuse an exemption by one of those who ask, whom the workflow does not know of a group."""
    if person in asking:
        raise CommandRefused(Rejection.EXEMPTS_OWN.to_message(person=person))


def refuse_outsider(person: str, asker: str, members: frozenset[str]) -> None:
    """Refuse somebody who is not of the group that asks, whose members the workflow does not know."""
    if (group := group_of(asker)) and person not in members:
        raise CommandRefused(Rejection.NOT_IN_GROUP.to_message(person=person, group=group))


async def refuse_earlier(context: Context, kind: Kind, typed: str, typed_due: str, new_due: datetime | date) -> None:
    """Refuse a relative due date (`typed_due`) that would shorten an extension."""
    view = await lookup.show_of(kind, context, typed)
    due = view.due_at
    if due is None or view.status.has_ended:
        return
    if new_due < due if isinstance(new_due, datetime) else new_due < due.date():
        day, due_day = day_words(new_due), day_words(due)
        raise CommandRefused(Rejection.EARLIER_THAN_DUE.to_message(words=typed_due, day=day, due=due_day), view.id)


async def hand_off_again(context: Context, workflow: WorkflowName, priority: Priority = Priority.default) -> Begin:
    """How to start the workflow that repeats the hand-off of an ended one, one per id. `Refusal` without a record."""
    content = await context.store.records.read(workflow.workflow_id)
    if content is None:
        async with lookup.suggesting(context.client):
            view = await lookup.find_best_view(context.client, context.store, workflow)
        raise Refusal(f"{workflow.id}: it has no record of an ending: {view.says}")
    status = SettledRecord.model_validate_json(content).show.status
    workflow_id = names.hand_off_workflow_id(workflow.reference)
    operation = partial(
        WithStartWorkflowOperation[Any, Any],
        names.HAND_OFF,
        ReplayInput(ended=ReplayOrder(type=workflow.kind, id=workflow.id), status=status),
        id=workflow_id,
        task_queue=names.WORKFLOW_QUEUE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        static_summary=f"hand off once more: {workflow.reference}",
        priority=priority,
    )
    return Begin(workflow_id, operation)


@dataclass
class _OriginalPriority:
    """The original priority; None while unchanged."""

    before: PrioritySet | None = None


async def _go_first(client: Client, workflow_id: str, original_priority: _OriginalPriority) -> None:
    await asyncio.sleep(OVERTAKES_AFTER.total_seconds())
    if not await pollers.is_polled(client):
        return
    description = await runs.described(client, workflow_id)
    priority = description.raw.workflow_execution_info.priority
    if description.status.open and priority.priority_key != URGENT:
        original_priority.before = priority
        await _set_priority(client, workflow_id, PrioritySet(priority_key=URGENT, fairness_key=priority.fairness_key))


async def _set_priority(client: Client, workflow_id: str, priority: PrioritySet) -> None:
    with suppress(RPCError):
        await client.workflow_service.update_workflow_execution_options(
            UpdateWorkflowExecutionOptionsRequest(
                namespace=client.namespace,
                workflow_execution=WorkflowExecution(workflow_id=workflow_id),
                workflow_execution_options=WorkflowExecutionOptions(priority=priority),
                update_mask=FieldMask(paths=["priority"]),
            ),
            timeout=_TOLD_WITHIN,
        )


async def _ask(client: Client, workflow: WorkflowName, command: AnyCommand, id: str, begin: Begin | None) -> Receipt:
    update_name = UPDATES[type(command)]
    receipt: Receipt
    if begin is None:
        handle = client.get_workflow_handle(workflow.workflow_id)
        receipt = await handle.execute_update(update_name, command, id=id, result_type=Receipt)
    else:
        receipt = await client.execute_update_with_start_workflow(
            update_name, command, start_workflow_operation=begin.operation(), id=id, result_type=Receipt
        )
    return receipt


def _update_id(command: AnyCommand, op: str) -> str:
    return f"{UPDATES[type(command)]}-{op}"


def _named_update_id(command: AnyCommand, op: str) -> str:
    """Of an `op` that its caller has chosen: the same for each of their commands, so that another one is recognised."""
    caller = command.known_by.actor(command.sender) if command.known_by else command.sender
    return f"op-{op}-{sha256(caller.encode()).hexdigest()[:_CALLER_CHARACTERS]}"


async def _deliver_command(
    context: Context, workflow: WorkflowName, command: AnyCommand, op: str, *, time_limit: timedelta, wait: timedelta
) -> Receipt:
    (kind, id), update_id = workflow, _named_update_id(command, op)
    deliver = partial(
        carry_out, context.client, id, command, op, kind=kind, time_limit=time_limit, wait=wait, update_id=update_id
    )
    try:
        return await deliver()
    except NotRunning:
        if not isinstance(command, Replay):
            raise
    # An ended one is handed off again from its record.
    return await deliver(begin=await hand_off_again(context, workflow))


async def _former(store: Store, workflow: WorkflowName, command: AnyCommand, op: str) -> Receipt | None:
    """The kept answer, None if none is or the database is away; raises `CommandRefused` for other content."""
    with suppress(StoreFailure, TimeoutError):
        async with asyncio.timeout(_KEPT_WITHIN):
            if kept_receipt := await store.receipts.read(workflow.workflow_id, _named_update_id(command, op)):
                if kept_receipt.fingerprint != digest_of(command):
                    raise CommandRefused(OTHER_CONTENT)
                return Receipt.model_validate_json(kept_receipt.answer)
    return None


async def _keep(store: Store, workflow: WorkflowName, command: AnyCommand, receipt: Receipt) -> None:
    """While the database is away it is the workflow that knows it."""
    kept_receipt, op = KeptReceipt(digest_of(command), receipt.model_dump_json()), _named_update_id(command, receipt.op)
    with suppress(StoreFailure, TimeoutError):
        async with asyncio.timeout(_KEPT_WITHIN):
            await store.receipts.keep(workflow.workflow_id, op, kept_receipt, datetime.now(UTC))


async def _became(client: Client, workflow: WorkflowName, command: AnyCommand, former: Receipt) -> Receipt:
    """What became of an accepted command of a workflow that has ended since, as far as Temporal remembers it. Raises
    `CommandRefused`.
    """
    handle = client.get_workflow_handle(workflow.workflow_id)
    outcome = await _outcome(handle, _named_update_id(command, former.op), former, _ENDED_WITHIN)
    if outcome.state is OperationState.REFUSED:
        raise CommandRefused(outcome.refusal or _not_done(workflow.kind), workflow.id)
    return outcome.replace(op=former.op)


async def _outcome(handle: WorkflowHandle[Any, Any], id: str, receipt: Receipt, wait: timedelta) -> Receipt:
    """The last receipt, once carried out or the time is over; an absent worker changes nothing."""
    pause = _FIRST_GLANCE
    with suppress(TimeoutError):
        async with asyncio.timeout(wait.total_seconds()):
            while receipt.state is OperationState.OPEN:
                # A ValueError means that it is paused: the SDK does not know the status.
                with suppress(RPCError, WorkflowQueryFailedError, WorkflowQueryRejectedError, ValueError):
                    receipt = await handle.query(names.OPERATION, id, result_type=Receipt, rpc_timeout=wait) or receipt
                await asyncio.sleep(pause if receipt.state is OperationState.OPEN else 0)
                pause = min(2 * pause, _GLANCE_AT_MOST)
    return receipt


def _unnamed(command: Command | None, op: str) -> Message | None:
    """Why actor or `op` cannot be sent."""
    if len(op) > OP_AT_MOST:
        return Rejection.TOO_LONG.to_message(what="--op", most=OP_AT_MOST)
    return (name_fault(command.actor, "--as") if command else None) or name_fault(op, "--op")


async def _view_of_ended(context: Context, workflow: WorkflowName, command: AnyCommand) -> Shown:
    """A closed one that ended as wanted; else too late."""
    view = await lookup.find_best_view(context.client, context.store, workflow)
    if _has_come_about(view, command):
        return view
    outcome = f"too late, the {workflow.kind} is {view.status}"
    raise NotRunning(f"{workflow.id}: {outcome if view.status.has_ended else view.says}")


def _has_come_about(view: Shown, command: AnyCommand) -> bool:
    """Whoever wants it ended need not have been the first; whoever says it is done must be."""
    if isinstance(command, TaskCompletion):
        return view.ended_by == command.actor
    return (type(command), view.status) in ((Cancellation, Status.CANCELLED), (Waiver, Status.WAIVED))


def _not_taken(error: RPCError, workflow: WorkflowName, op: str, namespace: str) -> Refusal:
    if about_the_limit_in_flight(error):
        return NotAdmitted(f"too many changes of this {workflow.kind} wait for a worker already")
    if about_a_pause(error):
        return NotAdmitted("the workflow is paused in Temporal; unpause it there first")
    if error.status is RPCStatusCode.FAILED_PRECONDITION:  # code that does not fit fails its tasks; another may not
        return NotConfirmed(op, f"Temporal: {error.message}")
    if error.status in _NO_ANSWER:
        return NotConfirmed(op)
    return NotRunning(workflow.id) if about_the_workflow(error) else TemporalRefusal(error, namespace)


def _read_refusal(failure: WorkflowUpdateFailedError, kind: Kind) -> Message:
    details = failure.cause.details if isinstance(failure.cause, ApplicationError) else ()
    return Message.model_validate(details[0]) if details else _not_done(kind)


def _not_done(kind: Kind) -> Message:
    return Rejection.NOT_DONE.to_message(subject=kind)
