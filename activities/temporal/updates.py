"""How an update is asked of a workflow; by itself, for the command asks so too and waits for each import."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final, TypeVar

from temporalio.client import WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.exceptions import ApplicationError

T = TypeVar("T")
_ASKED_AGAIN_AFTER: Final = 0.05
"""Seconds after which an update is sent again that a worker passed over."""
_PASSED_OVER: Final = "UnprocessedUpdate"
"""The server's own type of a refusal: the worker finished a task without a word about the update that came with it."""


async def answered(ask: Callable[[], Awaitable[T]], within: timedelta) -> T:
    """What a workflow answers to an update of one id, which `ask` sends: again while a worker passes it over.

    Raises `WorkflowUpdateFailedError` when the workflow refuses it, `TimeoutError` when nobody answers `within`.
    """
    try:
        async with asyncio.timeout(within.total_seconds()):
            while True:
                try:
                    return await ask()
                except WorkflowUpdateFailedError as failure:
                    if not _passed_over(failure):
                        raise
                await asyncio.sleep(_ASKED_AGAIN_AFTER)
    except WorkflowUpdateRPCTimeoutOrCancelledError:
        # The SDK says so as well to a caller who is cancelled.
        if (caller := asyncio.current_task()) and caller.cancelling():
            raise asyncio.CancelledError from None
        raise TimeoutError from None


def _passed_over(failure: WorkflowUpdateFailedError) -> bool:
    """Whether no workflow refused the update, but a worker left it out, as the SDK does in a rare race."""
    return isinstance(failure.cause, ApplicationError) and failure.cause.type == _PASSED_OVER
