"""Wishes that activities send to living workflows: ended by then, refused, or taken; never waited for long."""

from datetime import timedelta
from typing import Any, Final

from temporalio.client import (
    Client,
    WorkflowHandle,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.service import RPCError

from activities.failures import passing_failure
from activities.rpc_errors import about_a_pause, about_its_task, about_the_workflow
from workflows.model.subject import Code
from workflows.model.wishes import UPDATES, AnyWish, Cancellation, Done

ANSWERS_WITHIN: Final = timedelta(seconds=10)
_ENDING: Final = (Cancellation, Done)


async def wish(
    client: Client, workflow_id: str, wanted: AnyWish, op: str, *, within: timedelta = ANSWERS_WITHIN
) -> str | None:
    """Send a wish, once for each `op`; None when it was taken, or there is nobody to take it, else why it was refused.

    One that ends something cancels the run where nobody answers: the server remembers that. Raises `ApplicationError`
    when Temporal cannot be reached.
    """
    handle, word = client.get_workflow_handle(workflow_id), UPDATES[type(wanted)]
    try:
        await handle.execute_update(word, wanted, id=f"{word}-{op}", rpc_timeout=within)
    except WorkflowUpdateFailedError as refused:
        return str(refused.cause)
    except WorkflowUpdateRPCTimeoutOrCancelledError:
        # Nobody works on it, or it is paused.
        if isinstance(wanted, _ENDING):
            await handle.cancel()
            return None
        raise passing_failure(Code.UNREACHABLE, "no worker answers") from None
    except RPCError as error:
        if about_a_pause(error):
            return await _unanswered(handle, wanted, "it is paused in Temporal")
        if about_its_task(error):
            return await _unanswered(handle, wanted, "its workflow task fails")
        if not about_the_workflow(error):
            raise passing_failure(Code.UNREACHABLE, f"Temporal: {error.status.name}") from None
    return None


async def _unanswered(handle: WorkflowHandle[Any, Any], wanted: AnyWish, why: str) -> str | None:
    if not isinstance(wanted, _ENDING):
        return why
    await handle.cancel()
    return None
