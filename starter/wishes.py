"""What people wish of a living request: one way in for the command and the pages, and harmless to repeat.

A wish is an update of the workflow. Its id is its word and the `op`: the same word with the same `op` is taken once,
however often it is sent.
"""

import asyncio
import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Final, TypeAlias

from temporalio.client import Client, WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from activities.rpc_errors import about_the_workflow
from starter import lookup
from starter.context import Context
from starter.exits import Refusal
from starter.request_ids import request_id
from starter.temporal_refusals import TemporalRefused
from workflows import names
from workflows.model.base import Model
from workflows.model.request import Status
from workflows.model.views import RequestShow
from workflows.model.wishes import (
    Answer,
    Cancellation,
    Delegation,
    Extension,
    NotNow,
    Pause,
    Question,
    ReminderNow,
    Resumption,
    Wish,
)

AnyWish: TypeAlias = Wish | NotNow | Question
WITHIN: Final = timedelta(seconds=20)
_UPDATES: Final[Mapping[type[AnyWish], str]] = {
    Cancellation: names.CANCEL,
    ReminderNow: names.REMIND,
    Delegation: names.DELEGATE,
    Extension: names.EXTEND,
    Pause: names.PAUSE,
    Resumption: names.RESUME,
    NotNow: names.SNOOZE,
    Question: names.ASK,
    Answer: names.ANSWER,
}
_NO_ANSWER: Final = (
    RPCStatusCode.CANCELLED,
    RPCStatusCode.DEADLINE_EXCEEDED,
    RPCStatusCode.RESOURCE_EXHAUSTED,
    RPCStatusCode.UNAVAILABLE,
)


class Changed(Model):
    """The answer of every word that changes a request; `says` is where it stands now."""

    id: str
    status: Status
    op: str
    says: str


class Refused(Refusal):
    """The request does not take the wish; the text is the workflow's sentence for whoever wished it."""


class NotLiving(Refusal):
    """No such request is running: it has ended, or never was."""


class NotConfirmed(Refusal):
    """Nobody said whether the change was made; repeated with the same `op` it is made once."""

    def __init__(self, op: str, why: str = "") -> None:
        super().__init__(f"not confirmed, may still apply: repeat with --op {op}" + (f" ({why})" if why else ""))
        self.op = op


async def send(client: Client, request: str, wish: AnyWish, op: str, *, within: timedelta = WITHIN) -> RequestShow:
    """Where the request stands once it has taken the wish.

    Raises `Refused`, `NotLiving`, `TemporalRefused`, and `NotConfirmed` when no answer came `within` time.
    """
    handle, word = client.get_workflow_handle(names.request_workflow_id(request)), _UPDATES[type(wish)]
    try:
        async with asyncio.timeout(within.total_seconds()):
            shown: RequestShow = await handle.execute_update(word, wish, id=f"{word}-{op}", result_type=RequestShow)
    except (TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError):
        raise NotConfirmed(op) from None
    except WorkflowUpdateFailedError as failure:
        raise Refused(_why(failure)) from None
    except RuntimeError as error:  # a lazy client that finds no server
        raise NotConfirmed(op) from error
    except RPCError as error:
        raise _not_taken(error, request, op, client.namespace) from error
    return shown


async def make(context: Context, id: str, wish: Wish, *, within: timedelta = WITHIN) -> Changed:
    """Have a request take an operator's wish, once for each `op` of it; see `send`."""
    id, op = request_id(id), wish.op or secrets.token_hex(6)
    try:
        shown = await send(context.client, id, wish.replace(op=op), op, within=within)
    except Refused as refused:
        raise Refused(f"{id}: {refused}") from None
    except NotLiving:
        shown = await _ended(context, id, wish)
    return Changed(id=shown.id, status=shown.status, op=op, says=shown.says)


async def _ended(context: Context, id: str, wish: Wish) -> RequestShow:
    """A request whose workflow is closed: fine when it was cancelled, whoever asked for it; else too late."""
    shown = await lookup.look(context.client, context.store, id)
    if isinstance(wish, Cancellation) and shown.status is Status.CANCELLED:
        return shown
    raise NotLiving(f"{id}: too late, the request is {shown.status}" if shown.status.ended else f"{id}: {shown.says}")


def _not_taken(error: RPCError, request: str, op: str, namespace: str) -> Refusal:
    if error.status is RPCStatusCode.FAILED_PRECONDITION:  # code that does not fit fails its tasks; another may not
        return NotConfirmed(op, f"Temporal: {error.message}")
    if error.status in _NO_ANSWER:
        return NotConfirmed(op)
    return NotLiving(request) if about_the_workflow(error) else TemporalRefused(error, namespace)


def _why(failure: WorkflowUpdateFailedError) -> str:
    return failure.cause.message if isinstance(failure.cause, ApplicationError) else "the request could not do it"
