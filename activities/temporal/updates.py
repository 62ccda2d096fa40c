"""Waits for the result of a workflow update; separate from commands.py for fast imports of the command line."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final, TypeVar

from temporalio.client import WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.exceptions import ApplicationError

T = TypeVar("T")
_ASKED_AGAIN_AFTER: Final = 0.05
"""Seconds after which a dropped update is sent again."""
_PASSED_OVER: Final = "UnprocessedUpdate"
"""The server's failure type if a worker completed a task without answering the update in it."""


async def answered(ask: Callable[[], Awaitable[T]], wait: timedelta) -> T:
    """The result of the update that `ask` sends under a fixed id; resent while a worker drops it. Raises
    `WorkflowUpdateFailedError` or `TimeoutError`.
    """
    try:
        async with asyncio.timeout(wait.total_seconds()):
            while True:
                try:
                    return await ask()
                except WorkflowUpdateFailedError as failure:
                    if not _passed_over(failure):
                        raise
                await asyncio.sleep(_ASKED_AGAIN_AFTER)
    except WorkflowUpdateRPCTimeoutOrCancelledError:
        # The SDK raises it for cancelled callers, too.
        if (caller := asyncio.current_task()) and caller.cancelling():
            raise asyncio.CancelledError from None
        raise TimeoutError from None


def _passed_over(failure: WorkflowUpdateFailedError) -> bool:
    """Whether a worker dropped the update, as the SDK does in a rare race."""
    return isinstance(failure.cause, ApplicationError) and failure.cause.type == _PASSED_OVER
