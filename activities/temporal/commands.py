"""Commands (updates) that activities send to open workflows, with a bounded wait."""

from datetime import timedelta
from typing import Final

from temporalio.client import Client, WorkflowUpdateFailedError
from temporalio.service import RPCError

from activities.temporal.executions import about_a_pause, about_its_task, about_the_workflow
from activities.temporal.failures import failing_as_application_errors, passing_failure
from activities.temporal.updates import answered
from workflows.model.commands import UPDATES, AnyCommand, Cancellation, TaskCompletion
from workflows.model.subject import Code

ANSWERS_WITHIN: Final = timedelta(seconds=10)
_NOBODY: Final = ""
"""Reason if no worker answers."""


async def send_command(
    client: Client, workflow_id: str, command: AnyCommand, op: str, *, time_limit: timedelta = ANSWERS_WITHIN
) -> str | None:
    """Send a command, once for each `op`; None if accepted or closed, else why it was rejected. Without an answer
    within `time_limit`, a `Cancellation` cancels the run; other commands raise a retryable `ApplicationError`.
    """
    return await _send_or_cancel(client, workflow_id, command, op, time_limit) or None


async def send_if_open(client: Client, workflow_id: str, command: AnyCommand, op: str) -> bool | None:
    """Like `send_command`: whether it was accepted, None if the workflow has closed."""
    refusal = await _send_or_cancel(client, workflow_id, command, op, ANSWERS_WITHIN)
    return None if refusal == _NOBODY else refusal is None


async def try_command(client: Client, workflow_id: str, command: AnyCommand, op: str) -> str | None:
    """Like `send_command` for an optional command: a missing answer is a reason too."""
    with failing_as_application_errors():
        try:
            return await _send(client, workflow_id, command, op, ANSWERS_WITHIN) or None
        except _Unanswered as silent:
            return str(silent)


class _Unanswered(Exception):
    """The workflow is open, but no worker answers."""


class _PausedWorkflow(_Unanswered):
    """The workflow is paused and answers only after it is resumed; it must not delay others."""


async def _send_or_cancel(
    client: Client, workflow_id: str, command: AnyCommand, op: str, time_limit: timedelta
) -> str | None:
    with failing_as_application_errors():
        try:
            return await _send(client, workflow_id, command, op, time_limit)
        except _Unanswered as silent:
            if isinstance(command, Cancellation):
                await _cancel(client, workflow_id, command, time_limit)
                return None
            # Work that is done by then must not end as cancelled, nor stay open.
            if isinstance(silent, _PausedWorkflow) and not isinstance(command, TaskCompletion):
                return str(silent)
            raise passing_failure(Code.UNREACHABLE, str(silent)) from None


async def _send(client: Client, workflow_id: str, command: AnyCommand, op: str, time_limit: timedelta) -> str | None:
    handle, update_name = client.get_workflow_handle(workflow_id), UPDATES[type(command)]
    try:
        await answered(lambda: handle.execute_update(update_name, command, id=f"{update_name}-{op}"), time_limit)
    except WorkflowUpdateFailedError as refused:
        return str(refused.cause)
    except TimeoutError:
        raise _Unanswered("no worker answers") from None
    except RPCError as error:
        if about_a_pause(error):
            raise _PausedWorkflow("it is paused in Temporal") from None
        if about_its_task(error):
            raise _PausedWorkflow("its workflow task fails") from None
        if not about_the_workflow(error):
            raise
        return _NOBODY
    return None


async def _cancel(client: Client, workflow_id: str, command: Cancellation, time_limit: timedelta) -> None:
    # The server stores the reason unencrypted: no personal data in it.
    cancellation = command if client.data_converter.payload_codec is None else command.replace(reason="")
    try:
        await client.get_workflow_handle(workflow_id).cancel(reason=cancellation.of_the_run, rpc_timeout=time_limit)
    except RPCError as error:
        if not about_the_workflow(error):
            raise
