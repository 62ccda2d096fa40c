"""Settled records, written once, and their amendments."""

import hashlib
import json
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from typing import Any, Final, NamedTuple, Self

from sqlalchemy import Connection, bindparam, select

from activities.errors import RecordConflict, RecordDamaged
from activities.records.database import Database, chunks, insert_new, replace
from activities.records.facts import OutcomeFacts, write_facts
from activities.records.hand_offs import keep_lines
from activities.records.outcomes import write_outcome
from activities.records.schema import AMENDMENTS, FOLLOW_UPS, LOG_PAGES, RECORD_LISTS, RECORDS
from workflows.kinds import Kind, named
from workflows.model.hand_off import HandoffLine
from workflows.model.subject import Role

AMENDMENTS_AT_ONCE: Final = 100
"""Amendments in memory: years of replays make thousands."""
RECORDS_AT_ONCE: Final = 500
"""Records of one statement."""
OF_CAMPAIGN: Final = "campaign"
"""The first word of facets of requests of campaigns."""
_IS: Final = RECORDS.c
_SELECT_PAGES: Final = select(LOG_PAGES.c.content).where(LOG_PAGES.c.workflow_id == bindparam("workflow_id"))
_INSERT_LISTS: Final = RECORD_LISTS.insert()
NAMES: Final = frozenset({"person", "who", "by", "from", "to", "requester"})
"""Fields with the id of a person."""


@dataclass(frozen=True)
class RecordFacts:
    """What lists and figures ask of a record."""

    status: str = ""
    problem: str | None = None
    kind: str = ""
    title: str = ""
    requester: str = ""
    due_at: datetime | None = None
    ended_at: datetime | None = None
    people: frozenset[str] = field(default=frozenset())
    teams: tuple[str, ...] = ()
    """People and groups that may look at it."""

    @classmethod
    def from_record(cls, record: Any) -> Self:
        """From its JSON; empty for another shape."""
        show = record.get("show") if isinstance(record, dict) else None
        if not show:
            return cls()
        settled = record.get("settled") or {}
        reviews = [line for line in show.get("reviews") or () if line.get("role") == Role.REVIEW]
        lines = [*(show.get("signers") or ()), *reviews, *(show.get("people") or ())]
        return cls(
            status=show.get("status") or "",
            problem=(show.get("problem") or {}).get("code"),
            kind=show.get("kind") or "",
            title=show.get("document") or show.get("title") or "",
            requester=show.get("requester") or "",
            due_at=_instant(show.get("due_at")),
            ended_at=_instant(settled.get("at")),
            people=frozenset(line["person"] for line in lines if isinstance(line, dict) and "person" in line),
            teams=tuple(show.get("teams") or ()),
        )


class ListOf(StrEnum):
    """The lists that a record is in; `person` is empty in the list of all."""

    ALL = "all"
    ASKED = "asked"
    REQUESTED = "requested"
    TEAM = "team"
    """Of each person or group that may look at it as a team of an onboarding."""
    NAMED = "named"
    """Of each other person whom the record, its log or an amendment names: told, escalated from or to."""


CONCERNED: Final = (ListOf.ASKED, ListOf.REQUESTED, ListOf.NAMED)
"""The lists of a person."""


class Facet(NamedTuple):
    """What lists are narrowed by. A list has those of one facet together, so that none looks at what it leaves out."""

    of_campaign: bool
    type: str
    """What stands before the colon of a workflow id."""
    status: str
    kind: str

    @property
    def written(self) -> str:
        origin = OF_CAMPAIGN if self.of_campaign else "own"
        return " ".join((origin, self.type, self.status, self.kind))

    @classmethod
    def read(cls, written: str) -> Self:
        origin, *parts = written.split(" ", 3)
        return cls(origin == OF_CAMPAIGN, *parts)


def owner_in(id: str) -> str | None:
    """The onboarding or campaign in an id, or None."""
    owner, dot, part = id.partition(".")
    return owner if owner and dot and part else None


class Records:
    """Raises `DatabaseAway`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def write(self, workflow_id: str, content: bytes, facts: OutcomeFacts | None = None) -> bool:
        """Write the settled record once, with its facts; whether this call wrote it. `RecordConflict` for other
        content.
        """
        change = partial(write_record, workflow_id=workflow_id, content=content, facts=facts)
        stored_sha256 = await self._database.write(change)
        if stored_sha256 not in (None, hashlib.sha256(content).hexdigest()):
            raise RecordConflict(workflow_id.partition(":")[2])
        return stored_sha256 is None

    async def read(self, workflow_id: str) -> bytes | None:
        """None if it is not settled; raises `RecordDamaged`."""
        query = select(RECORDS.c.content, RECORDS.c.sha256).where(RECORDS.c.workflow_id == workflow_id)
        row = await self._database.first(query)
        if row is None:
            return None
        if hashlib.sha256(row.content).hexdigest() != row.sha256:
            raise RecordDamaged(workflow_id)
        content: bytes = row.content
        return content

    async def read_many(self, workflow_ids: Sequence[str]) -> list[bytes | None]:
        """In order, None for missing ones; the caller bounds their number."""
        content_by_id: dict[str, bytes] = {}
        for ids in chunks(workflow_ids, RECORDS_AT_ONCE):
            statement = select(_IS.workflow_id, _IS.content).where(_IS.workflow_id.in_(ids))
            content_by_id |= {row.workflow_id: row.content for row in await self._database.rows(statement)}
        return [content_by_id.get(workflow_id) for workflow_id in workflow_ids]

    async def find_recorded(self, workflow_ids: Sequence[str]) -> set[str]:
        """Those that have a record."""
        queries = (select(_IS.workflow_id).where(_IS.workflow_id.in_(s)) for s in chunks(workflow_ids, RECORDS_AT_ONCE))
        return {row.workflow_id for query in queries for row in await self._database.rows(query)}

    async def amend(self, workflow_id: str, number: int, content: bytes, hand_offs: Sequence[HandoffLine] = ()) -> None:
        """Write an amendment and its hand-offs; a repeated batch replaces only its own."""
        key = {AMENDMENTS.c.workflow_id: workflow_id, AMENDMENTS.c.number: number}
        people = people_in(json.loads(content))

        def change(connection: Connection) -> None:
            replace(connection, AMENDMENTS, key, content=content)
            list_named(connection, workflow_id, people)
            keep_lines(connection, workflow_id, hand_offs)

        await self._database.write(change)

    async def amendments(self, workflow_id: str) -> AsyncIterator[tuple[bytes, ...]]:
        """A record's amendments in order, in chunks. Numbers may be missing: an interrupted batch wrote none."""
        last = 0
        while True:
            statement = (
                select(AMENDMENTS.c.number, AMENDMENTS.c.content)
                .where(AMENDMENTS.c.workflow_id == workflow_id, AMENDMENTS.c.number > last)
                .order_by(AMENDMENTS.c.number)
                .limit(AMENDMENTS_AT_ONCE)
            )
            rows = await self._database.rows(statement)
            if rows:
                last = rows[-1].number
                yield tuple(row.content for row in rows)
            if len(rows) < AMENDMENTS_AT_ONCE:
                return


