"""What a page may wait for: where a request stands by our own side, or nothing when nobody says so soon."""

import asyncio
from datetime import timedelta
from typing import Final

from temporalio.client import Client
from temporalio.service import RPCError

from activities.requests.cover_sheet import CoverSheet
from activities.store.failures import StoreFailure
from activities.store.store import Store
from activities.tasks.cover_sheet import TaskCover
from starter.codec import CodecError
from starter.error_types import Refusal
from starter.lookup import look_at, recorded
from starter.onboarding.composed import composed
from workflows.kinds import Kind, WorkflowName, referred
from workflows.model.views import Shown

_WORKER_ANSWERS_WITHIN: Final = timedelta(seconds=1.5)
_SECONDS: Final = 5.0
_NOT_SAID: Final = (
    *(Refusal, RPCError, RuntimeError, TimeoutError, StoreFailure),
    CodecError,
    # Of a newer worker, or a newer record: a word or a field that this process does not know.
    ValueError,
)


class QuickLook:
    """Asks the workflow, else the settled record, else the cover sheet; never fails for what they answer.

    `seconds` are the most for the workflow, and again for what the store has.
    """

    def __init__(self, client: Client, store: Store, *, seconds: float = _SECONDS) -> None:
        self._client = client
        self._store = store
        self._seconds = seconds

    async def __call__(self, reference: str) -> Shown | None:
        """Where a request or a task stands; None when nobody says it in time, and the store does not know of it."""
        what = referred(reference)
        try:
            if what.kind is Kind.ONBOARDING:
                async with asyncio.timeout(2 * self._seconds):  # Its parts are asked after it.
                    return await composed(self._client, self._store, what.id)
            async with asyncio.timeout(self._seconds):
                return await look_at(self._client, self._store, what, within=_WORKER_ANSWERS_WITHIN)
        except _NOT_SAID:
            return await self._kept(what)

    async def _kept(self, what: WorkflowName) -> Shown | None:
        try:
            async with asyncio.timeout(self._seconds):
                if settled := await recorded(self._store, what):
                    return settled
                if what.kind is Kind.TASK:
                    return await TaskCover.shown(self._store, what.id)
                if what.kind in (Kind.ONBOARDING, Kind.CAMPAIGN):
                    return None
                cover = await CoverSheet.read(self._store, what.id)
                return cover.shown(what.id) if cover else None
        except _NOT_SAID:
            return None
