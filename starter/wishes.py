"""What people wish of a living request: one way in for the command and the pages, and harmless to repeat.

A wish is an update of the workflow. Its id is the `op`: with the same one it is taken once, however often it is sent.
"""

import asyncio
import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Final, TypeAlias

from temporalio.client import Client, WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from starter import looking
from starter.desk import Desk
from starter.exits import Refusal
from starter.request_ids import request_id
from workflows import names
from workflows.model import (
    Answer,
    Cancellation,
    Delegation,
    Extension,
    Model,
    NotNow,
    Pause,
    Question,
    ReminderNow,
    Resumption,
    Status,
    Wish,
)
from workflows.shown import RequestShow

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

    def __init__(self, op: str) -> None:
        super().__init__(f"not confirmed, may still apply: repeat with --op {op}")
        self.op = op


async def send(client: Client, request: str, wish: AnyWish, op: str, *, within: timedelta = WITHIN) -> RequestShow:
    """Where the request stands once it has taken the wish.

    Raises `Refused`, `NotLiving`, and `NotConfirmed` when no answer came `within` time.
    """
    handle = client.get_workflow_handle(names.request_workflow_id(request))
    try:
        async with asyncio.timeout(within.total_seconds()):
            shown: RequestShow = await handle.execute_update(_UPDATES[type(wish)], wish, id=op, result_type=RequestShow)
    except (TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError):
        raise NotConfirmed(op) from None
    except WorkflowUpdateFailedError as failure:
        raise Refused(_why(failure)) from None
    except RuntimeError as error:  # a lazy client that finds no server
        raise NotConfirmed(op) from error
    except RPCError as error:
        if error.status in _NO_ANSWER:
            raise NotConfirmed(op) from error
        if error.status is RPCStatusCode.NOT_FOUND:
            raise NotLiving(request) from error
        raise
    return shown


async def make(desk: Desk, id: str, wish: Wish, *, within: timedelta = WITHIN) -> Changed:
    """Have a request take an operator's wish, once for each `op` of it; see `send`."""
    id, op = request_id(id), wish.op or f"{_UPDATES[type(wish)]}-{secrets.token_hex(6)}"
    try:
        shown = await send(desk.client, id, wish.having(op=op), op, within=within)
    except Refused as refused:
        raise Refused(f"{id}: {refused}") from None
    except NotLiving:
        shown = await _ended(desk, id, wish)
    return Changed(id=shown.id, status=shown.status, op=op, says=shown.says)


async def _ended(desk: Desk, id: str, wish: Wish) -> RequestShow:
    """A request whose workflow is closed: fine when it was cancelled, whoever asked for it; else too late."""
    shown = await looking.look(desk.client, desk.store, id)
    if isinstance(wish, Cancellation) and shown.status is Status.CANCELLED:
        return shown
    raise NotLiving(f"{id}: too late, the request is {shown.status}" if shown.status.ended else f"{id}: {shown.says}")


def _why(failure: WorkflowUpdateFailedError) -> str:
    return failure.cause.message if isinstance(failure.cause, ApplicationError) else "the request could not do it"