def write_record(
    connection: Connection, workflow_id: str, content: bytes, facts: OutcomeFacts | None = None
) -> str | None:
    """Insert a record with what is looked up and counted of it; the SHA-256 of the one that is there already."""
    record, sha256 = json.loads(content), hashlib.sha256(content).hexdigest()
    record_facts = RecordFacts.from_record(record)
    workflow_name = named(workflow_id)
    owner = owner_in(workflow_name.id) if workflow_name else None
    facet = Facet(
        of_campaign=owner is not None and _is_of_campaign(connection, workflow_id),
        type=workflow_id.partition(":")[0],
        status=record_facts.status,
        kind=record_facts.kind,
    )
    ended_at = record_facts.ended_at or datetime.now(UTC)
    row = {name: getattr(record_facts, name) for name in ("kind", "status", "problem", "title", "requester", "due_at")}
    common = {"workflow_id": workflow_id, "facet": facet.written, "ended_at": ended_at}
    if not insert_new(connection, RECORDS, **common, **row, content=content, sha256=sha256):
        return str(connection.execute(select(_IS.sha256).where(_IS.workflow_id == workflow_id)).scalar_one())
    if facts:
        write_facts(connection, workflow_id, facts)
    pages = connection.execute(_SELECT_PAGES, {"workflow_id": workflow_id}).scalars()
    named_too = people_in([record, *map(json.loads, pages)])
    lists = [common | {"of": list_type, "person": person} for list_type, person in _lists(record_facts, named_too)]
    connection.execute(_INSERT_LISTS, lists)
    if owner:  # Not `of_campaign`: a start that was killed has left no row to tell it by.
        write_outcome(connection, workflow_id, record)
    return None


def people_in(document: Any) -> set[str]:
    """Ids of the people whom JSON of ours names."""
    people: set[str] = set()
    parts: list[Any] = [[document]]
    while parts:
        part = parts.pop()
        for name, child in part.items() if isinstance(part, dict) else enumerate(part):
            if isinstance(child, (dict, list)):
                parts.append(child)
            elif name in NAMES and isinstance(child, str):
                people.add(child)
    return people


def list_named(connection: Connection, workflow_id: str, people: Collection[str]) -> None:
    """List what has a record with people whom it is not listed with yet; nothing without a record."""
    query = select(_IS.facet, _IS.ended_at).where(_IS.workflow_id == workflow_id)
    if not people or (record := connection.execute(query).first()) is None:
        return
    common = {"workflow_id": workflow_id, "facet": record.facet, "ended_at": record.ended_at}
    row = RECORD_LISTS.c
    same_record = row.facet == record.facet, row.ended_at == record.ended_at, row.workflow_id == workflow_id
    for batch in chunks(sorted(people), RECORDS_AT_ONCE):
        listed = select(row.person).where(row.of.in_(CONCERNED), row.person.in_(batch), *same_record)
        listed_people = set(connection.execute(listed).scalars())
        if new := [common | {"of": ListOf.NAMED, "person": person} for person in batch if person not in listed_people]:
            connection.execute(_INSERT_LISTS, new)


def _instant(text: Any) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _lists(facts: RecordFacts, named_too: Collection[str]) -> Iterator[tuple[ListOf, str]]:
    yield ListOf.ALL, ""
    asked_people = facts.people - {""}
    yield from ((ListOf.ASKED, person) for person in sorted(asked_people))
    if facts.requester:
        yield ListOf.REQUESTED, facts.requester
    yield from ((ListOf.TEAM, team) for team in dict.fromkeys(facts.teams))
    yield from ((ListOf.NAMED, person) for person in sorted({*named_too} - asked_people - {facts.requester, ""}))


def _is_of_campaign(connection: Connection, workflow_id: str) -> bool:
    started = select(FOLLOW_UPS.c.parent).where(FOLLOW_UPS.c.workflow_id == workflow_id)
    return (connection.execute(started).scalar() or "").startswith(Kind.CAMPAIGN.workflow_id(""))
