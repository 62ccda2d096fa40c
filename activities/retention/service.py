"""Implements the port `RetentionService`: erasures that are due, signed files after their retention, old drafts, what
refused starts left, and rows that are used up. It needs the store and the directory alone, no other service.
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
        rows = await _drop_old_rows(self._store, now)
        erased, removed = await erase_due(self._store, now), await remove_due(self._store, now)
        await self._store.drafts.drop(now, self._has_left)
        if self._forget_refused:
            await self._forget_refused(now)
        return RetentionResult(erased=erased, removed=removed, rows=rows)

    async def _has_left(self, person: str) -> bool:
        try:
            await self._directory.person(person) if self._directory else None
        except UnknownPerson:
            return True
        except DirectoryFailure:
            return False  # The directory does not answer: the next day asks again.
        return False


async def _drop_old_rows(store: Store, now: datetime) -> int:
    """Drop rows that are used up or over, statement by statement until none is left; how many."""
    count = 0
    for drop in (
        store.one_use.drop_used,
        store.desk_sessions.drop,
        store.incidents.drop_over,
        store.outbound_mail.drop_old,
        store.budgets.drop,
        store.allowances.drop_full,
        store.processes.drop,
        store.receipts.drop,
        store.uploads.drop,
        store.downloads.drop,
        store.absences.drop_over,
        store.link_subscriptions.drop,
        store.handed_links.drop,
        store.app_pushes.drop,
    ):
        while dropped := await drop(now):
            count += dropped
    return count
