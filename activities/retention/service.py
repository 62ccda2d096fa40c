"""Implements the port `RetentionService`: erasures that are due, signed files after their retention, old drafts, and
what refused starts left.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from activities.evidence.erasure import erase_due, remove_due
from activities.people.directory import Directory, DirectoryFailure, UnknownPerson
from activities.records.store import Store
from workflows.model.retention import RetentionOrder, RetentionResult
from workflows.ports import RetentionService


class DailyRetention(RetentionService):
    """`directory` knows who has left; `forget_refused` removes what refused starts left."""

    def __init__(
        self,
        store: Store,
        directory: Directory | None = None,
        forget_refused: Callable[[datetime], Awaitable[object]] | None = None,
    ) -> None:
        self._store, self._directory, self._forget_refused = store, directory, forget_refused

    async def apply(self, order: RetentionOrder) -> RetentionResult:
        now = order.now or datetime.now(UTC)
        erased, removed = await erase_due(self._store, now), await remove_due(self._store, now)
        await self._store.drafts.drop(now, self._has_left)
        if self._forget_refused:
            await self._forget_refused(now)
        return RetentionResult(erased=erased, removed=removed)

    async def _has_left(self, person: str) -> bool:
        try:
            await self._directory.person(person) if self._directory else None
        except UnknownPerson:
            return True
        except DirectoryFailure:
            return False  # The directory does not answer: the next day asks again.
        return False
