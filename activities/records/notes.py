"""Notes between processes: clocks, the mark of reconciliation and its figures."""

from typing import Final

from sqlalchemy import select

from activities.records.database import Database
from activities.records.schema import NOTES

_CLOCK: Final = "clock/web-process"
_WORKER_CLOCK: Final = "clock/worker"
_FIGURES: Final = "figures"
_ID_KEY: Final = "ids/key"
_SWEEP: Final = "reconciliation/core-signature"


class ProcessNotes:
    """None if never written. Raises `DatabaseAway`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def clock(self) -> bytes | None:
        """By how much the web process's clock is behind."""
        return await self._read(_CLOCK)

    async def note_clock(self, content: bytes) -> None:
        await self._note(_CLOCK, content)

    async def worker_clock(self) -> bytes | None:
        return await self._read(_WORKER_CLOCK)

    async def note_worker_clock(self, content: bytes) -> None:
        await self._note(_WORKER_CLOCK, content)

    async def sweep_mark(self) -> bytes | None:
        return await self._read(_SWEEP)

    async def note_sweep_mark(self, content: bytes) -> None:
        await self._note(_SWEEP, content)

    async def figures(self) -> bytes | None:
        """What reconciliation has counted."""
        return await self._read(_FIGURES)

    async def note_figures(self, content: bytes) -> None:
        await self._note(_FIGURES, content)

    async def id_key(self) -> bytes | None:
        """The id of the secret of the ids of people described in full."""
        return await self._read(_ID_KEY)

    async def note_id_key(self, content: bytes) -> None:
        await self._note(_ID_KEY, content)

    async def _read(self, name: str) -> bytes | None:
        row = await self._database.first(select(NOTES.c.content).where(NOTES.c.name == name))
        return row.content if row else None

    async def _note(self, name: str, content: bytes) -> None:
        await self._database.replace(NOTES, {NOTES.c.name: name}, content=content)
