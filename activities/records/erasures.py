"""Erasures of people: where somebody is on record, what was erased of them, and what waits for an end."""

import hashlib
import json
import zlib
from collections.abc import AsyncIterator, Collection, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, exists, literal, or_, select, tuple_

from activities.records.database import Database, insert_new
from activities.records.evidence import FIELDS
from activities.records.holds import held
from activities.records.schema import (
    DEVICE_OWNERS,
    DEVICES,
    ERASURES,
    EVIDENCE_PARTS,
    FOLLOW_UPS,
    PEOPLE_ASKED,
    PEOPLE_IN_FULL,
    RECORD_LISTS,
    RECORDS,
    STAND_INS,
    START_WORDS,
    TEXTS,
    Instant,
)
from activities.records.settled import CONCERNED
from activities.records.starts import words_of

CONCERNED_AT_ONCE: Final = 2_000
"""Follow-ups of one person in a statement; the next one goes on behind the last."""
ERASURES_AT_MOST: Final = 20_000
"""Erasures of one follow-up that are read: one a person."""
PENDING_AT_ONCE: Final = 500
_IS: Final = ERASURES.c
_PART: Final = EVIDENCE_PARTS.c


class Erasure(NamedTuple):
    """`done_at` is None while it waits for the end."""

    workflow_id: str
    person: str
    by: str
    reason: str
    at: datetime
    done_at: datetime | None = None


_ROW: Final = tuple(_IS[name] for name in Erasure._fields)


def without(value: Any, person: str) -> Any:
    """JSON without objects of a person, and without what has their id as its key."""
    if isinstance(value, list):
        return [without(one, person) for one in value if not _is_of(one, person)]
    if isinstance(value, dict):
        return {key: without(one, person) for key, one in value.items() if key != person and not _is_of(one, person)}
    return value


def _is_of(value: Any, person: str) -> bool:
    return isinstance(value, dict) and person in (value.get("person"), value.get("id"))


class Erasures:
    """Raises `DatabaseAway`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def ended(self, person: str) -> AsyncIterator[list[str]]:
        """What has ended and names them: asked, requester, told, or in an escalation; some at a time."""
        lists = RECORD_LISTS.c
        for of in CONCERNED:
            place = tuple_(lists.facet, lists.ended_at, lists.workflow_id)
            asked = select(lists.facet, lists.ended_at, lists.workflow_id).where(lists.of == of, lists.person == person)
            asked = asked.order_by(lists.facet, lists.ended_at, lists.workflow_id).limit(CONCERNED_AT_ONCE)
            found = await self._database.rows(asked)
            while found:
                yield [row.workflow_id for row in found]
                last = found[-1]
                behind = tuple_(literal(last.facet), literal(last.ended_at, Instant), literal(last.workflow_id))
                found = await self._database.rows(asked.where(place > behind))

    async def running(self, person: str) -> AsyncIterator[list[str]]:
        """What has begun, has no record yet, and names them, or has them by escalation, delegation or absence; some at
        a time.
        """
        follow_up, word = FOLLOW_UPS.c, START_WORDS.c
        named = follow_up.workflow_id.in_(select(word.workflow_id).where(word.word.in_(words_of(person))))
        record = exists().where(RECORDS.c.workflow_id == follow_up.workflow_id)
        asked = select(follow_up.workflow_id, follow_up.people, follow_up.requester).where(named, ~record)
        asked = asked.order_by(follow_up.workflow_id).limit(CONCERNED_AT_ONCE)
        found = await self._database.rows(asked)
        while found:
            yield [row.workflow_id for row in found if person in (*(row.people or ()), row.requester)]
            found = await self._database.rows(asked.where(follow_up.workflow_id > found[-1].workflow_id))
        came, record = STAND_INS.c, exists().where(RECORDS.c.workflow_id == STAND_INS.c.workflow_id)
        later = select(came.workflow_id).where(came.person == person, ~record)
        later = later.order_by(came.workflow_id).limit(CONCERNED_AT_ONCE)
        found = await self._database.rows(later)
        while found:
            yield [row.workflow_id for row in found]
            found = await self._database.rows(later.where(came.workflow_id > found[-1].workflow_id))

    async def of(self, workflow_id: str) -> list[Erasure]:
        """Those that were carried out, in order."""
        asked = select(*_ROW).where(_IS.workflow_id == workflow_id, _IS.done_at.is_not(None))
        found = await self._database.rows(asked.order_by(_IS.at, _IS.person).limit(ERASURES_AT_MOST))
        return [Erasure(*row) for row in found]

    async def due(self, after: tuple[str, str]) -> list[Erasure]:
        """Some of those that wait and whose follow-up has ended, behind a place."""
        record = exists().where(RECORDS.c.workflow_id == _IS.workflow_id)
        behind = or_(_IS.workflow_id > after[0], (_IS.workflow_id == after[0]) & (_IS.person > after[1]))
        asked = select(*_ROW).where(_IS.done_at.is_(None), record, behind)
        found = await self._database.rows(asked.order_by(_IS.workflow_id, _IS.person).limit(PENDING_AT_ONCE))
        return [Erasure(*row) for row in found]

    async def wait(self, erasure: Erasure) -> bool:
        """Note what is to be erased at the end; whether it is news."""
        return await self._database.insert(ERASURES, **erasure._asdict())

    async def carry_out(self, erasure: Erasure, texts: Collection[str]) -> bool:
        """Erase names and addresses of a person, payloads, file and filled-in fields, and these texts; note it. False
        if a legal hold keeps them: then it waits for the release, unless it was carried out before.
        """
        key = _IS.workflow_id == erasure.workflow_id, _IS.person == erasure.person

        def change(connection: Connection) -> bool:
            before = connection.execute(select(_IS.done_at).where(*key)).scalar()
            if before != erasure.done_at and held(connection, [erasure.workflow_id]):
                insert_new(connection, ERASURES, **erasure._replace(done_at=None)._asdict())
                return False
            _erase_people(connection, erasure)
            for some in sorted(texts):
                here = TEXTS.c.workflow_id == erasure.workflow_id, TEXTS.c.name == some
                connection.execute(TEXTS.delete().where(*here))
            _erase_parts(connection, erasure)
            insert_new(connection, ERASURES, **erasure._replace(done_at=None)._asdict())
            connection.execute(ERASURES.update().where(*key, _IS.done_at.is_(None)).values(done_at=erasure.done_at))
            return True

        return await self._database.write(change)

    async def devices(self, person: str) -> int:
        """Erase a person's devices; how many."""

        def change(connection: Connection) -> int:
            connection.execute(DEVICE_OWNERS.delete().where(DEVICE_OWNERS.c.person == person))
            return connection.execute(DEVICES.delete().where(DEVICES.c.person == person)).rowcount

        return await self._database.write(change)

    async def pictures(self, workflow_ids: Sequence[str]) -> list[str]:
        """The hashes of the first pages that these alone have, not counting those of which somebody was erased; the
        caller bounds their number.
        """
        page, other = FOLLOW_UPS.c.first_page, FOLLOW_UPS.alias().c
        erased = exists().where(_IS.workflow_id == other.workflow_id, _IS.done_at.is_not(None))
        shared = exists().where(other.first_page == page, other.workflow_id.not_in(workflow_ids), ~erased)
        asked = select(page).where(FOLLOW_UPS.c.workflow_id.in_(workflow_ids), page.is_not(None), page != "", ~shared)
        return [row.first_page for row in await self._database.rows(asked.distinct())]


