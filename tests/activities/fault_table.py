"""Every fault that the sandbox does to an HTTP call, and how a call can end: what the tables of clients are made of.

A client's table says for each fault of `FAULTS` how each of its calls ends. `FAULTS` is made from the sandbox's own
list, so a fault that is new there is missing in every table until somebody has thought about it.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from activities.http.client import Cause, ServiceFailure
from activities.temporal.failures import to_application_error
from deploy.sandbox.server import RunningSandbox
from deploy.sandbox.state.faults import CALLBACK_FAULTS, DOWNLOAD_FAULTS, ArmedFault, FaultKind
from workflows.model.subject import Code

SHORT: Final = 0.25
"""Seconds: the deadline of calls that are to miss it."""
_WAIT: Final = 7
_LONG: Final = 60
_PATIENCE: Final = 10
"""Seconds: before a read time-out, and before the last byte that drips, so that only our deadline keeps within it."""
_AT_ONCE: Final = 4
"""Enough to wait for several slow answers together, and few enough for as many huge ones."""

_VARIANTS: Final[dict[str, dict[str, Any]]] = {
    "slow": {"fault": FaultKind.SLOW, "delay": _LONG},
    "slow-in-time": {"fault": FaultKind.SLOW, "delay": 0.02},
    "401-of-a-gateway": {"fault": FaultKind.UNAUTHORIZED, "shape": "apigee"},
    "429-for-seconds": {"fault": FaultKind.THROTTLED, "retry_after": _WAIT},
    "429-until-a-date": {"fault": FaultKind.THROTTLED, "retry_after": "date", "delay": _WAIT},
    "503-as-a-page": {"fault": FaultKind.UNAVAILABLE, "shape": "html"},
}
FAULTS: Final[Mapping[str, Mapping[str, Any]]] = {
    kind.value: {"fault": kind} for kind in FaultKind if kind not in CALLBACK_FAULTS | DOWNLOAD_FAULTS
} | _VARIANTS
LATE: Final = frozenset({"slow", "drip"})
"""Faults whose answers come after the deadline."""
ASKED_TO_WAIT: Final = frozenset({"429-for-seconds", "429-until-a-date"})


@dataclass(frozen=True)
class Ending:
    """How a call ended, as Temporal is told; `cause` and `code` are None when it did as asked."""

    cause: Cause | None = None
    code: Code | None = None
    passes: bool = False
    waits: bool = False
    """Whether the next attempt waits for as long as the service asked."""


DONE: Final = Ending()
NO_ANSWER: Final = Ending(Cause.NO_ANSWER, Code.UNREACHABLE, passes=True)
UNREADABLE: Final = Ending(Cause.UNREADABLE, Code.UNREACHABLE, passes=True)
LATER: Final = Ending(Cause.STATUS, Code.UNREACHABLE, passes=True)
LATER_AS_ASKED: Final = Ending(Cause.STATUS, Code.UNREACHABLE, passes=True, waits=True)
NEVER: Final = Ending(Cause.STATUS, Code.UNREACHABLE)
REFUSED: Final = Ending(Cause.STATUS, Code.REFUSED)
UNAUTHORISED: Final = Ending(Cause.STATUS, Code.UNAUTHORISED)

OF_A_SERVICE: Final[Mapping[str, Ending]] = {
    "refuse": NO_ANSWER,
    "cut": NO_ANSWER,
    "slow-in-time": DONE,
    "slow": NO_ANSWER,
    "drip": NO_ANSWER,
    "truncate": NO_ANSWER,
    "html": UNREADABLE,
    "huge": UNREADABLE,
    "302": NEVER,
    "400": REFUSED,
    "401": UNAUTHORISED,
    "401-of-a-gateway": UNAUTHORISED,
    "403": UNAUTHORISED,
    "404": REFUSED,
    "409": LATER,
    "410": REFUSED,
    "413": REFUSED,
    "429": LATER,
    "429-for-seconds": LATER_AS_ASKED,
    "429-until-a-date": LATER_AS_ASKED,
    "500": LATER,
    "502": LATER,
    "503": LATER,
    "503-as-a-page": LATER,
}
"""How a call ends whose answer is needed, by the one table of activities/temporal/failures.py."""
OF_A_TOKEN_END_POINT: Final[Mapping[str, Ending]] = {
    **OF_A_SERVICE,
    # It words these as OAuth's `temporarily_unavailable`, and its word counts before its status.
    **dict.fromkeys(("400", "404", "409", "410", "413"), LATER),
}


def arm_always(sandbox: RunningSandbox, fault: str, path: str) -> None:
    """Have every request below `path` hit by `fault` of `FAULTS` from now on, and by no other."""
    sandbox.state.faults.clear()
    sandbox.state.faults.arm(ArmedFault.model_validate({**FAULTS[fault], "path": path, "times": None}))


def calls_of(client: type) -> set[str]:
    """The names of a client's public calls."""
    coroutines = inspect.getmembers(client, inspect.iscoroutinefunction)
    return {name for name, _ in coroutines if not name.startswith("_") and name != "aclose"}


async def ending(call: Awaitable[object]) -> Ending:
    """How `call` ends; a `TimeoutError` when it goes on and on."""
    try:
        async with asyncio.timeout(_PATIENCE):
            await call
    except ServiceFailure as failure:
        error = to_application_error(failure)
        waits = error.next_retry_delay is not None and error.next_retry_delay.total_seconds() >= _WAIT - 1
        return Ending(failure.cause, Code(error.type or ""), not error.non_retryable, waits)
    return DONE


async def endings(calls: Mapping[str, Awaitable[object]]) -> dict[str, Ending]:
    """How each of these calls ends, a few at a time."""
    semaphore = asyncio.Semaphore(_AT_ONCE)

    async def find_ending(call: Awaitable[object]) -> Ending:
        async with semaphore:
            return await ending(call)

    return dict(zip(calls, await asyncio.gather(*map(find_ending, calls.values())), strict=True))
