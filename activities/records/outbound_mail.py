"""State of emails and SMS, written before they are sent."""

from collections.abc import Sequence

from sqlalchemy import select

from activities.records.database import Database
from activities.records.schema import OUTBOUND_MAIL


class StoredOutboundMail:
    """Raises `DatabaseAway`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self, references: Sequence[str]) -> list[bytes | None]:
        """In order, None for those not begun."""
        mail = OUTBOUND_MAIL.c
        asked = select(mail.reference, mail.content).where(mail.reference.in_(references))
        found = {row.reference: row.content for row in await self._database.rows(asked)}
        return [found.get(reference) for reference in references]

    async def begin(self, reference: str, content: bytes) -> bool:
        """False if another worker has begun it."""
        return await self._database.insert(OUTBOUND_MAIL, reference=reference, content=content)

    async def note(self, reference: str, content: bytes) -> None:
        await self._database.replace(OUTBOUND_MAIL, {OUTBOUND_MAIL.c.reference: reference}, content=content)
