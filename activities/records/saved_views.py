"""Lists of the desk that somebody has saved under a name, with their filters."""

from typing import Final, NamedTuple

from sqlalchemy import Connection, func, select

from activities.records.database import Database, replace
from activities.records.schema import SAVED_VIEWS

VIEWS_AT_MOST: Final = 20
"""Of one person."""
_VIEW: Final = SAVED_VIEWS.c


class SavedView(NamedTuple):
    name: str
    address: str
    """The list with its filters, below `/desk`."""


class SavedViews:
    """Raises `DatabaseAway`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, person: str) -> tuple[SavedView, ...]:
        """By name."""
        asked = select(_VIEW.name, _VIEW.address).where(_VIEW.person == person).order_by(_VIEW.name)
        return tuple(SavedView(*row) for row in await self._database.rows(asked.limit(VIEWS_AT_MOST)))

    async def save(self, person: str, view: SavedView) -> bool:
        """Under its name, in place of another of that name; False if they have too many."""

        def change(connection: Connection) -> bool:
            others = select(func.count()).where(_VIEW.person == person, _VIEW.name != view.name)
            if (connection.scalar(others) or 0) >= VIEWS_AT_MOST:
                return False
            replace(connection, SAVED_VIEWS, {_VIEW.person: person, _VIEW.name: view.name}, address=view.address)
            return True

        return await self._database.write(change)

    async def remove(self, person: str, name: str) -> None:
        await self._database.change(SAVED_VIEWS.delete().where(_VIEW.person == person, _VIEW.name == name))

    async def erase(self, person: str) -> None:
        """All of a person."""
        await self._database.change(SAVED_VIEWS.delete().where(_VIEW.person == person))
