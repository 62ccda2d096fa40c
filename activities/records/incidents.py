"""Incidents that on-call hears of, a row each: targets that fail, push credentials that are refused."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple, Self

from pydantic import AwareDatetime
from sqlalchemy import Connection, select

from activities.records.database import Database, insert_new
from activities.records.schema import INCIDENTS
from workflows.model.base import Model

TARGETS: Final = "target"
"""Kind of the incidents of hand-off targets."""
PUSH: Final = "push"
"""Kind of the incidents of push credentials."""
PROBLEMS: Final = "problem"
"""Kind of the incident that requests have a problem that lasts."""
OVER_AGAIN_AFTER: Final = timedelta(hours=1)
"""Shortest time between two "it is over" alerts of an incident that comes and goes."""
ADDRESSES_AT_MOST: Final = 20
"""Known addresses of one target: a request may have its own."""
OPEN_AT_MOST: Final = 10_000
"""Open incidents that are listed."""
OVER_KEPT: Final = timedelta(days=1)
OVER_DROPPED_AT_MOST: Final = 1_000
"""Incidents that are over, removed by one statement."""
_ROW: Final = INCIDENTS.c


class Incident(Model):
    """Something that on-call is told of once when it opens, once when it gets worse, once when it is over.

    `grade` is 0 while all is well, and higher the worse it is; `told` is the grade that on-call knows, `over_at` when
    they were last told that it is over. Until `telling_until` one worker tells them.
    """

    grade: int = 0
    since: AwareDatetime | None = None
    told: int = 0
    over_at: AwareDatetime | None = None
    why: str | None = None
    telling_until: AwareDatetime | None = None

    def becomes(self, grade: int, changed_at: datetime) -> Self:
        return self if grade == self.grade else self.replace(grade=grade, since=changed_at)

    def has_news(self, now: datetime) -> bool:
        """Whether on-call is to be told."""
        if self.grade:
            return self.grade > self.told
        return self.told > 0 and (self.over_at is None or now - self.over_at >= OVER_AGAIN_AFTER)

    def heard(self, now: datetime) -> Self:
        """After on-call was told."""
        return self.replace(told=self.grade, over_at=self.over_at if self.grade else now)

    def telling(self, seconds: float) -> Self:
        return self.replace(telling_until=datetime.now(UTC) + timedelta(seconds=seconds))


class About(NamedTuple):
    """The key of an incident. `address` is a hash, since a URL may be a secret."""

    kind: str
    name: str
    address: str = ""


Change = Callable[[Incident], Incident]


class Incidents:
    """Raises `DatabaseAway`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self, topic: About) -> Incident:
        return _incident(await self._database.first(_select_incident(topic)))

    async def open(self, kind: str) -> tuple[tuple[About, Incident], ...]:
        """Those that are not over."""
        query = select(INCIDENTS).where(_ROW.kind == kind, _ROW.grade > 0)
        rows = await self._database.rows(query.order_by(_ROW.name, _ROW.address).limit(OPEN_AT_MOST))
        return tuple((About(row.kind, row.name, row.address), _incident(row)) for row in rows)

    async def change(self, topic: About, change: Change) -> tuple[Incident, Incident]:
        """Before and after a change, which no other change comes between."""

        def write(connection: Connection) -> tuple[Incident, Incident]:
            key, now = topic._asdict(), datetime.now(UTC)
            new = insert_new(connection, INCIDENTS, **key, **Incident().model_dump(), at=now)
            former = _incident(connection.execute(_select_incident(topic).with_for_update()).first())
            changed = change(former)
            connection.execute(INCIDENTS.update().where(*_is(topic)).values(**changed.model_dump(), at=now))
            if new:
                connection.execute(_delete_oldest(topic))
            return former, changed

        return await self._database.write(write)

    async def regrade(self, kind: str, name: str, former_grade: int, becomes: int, now: datetime) -> None:
        """Change the grade at all addresses, of which on-call needs no telling."""
        update = INCIDENTS.update().where(_ROW.kind == kind, _ROW.name == name, _ROW.grade == former_grade)
        await self._database.change(update.values(grade=becomes, told=becomes, since=now))

    async def drop_over(self, now: datetime) -> int:
        """Remove some that were over a day ago; how many."""
        old_incidents = select(_ROW.kind, _ROW.name, _ROW.address).where(_ROW.grade == 0, _ROW.at < now - OVER_KEPT)
        return await self._database.drop(INCIDENTS, old_incidents.limit(OVER_DROPPED_AT_MOST))


def _is(topic: About) -> tuple[Any, ...]:
    return _ROW.kind == topic.kind, _ROW.name == topic.name, _ROW.address == topic.address


def _select_incident(topic: About) -> Any:
    return select(INCIDENTS).where(*_is(topic))


def _delete_oldest(topic: About) -> Any:
    """The statement that leaves the addresses that changed last."""
    of_it = _ROW.kind == topic.kind, _ROW.name == topic.name
    last = select(_ROW.address).where(*of_it).order_by(_ROW.at.desc()).limit(ADDRESSES_AT_MOST)
    return INCIDENTS.delete().where(*of_it, _ROW.address.not_in(last))


def _incident(row: Any) -> Incident:
    return Incident(**{name: getattr(row, name) for name in Incident.model_fields}) if row else Incident()