def _erase_people(connection: Connection, erasure: Erasure) -> None:
    asked, full = PEOPLE_ASKED.c, PEOPLE_IN_FULL.c
    for row in connection.execute(select(PEOPLE_ASKED).where(asked.workflow_id == erasure.workflow_id)).all():
        said = json.loads(row.content)
        if (left := without(said, erasure.person)) != said:
            this = asked.workflow_id == erasure.workflow_id, asked.sha256 == row.sha256
            connection.execute(PEOPLE_ASKED.delete().where(*this))
            content = json.dumps(left, ensure_ascii=False).encode()
            named = {"workflow_id": erasure.workflow_id, "sha256": hashlib.sha256(content).hexdigest()}
            if left:
                insert_new(connection, PEOPLE_ASKED, **named, content=content)
    for row in connection.execute(select(PEOPLE_IN_FULL).where(full.workflow_id == erasure.workflow_id)).all():
        said = json.loads(row.content or b"{}")
        left = without(said, erasure.person)
        this = full.workflow_id == erasure.workflow_id, full.fingerprint == row.fingerprint
        if left != said:
            content = json.dumps(left, ensure_ascii=False).encode()
            connection.execute(PEOPLE_IN_FULL.update().where(*this).values(content=content))


def _erase_parts(connection: Connection, erasure: Erasure) -> None:
    own = _PART.workflow_id == erasure.workflow_id
    whole = or_(_PART.name.like("payloads-%"), _PART.name.like("file-%"), _PART.name == FIELDS)
    connection.execute(EVIDENCE_PARTS.delete().where(own, whole))
    people = own, _PART.name == "people"
    content = connection.execute(select(_PART.content).where(*people)).scalar()
    if content is not None:
        lines = zlib.decompress(content).splitlines(keepends=True)
        left = [line for line in lines if json.loads(line).get("person") != erasure.person]
        connection.execute(EVIDENCE_PARTS.update().where(*people).values(content=zlib.compress(b"".join(left), 9)))
