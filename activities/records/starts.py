"""What is known of a follow-up from its start on, and never changes with its state."""

from typing import Any

from sqlalchemy import select

from activities.records.database import Database, insert_new
from activities.records.schema import FOLLOW_UPS


class Starts:
    """Raises `DatabaseAway`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep_cover(self, workflow_id: str, content: bytes) -> None:
        await self._keep(workflow_id, cover=content)

    async def cover(self, workflow_id: str) -> bytes | None:
        """None if nothing was created."""
        found: bytes | None = await self._known(workflow_id, FOLLOW_UPS.c.cover)
        return found

    async def keep_first_page(self, workflow_id: str, sha256: str) -> None:
        """Store the hash of the picture of its document's first page."""
        await self._keep(workflow_id, first_page=sha256)

    async def first_page(self, workflow_id: str) -> str | None:
        """None if not drawn yet."""
        found: str | None = await self._known(workflow_id, FOLLOW_UPS.c.first_page)
        return found

    async def claim(self, workflow_id: str, fingerprint: str = "") -> None:
        """Record that the provider had nothing under this id before we created it with this fingerprint; empty for
        adopted documents. The first claim stays.
        """

        def change(connection: Any) -> None:
            insert_new(connection, FOLLOW_UPS, workflow_id=workflow_id)
            unclaimed = FOLLOW_UPS.c.workflow_id == workflow_id, FOLLOW_UPS.c.claimed_for.is_(None)
            connection.execute(FOLLOW_UPS.update().where(*unclaimed).values(claimed_for=fingerprint))

        await self._database.write(change)

    async def claimed_for(self, workflow_id: str) -> str | None:
        """The fingerprint of the claim; None if what the provider has is not ours."""
        found: str | None = await self._known(workflow_id, FOLLOW_UPS.c.claimed_for)
        return found

    async def _keep(self, workflow_id: str, **values: Any) -> None:
        await self._database.replace(FOLLOW_UPS, {FOLLOW_UPS.c.workflow_id: workflow_id}, **values)

    async def _known(self, workflow_id: str, column: Any) -> Any:
        found = await self._database.first(select(column).where(FOLLOW_UPS.c.workflow_id == workflow_id))
        return found[0] if found else None
