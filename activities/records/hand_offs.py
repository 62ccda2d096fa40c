"""Dead hand-offs of ended follow-ups, and the health of targets; a repeated write replaces its row."""

from typing import Final

from sqlalchemy import select

from activities.records.database import Database
from activities.records.schema import DEAD_HAND_OFFS, TARGETS

DEAD_AT_MOST: Final = 100_000
"""Follow-ups with dead hand-offs of one kind, and targets, that are listed."""
_DEAD: Final = DEAD_HAND_OFFS.c


class HandOffs:
    """Raises `DatabaseAway`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def note_dead(self, workflow_id: str, content: bytes) -> None:
        type = workflow_id.partition(":")[0]
        await self._database.replace(DEAD_HAND_OFFS, {_DEAD.workflow_id: workflow_id}, type=type, content=content)

    async def forget_dead(self, workflow_id: str) -> None:
        await self._database.change(DEAD_HAND_OFFS.delete().where(_DEAD.workflow_id == workflow_id))

    async def read_dead(self, workflow_id: str) -> bytes | None:
        """The dead hand-offs of one, or None."""
        found = await self._database.first(select(_DEAD.content).where(_DEAD.workflow_id == workflow_id))
        return found.content if found else None

    async def dead(self, type: str) -> tuple[str, ...]:
        """Sorted ids of one kind."""
        asked = select(_DEAD.workflow_id).where(_DEAD.type == type).order_by(_DEAD.workflow_id).limit(DEAD_AT_MOST)
        return tuple(row.workflow_id.partition(":")[2] for row in await self._database.rows(asked))

    async def keep_target(self, name: str, content: bytes) -> None:
        await self._database.replace(TARGETS, {TARGETS.c.name: name}, content=content)

    async def read_target(self, name: str) -> bytes | None:
        """A target's health, None if it always worked."""
        found = await self._database.first(select(TARGETS.c.content).where(TARGETS.c.name == name))
        return found.content if found else None

    async def targets(self) -> tuple[str, ...]:
        """Sorted names of targets that have not always worked."""
        asked = select(TARGETS.c.name).order_by(TARGETS.c.name).limit(DEAD_AT_MOST)
        return tuple(row.name for row in await self._database.rows(asked))
