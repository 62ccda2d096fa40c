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
from activities.records.holds import find_held
from activities.records.schema import (
    APP_PUSHES,
    DEVICE_OWNERS,
    DEVICES,
    ERASURES,
    EVIDENCE_PARTS,
    FOLLOW_UPS,
    HANDED_LINKS,
    LINK_SUBSCRIPTIONS,
    PEOPLE_ASKED,
    PEOPLE_IN_FULL,
    RECORD_LISTS,
    RECORDS,
    STAND_INS,
    START_WORDS,
    TEXTS,
    InstantType,
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


def remove_person(value: Any, person: str) -> Any:
    """JSON without objects of a person, and without what has their id as its key."""
    if isinstance(value, list):
        return [remove_person(child, person) for child in value if not _is_of(child, person)]
    if isinstance(value, dict):
        return {
            key: remove_person(child, person)
            for key, child in value.items()
            if key != person and not _is_of(child, person)
        }
    return value


class Erasures:
    """Raises `DatabaseAway`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list_ended(self, person: str) -> AsyncIterator[list[str]]:
        """What has ended and names them: asked, requester, told, or in an escalation; some at a time."""
        lists = RECORD_LISTS.c
        for list_type in CONCERNED:
            position = tuple_(lists.facet, lists.ended_at, lists.workflow_id)
            query = select(lists.facet, lists.ended_at, lists.workflow_id).where(
                lists.of == list_type, lists.person == person
            )
            query = query.order_by(lists.facet, lists.ended_at, lists.workflow_id).limit(CONCERNED_AT_ONCE)
            rows = await self._database.rows(query)
            while rows:
                yield [row.workflow_id for row in rows]
                last = rows[-1]
                behind = tuple_(literal(last.facet), literal(last.ended_at, InstantType), literal(last.workflow_id))
                rows = await self._database.rows(query.where(position > behind))

    async def running(self, person: str) -> AsyncIterator[list[str]]:
        """What has begun, has no record yet, and names them, or has them by escalation, delegation or absence; some at
        a time.
        """
        follow_up, start_word = FOLLOW_UPS.c, START_WORDS.c
        named = follow_up.workflow_id.in_(select(start_word.workflow_id).where(start_word.word.in_(words_of(person))))
        record = exists().where(RECORDS.c.workflow_id == follow_up.workflow_id)
        query = select(follow_up.workflow_id, follow_up.people, follow_up.requester).where(named, ~record)
        query = query.order_by(follow_up.workflow_id).limit(CONCERNED_AT_ONCE)
        rows = await self._database.rows(query)
        while rows:
            yield [row.workflow_id for row in rows if person in (*(row.people or ()), row.requester)]
            rows = await self._database.rows(query.where(follow_up.workflow_id > rows[-1].workflow_id))
        stand_in, record = STAND_INS.c, exists().where(RECORDS.c.workflow_id == STAND_INS.c.workflow_id)
        later = select(stand_in.workflow_id).where(stand_in.person == person, ~record)
        later = later.order_by(stand_in.workflow_id).limit(CONCERNED_AT_ONCE)
        rows = await self._database.rows(later)
        while rows:
            yield [row.workflow_id for row in rows]
            rows = await self._database.rows(later.where(stand_in.workflow_id > rows[-1].workflow_id))

    async def list_done(self, workflow_id: str) -> list[Erasure]:
        """Those that were carried out, in order."""
        query = select(*_ROW).where(_IS.workflow_id == workflow_id, _IS.done_at.is_not(None))
        rows = await self._database.rows(query.order_by(_IS.at, _IS.person).limit(ERASURES_AT_MOST))
        return [Erasure(*row) for row in rows]

    async def due(self, position: tuple[str, str]) -> list[Erasure]:
        """Some of those that wait and whose follow-up has ended, behind a place."""
        record = exists().where(RECORDS.c.workflow_id == _IS.workflow_id)
        behind = or_(_IS.workflow_id > position[0], (_IS.workflow_id == position[0]) & (_IS.person > position[1]))
        query = select(*_ROW).where(_IS.done_at.is_(None), record, behind)
        rows = await self._database.rows(query.order_by(_IS.workflow_id, _IS.person).limit(PENDING_AT_ONCE))
        return [Erasure(*row) for row in rows]

    async def wait(self, erasure: Erasure) -> bool:
        """Note what is to be erased at the end; whether it is news."""
        return await self._database.insert(ERASURES, **erasure._asdict())

    async def carry_out(self, erasure: Erasure, texts: Collection[str]) -> bool:
        """Erase names and addresses of a person, payloads, file and filled-in fields, and these texts; note it. False
        if a legal hold keeps them: then it waits for the release, unless it was carried out before.
        """
        key = _IS.workflow_id == erasure.workflow_id, _IS.person == erasure.person

        def change(connection: Connection) -> bool:
            done_at = connection.execute(select(_IS.done_at).where(*key)).scalar()
            if done_at != erasure.done_at and find_held(connection, [erasure.workflow_id]):
                insert_new(connection, ERASURES, **erasure._replace(done_at=None)._asdict())
                return False
            _erase_people(connection, erasure)
            for name in sorted(texts):
                same_text = TEXTS.c.workflow_id == erasure.workflow_id, TEXTS.c.name == name
                connection.execute(TEXTS.delete().where(*same_text))
            _erase_parts(connection, erasure)
            insert_new(connection, ERASURES, **erasure._replace(done_at=None)._asdict())
            connection.execute(ERASURES.update().where(*key, _IS.done_at.is_(None)).values(done_at=erasure.done_at))
            return True

        return await self._database.write(change)

    async def devices(self, person: str) -> int:
        """Erase a person's devices, also those behind links, and what the app reported; how many devices."""

        def change(connection: Connection) -> int:
            connection.execute(DEVICE_OWNERS.delete().where(DEVICE_OWNERS.c.person == person))
            linked = LINK_SUBSCRIPTIONS.delete().where(LINK_SUBSCRIPTIONS.c.person == person)
            connection.execute(APP_PUSHES.delete().where(APP_PUSHES.c.person == person))
            devices = DEVICES.delete().where(DEVICES.c.person == person)
            return connection.execute(devices).rowcount + connection.execute(linked).rowcount

        return await self._database.write(change)

    async def pictures(self, workflow_ids: Sequence[str]) -> list[str]:
        """The hashes of the first pages that these alone have, not counting those of which somebody was erased; the
        caller bounds their number.
        """
        page, other_follow_up = FOLLOW_UPS.c.first_page, FOLLOW_UPS.alias().c
        erased = exists().where(_IS.workflow_id == other_follow_up.workflow_id, _IS.done_at.is_not(None))
        shared = exists().where(
            other_follow_up.first_page == page, other_follow_up.workflow_id.not_in(workflow_ids), ~erased
        )
        query = select(page).where(FOLLOW_UPS.c.workflow_id.in_(workflow_ids), page.is_not(None), page != "", ~shared)
        return [row.first_page for row in await self._database.rows(query.distinct())]


_ROW: Final = tuple(_IS[name] for name in Erasure._fields)


def _is_of(value: Any, person: str) -> bool:
    return isinstance(value, dict) and person in (value.get("person"), value.get("id"))


def _erase_people(connection: Connection, erasure: Erasure) -> None:
    linked = LINK_SUBSCRIPTIONS.c.workflow_id == erasure.workflow_id, LINK_SUBSCRIPTIONS.c.person == erasure.person
    connection.execute(LINK_SUBSCRIPTIONS.delete().where(*linked))
    handed = HANDED_LINKS.c.workflow_id == erasure.workflow_id, HANDED_LINKS.c.person == erasure.person
    connection.execute(HANDED_LINKS.delete().where(*handed))
    pushed = APP_PUSHES.c.workflow_id == erasure.workflow_id, APP_PUSHES.c.person == erasure.person
    connection.execute(APP_PUSHES.delete().where(*pushed))
    asked_people, full = PEOPLE_ASKED.c, PEOPLE_IN_FULL.c
    for row in connection.execute(select(PEOPLE_ASKED).where(asked_people.workflow_id == erasure.workflow_id)).all():
        document = json.loads(row.content)
        if (remaining := remove_person(document, erasure.person)) != document:
            same_row = asked_people.workflow_id == erasure.workflow_id, asked_people.sha256 == row.sha256
            connection.execute(PEOPLE_ASKED.delete().where(*same_row))
            content = json.dumps(remaining, ensure_ascii=False).encode()
            named = {"workflow_id": erasure.workflow_id, "sha256": hashlib.sha256(content).hexdigest()}
            if remaining:
                insert_new(connection, PEOPLE_ASKED, **named, content=content)
    for row in connection.execute(select(PEOPLE_IN_FULL).where(full.workflow_id == erasure.workflow_id)).all():
        document = json.loads(row.content or b"{}")
        remaining = remove_person(document, erasure.person)
        same_row = full.workflow_id == erasure.workflow_id, full.fingerprint == row.fingerprint
        if remaining != document:
            content = json.dumps(remaining, ensure_ascii=False).encode()
            connection.execute(PEOPLE_IN_FULL.update().where(*same_row).values(content=content))


def _erase_parts(connection: Connection, erasure: Erasure) -> None:
    of_follow_up = _PART.workflow_id == erasure.workflow_id
    is_personal = or_(_PART.name.like("payloads-%"), _PART.name.like("file-%"), _PART.name == FIELDS)
    connection.execute(EVIDENCE_PARTS.delete().where(of_follow_up, is_personal))
    people = of_follow_up, _PART.name == "people"
    content = connection.execute(select(_PART.content).where(*people)).scalar()
    if content is not None:
        lines = zlib.decompress(content).splitlines(keepends=True)
        remaining_lines = [line for line in lines if json.loads(line).get("person") != erasure.person]
        connection.execute(
            EVIDENCE_PARTS.update().where(*people).values(content=zlib.compress(b"".join(remaining_lines), 9))
        )
