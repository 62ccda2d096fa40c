"""What a page may wait for: where a request stands by our own side, or nothing when nobody says so soon."""

import asyncio
from datetime import timedelta
from typing import Final

from temporalio.client import Client
from temporalio.service import RPCError

from activities.store import Store, StoreFailure
from starter.exits import Refusal
from starter.looking import look, recorded
from workflows.shown import RequestShow

_WORKER_ANSWERS_WITHIN: Final = timedelta(seconds=1.5)
_SECONDS: Final = 5.0


class QuickLook:
    """Asks the workflow, else the settled record; never fails and never takes long."""

    def __init__(self, client: Client, store: Store) -> None:
        self._client = client
        self._store = store

    async def __call__(self, request: str) -> RequestShow | None:
        """Where the request stands; None when neither Temporal nor a record says it in time."""
        try:
            async with asyncio.timeout(_SECONDS):
                return await look(self._client, self._store, request, within=_WORKER_ANSWERS_WITHIN)
        except (Refusal, RPCError, RuntimeError, TimeoutError, StoreFailure):
            return await self._recorded(request)

    async def _recorded(self, request: str) -> RequestShow | None:
        try:
            return await recorded(self._store, request)
        except StoreFailure:
            return None
