"""Wait for the result of a workflow update; separate from commands.py to keep imports of the command line small."""

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
    """The result of the update that `ask` sends under a fixed id; sent again while a worker drops it.

    Raises `WorkflowUpdateFailedError` when the workflow rejects it, `TimeoutError` without an answer `within` this
    time.
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
    """Whether a worker dropped the update, as the SDK does in a rare race, and no workflow rejected it."""
    return isinstance(failure.cause, ApplicationError) and failure.cause.type == _PASSED_OVER
