"""Pages of the notification log that a workflow has moved here, and who opened what and acted when."""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, exists, func, select

from activities.records.database import Database, insert_into, replace
from activities.records.schema import LOG_PAGES, OPENED, RECORDS
from activities.records.settled import list_named, people_in

PAGES_AT_MOST: Final = 10_000
"""Pages of one follow-up that are read; a page has some 50 notices."""
_READER: Final = (OPENED.c.workflow_id, OPENED.c.person)
_NEVER: Final = OPENED.c.at.is_(None)


class LogPages:
    """Raises `DatabaseAway`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def write(self, workflow_id: str, name: str, content: bytes) -> None:
        """Write a page; a repeated one replaces its former self."""
        key = {LOG_PAGES.c.workflow_id: workflow_id, LOG_PAGES.c.name: name}
        people = people_in(json.loads(content))

        def change(connection: Connection) -> None:
            replace(connection, LOG_PAGES, key, content=content)
            list_named(connection, workflow_id, people)

        await self._database.write(change)

    async def read(self, workflow_id: str) -> tuple[bytes, ...]:
        """A request's pages in order, perhaps with duplicates."""
        statement = select(LOG_PAGES.c.name, LOG_PAGES.c.content).where(LOG_PAGES.c.workflow_id == workflow_id)
        rows = await self._database.rows(statement.limit(PAGES_AT_MOST))
        return tuple(row.content for row in sorted(rows, key=lambda row: _numbers(row.name)))

    async def mark_opened(self, workflow_id: str, person: str, opened_at: datetime) -> None:
        """Record that a person opened it; the first time counts."""

        def change(connection: Connection) -> None:
            opening = insert_into(connection, OPENED).values(workflow_id=workflow_id, person=person, at=opened_at)
            connection.execute(
                opening.on_conflict_do_update(index_elements=_READER, set_={"at": opened_at}, where=_NEVER)
            )

        await self._database.write_rows(change)

    async def mark_acted(self, workflow_id: str, person: str, acted_at: datetime) -> None:
        """Record that a person pressed a button, whatever came of it."""
        await self._database.replace(OPENED, dict(zip(_READER, (workflow_id, person), strict=True)), acted_at=acted_at)

    async def mark_linked(self, workflow_id: str, people: Collection[str], key: str) -> None:
        """Record with which secret the last links of these people were written."""
        recorded = select(OPENED.c.person).where(
            OPENED.c.workflow_id == workflow_id, OPENED.c.person.in_(people), OPENED.c.link_key == key
        )
        unrecorded = sorted(set(people) - {row.person for row in await self._database.rows(recorded)})

        def change(connection: Connection) -> None:
            for person in unrecorded:
                replace(connection, OPENED, dict(zip(_READER, (workflow_id, person), strict=True)), link_key=key)

        if unrecorded:
            await self._database.write_rows(change)

    async def count_open_links(self) -> Mapping[str, int]:
        """By the id of the secret: of how many people it wrote the last link, to what has not ended."""
        record = exists().where(RECORDS.c.workflow_id == OPENED.c.workflow_id)
        query = select(OPENED.c.link_key, func.count()).where(OPENED.c.link_key.is_not(None), ~record)
        return {row[0]: row[1] for row in await self._database.rows(query.group_by(OPENED.c.link_key))}

    async def acted(self, workflow_id: str, person: str) -> datetime | None:
        """When a person last pressed a button."""
        query = select(OPENED.c.acted_at).where(OPENED.c.workflow_id == workflow_id, OPENED.c.person == person)
        row = await self._database.first(query)
        return row.acted_at if row else None

    async def opened(self, workflow_id: str, people: Sequence[str]) -> Mapping[str, datetime]:
        """When each of these people first opened it."""
        statement = select(OPENED.c.person, OPENED.c.at).where(
            OPENED.c.workflow_id == workflow_id, OPENED.c.person.in_(people), OPENED.c.at.is_not(None)
        )
        return {row.person: row.at for row in await self._database.rows(statement)}


def _numbers(page: str) -> list[int]:
    return [int(number) for number in page.split("-")]
