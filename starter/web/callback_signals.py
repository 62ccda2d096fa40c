"""How a callback's hint reaches the workflow of its request: a plain signal, with a short deadline.

Never signal-with-start: a late callback would bring a finished request back to life (docs/faults.md, A10). A document
that was sent by hand is not begun here either, for which directory, catalogue and store were needed, and its truth: the
sweep that adopts documents is asked to come soon, and does what it does anyhow.

A workflow is signalled by one at a time. What comes meanwhile goes as one hint behind it: a hint says that the document
should be read, and one reading after all of them is all that they ask for. It has the ids of all of them, so that one
that is known already takes none along that is not. So a burst makes answers no slower than two signals take, or the
deadline of one where Temporal is away, and a flood of one genuine callback is a few signals. One that is replayed again
and again without overlapping is a signal each time, of which a run takes some thousands before it goes on as another.
"""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from hashlib import sha256
from typing import Final, Protocol
from weakref import WeakValueDictionary

from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError

from activities.temporal.executions import about_the_workflow
from workflows.kinds import Kind
from workflows.model.reconciliation import Reconciliation
from workflows.model.signature import ProviderEvent
from workflows.names import PROVIDER_EVENT, RECONCILIATION, RECONCILIATION_CALLED, WORKFLOW_QUEUE

SIGNAL_SECONDS: Final = 3.0
"""Well below the time-out of the shortest-tempered caller."""
TOGETHER_AT_MOST: Final = 20
"""Ids that a hint carries beside its own: nobody vouches for the body that they stand in, and a history keeps them."""
SWEPT_AFTER: Final = timedelta(seconds=10)
"""Lists may show a document late; and however many documents of others there are, there are no more sweeps."""
SUMMARY: Final = "a callback told of a document that nobody of ours sent"
_PING_SECONDS: Final = 2.0
_COMPLETED: Final = "already completed"


class SignalResult(Enum):
    """What Temporal did with a signal."""

    TAKEN = "taken"
    UNKNOWN = "unknown"
    CLOSED = "closed"


class SignalNotConfirmed(Exception):
    """Temporal did not confirm the signal: it should be sent again."""


class SignalPort(Protocol):
    """Where the hints of callbacks go."""

    async def signal(self, request: str, event: ProviderEvent) -> SignalResult:
        """Hand over `event` to the workflow of `request`; raises `SignalNotConfirmed` unless that was confirmed."""
        ...

    async def sweep(self) -> None:
        """Have a sweep made soon, one for all who ask meanwhile; raises `SignalNotConfirmed` unless that was
        confirmed.
        """
        ...

    async def reachable(self) -> bool:
        """Whether a signal could be taken now."""
        ...


@dataclass(frozen=True)
class _Waiting:
    """What came while a request was signalled, and what becomes of the one hint for all of it."""

    events: dict[str, ProviderEvent]
    receipt: asyncio.Task[SignalResult]


class TemporalSignals:
    """Signals by Temporal; the client may be lazy, so that the receiver starts before the server does."""

    def __init__(self, client: Client, *, seconds: float = SIGNAL_SECONDS) -> None:
        self._client = client
        self._seconds = seconds
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._next: dict[str, _Waiting] = {}

    async def signal(self, request: str, event: ProviderEvent) -> SignalResult:
        """See `SignalPort`; what waits for its turn already is joined."""
        waiting = self._next.get(request)
        if waiting is None:
            events: dict[str, ProviderEvent] = {}
            waiting = _Waiting(events, asyncio.create_task(self._in_turn(request, events)))
            waiting.receipt.add_done_callback(_is_heard)
            self._next[request] = waiting
        waiting.events[event.id] = event
        return await asyncio.shield(waiting.receipt)

    async def _in_turn(self, request: str, events: dict[str, ProviderEvent]) -> SignalResult:
        """The whole of it, also while another one is under way, has one deadline: the caller does not wait for two."""
        turn = self._turns.setdefault(request, asyncio.Lock())
        try:
            # The client's own deadline does not cover the connecting of a lazy one.
            async with asyncio.timeout(self._seconds):
                try:
                    await turn.acquire()
                finally:
                    # It is under way or given up: who comes now wants another reading.
                    del self._next[request]
                try:
                    return await self._signal(request, _one_hint(events.values()))
                finally:
                    turn.release()
        except (RuntimeError, TimeoutError) as error:
            raise SignalNotConfirmed("no answer from Temporal") from error

    async def _signal(self, request: str, event: ProviderEvent) -> SignalResult:
        handle = self._client.get_workflow_handle(Kind.REQUEST.workflow_id(request))
        try:
            await handle.signal(PROVIDER_EVENT, event, rpc_timeout=timedelta(seconds=self._seconds))
        except RPCError as error:
            return _receipt(error)
        return SignalResult.TAKEN

    async def sweep(self) -> None:
        """See `SignalPort`."""
        try:
            async with asyncio.timeout(self._seconds):
                await self._client.start_workflow(
                    RECONCILIATION,
                    Reconciliation(),
                    id=RECONCILIATION_CALLED,
                    task_queue=WORKFLOW_QUEUE,
                    id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                    start_delay=SWEPT_AFTER,
                    static_summary=SUMMARY,
                    rpc_timeout=timedelta(seconds=self._seconds),
                )
        except (RPCError, RuntimeError, TimeoutError) as error:
            raise SignalNotConfirmed("no answer from Temporal") from error

    async def reachable(self) -> bool:
        """See `SignalPort`."""
        try:
            async with asyncio.timeout(_PING_SECONDS):
                return await self._client.service_client.check_health(timeout=timedelta(seconds=_PING_SECONDS))
        except (RPCError, RuntimeError, TimeoutError):
            return False


def _is_heard(receipt: asyncio.Task[SignalResult]) -> None:
    """Whether or not a caller still waits: one that has hung up leaves a refusal that nobody asks for."""
    if not receipt.cancelled():
        receipt.exception()


def _one_hint(events: Collection[ProviderEvent]) -> ProviderEvent:
    """The newest of them, with the ids of the others; of too many an id that is made of all, and so known as little."""
    newest = max(events, key=lambda event: event.at)
    if len(events) <= 1 + TOGETHER_AT_MOST:
        return newest.replace(also=tuple(event.id for event in events if event is not newest))
    return newest.replace(id=sha256("\n".join(sorted(event.id for event in events)).encode()).hexdigest())


def _receipt(error: RPCError) -> SignalResult:
    if not about_the_workflow(error):
        raise SignalNotConfirmed(f"Temporal answered {error.status.name}") from error
    return SignalResult.CLOSED if _COMPLETED in error.message else SignalResult.UNKNOWN
