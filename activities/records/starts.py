"""What is known of a follow-up from its start on, and never changes with its state; it is searched by its words."""

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, exists, func, or_, select

from activities.records.database import Database, insert_new
from activities.records.schema import FOLLOW_UPS, RECORDS, STAND_INS, START_WORDS
from workflows.model.timeline import EventType
from workflows.model.views import AnyShow

WORDS_AT_MOST: Final = 100
"""Words of the id and title of one start."""
SEARCHED_WORDS_AT_MOST: Final = 8
FOUND_AT_MOST: Final = 1_000
"""Follow-ups that a search finds, the newest."""
LOOKED_AT_MOST: Final = 20_000
"""Entries of the rarest word that a search looks at."""
RUNNING_AT_MOST: Final = 500
"""Follow-ups that ask one person, the newest: those without a record, or those whose kinds concern them."""
OF_A_DOCUMENT_AT_MOST: Final = 10
"""Follow-ups that were started with one document, the newest."""
COUNTED_KINDS_AT_MOST: Final = 1_000
"""Kinds whose starts are counted."""
_LAST: Final = "\U0010ffff"


@dataclass(frozen=True)
class Start:
    """By what it is found; people by id."""

    kind: str
    title: str
    people: tuple[str, ...]
    requester: str
    parent: str | None
    """The workflow id of its onboarding or campaign."""
    started_at: datetime
    actor: str | None = None
    """Who called, and how that is known; None for what one of our own workflows starts."""
    document_sha256: str | None = None
    """Of the document that it was started with."""

    def list_terms(self, workflow_id: str) -> tuple[str, ...]:
        """Those of all people, of whom its file bounds the number: who is not found cannot be erased."""
        texts = words_of(workflow_id.partition(":")[2], self.title)[:WORDS_AT_MOST]
        return tuple(dict.fromkeys((*texts, *words_of(self.requester, *self.people))))


def words_of(*texts: str) -> tuple[str, ...]:
    """Their words, each once, without case and accents."""
    plain = unicodedata.normalize("NFKD", " ".join(texts).casefold())
    plain = "".join(character for character in plain if not unicodedata.combining(character))
    return tuple(dict.fromkeys(re.findall(r"[^\W_]+", plain)))


class StartMatches(NamedTuple):
    """Workflow ids, newest first."""

    ids: tuple[str, ...]
    has_more: bool
    """Whether there may be others: more words find them."""


class StartRecords:
    """Raises `DatabaseAway`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, workflow_id: str, start: Start) -> None:
        """Store by what it is found; the first one counts."""
        as_given = ("kind", "title", "requester", "parent", "started_at", "actor", "document_sha256")
        row = {name: getattr(start, name) for name in as_given}
        row |= {"type": workflow_id.partition(":")[0], "people": list(start.people)}
        word_rows = [
            {"workflow_id": workflow_id, "word": term, "started_at": start.started_at}
            for term in start.list_terms(workflow_id)
        ]

        def change(connection: Connection) -> None:
            insert_new(connection, FOLLOW_UPS, workflow_id=workflow_id)
            unknown = FOLLOW_UPS.c.workflow_id == workflow_id, FOLLOW_UPS.c.started_at.is_(None)
            if connection.execute(FOLLOW_UPS.update().where(*unknown).values(**row)).rowcount and word_rows:
                connection.execute(START_WORDS.insert(), word_rows)

        await self._database.write_rows(change)

    async def came_in(self, workflow_id: str, people: Collection[str]) -> None:
        """Note who came in after the start, by escalation, delegation or absence; whom it began with is known."""
        query = select(FOLLOW_UPS.c.people, FOLLOW_UPS.c.requester).where(FOLLOW_UPS.c.workflow_id == workflow_id)
        began = await self._database.first(query)
        known_people = (*(began.people or ()), began.requester) if began else ()
        new = [person for person in people if person not in known_people]

        def change(connection: Connection) -> None:
            for person in new:
                insert_new(connection, STAND_INS, person=person, workflow_id=workflow_id)

        if new:
            await self._database.write_rows(change)

    async def started_at(self, workflow_id: str) -> datetime | None:
        """None if it is not known."""
        instant: datetime | None = await self._read_column(workflow_id, FOLLOW_UPS.c.started_at)
        return instant

    async def with_document(self, sha256: str) -> tuple[str, ...]:
        """Workflow ids of the newest that were started with this document, a limited number."""
        query = select(FOLLOW_UPS.c.workflow_id).where(FOLLOW_UPS.c.document_sha256 == sha256)
        rows = await self._database.rows(query.order_by(FOLLOW_UPS.c.started_at.desc()).limit(OF_A_DOCUMENT_AT_MOST))
        return tuple(row.workflow_id for row in rows)

    async def with_actor(self, view: AnyShow) -> AnyShow:
        """With who started it in the first entry of its timeline."""
        actor = await self._read_column(view.type.workflow_id(view.id), FOLLOW_UPS.c.actor)
        if actor is None or not view.timeline or view.timeline[0].happened != EventType.STARTED:
            return view
        first, *later_entries = view.timeline
        return view.replace(timeline=(first.replace(actor=actor), *later_entries))

    async def counts(self, after_instant: datetime, until_instant: datetime) -> Mapping[str, int]:
        """How many were started after the one instant and not after the other, by kind; the most frequent kinds."""
        column, count = FOLLOW_UPS.c, func.count().label("many")
        between = column.started_at > after_instant, column.started_at <= until_instant
        query = select(column.kind, count).where(*between).group_by(column.kind).order_by(count.desc())
        rows = await self._database.rows(query.limit(COUNTED_KINDS_AT_MOST))
        return {row.kind: row.many for row in rows}

    async def find_known(self, workflow_ids: Sequence[str]) -> set[str]:
        """Those that `search` can find; the caller bounds their number."""
        query = select(FOLLOW_UPS.c.workflow_id).where(
            FOLLOW_UPS.c.workflow_id.in_(workflow_ids), FOLLOW_UPS.c.started_at.is_not(None)
        )
        return {row.workflow_id for row in await self._database.rows(query)}

    async def search(
        self, text: str, types: Iterable[str], *, kind: str | None = None, requester: str | None = None
    ) -> StartMatches:
        """Those of these types that have words that begin with each word of the text."""
        prefixes = words_of(text)[:SEARCHED_WORDS_AT_MOST]
        facts = {"kind": kind, "requester": requester}
        narrowed = [FOLLOW_UPS.c[name] == value for name, value in facts.items() if value is not None]

        def ask(connection: Connection) -> StartMatches:
            counts = {prefix: _count(connection, prefix) for prefix in prefixes}
            rarest = min(counts, key=lambda prefix: counts[prefix])
            start_word = START_WORDS.c
            matches = select(start_word.workflow_id, start_word.started_at).where(*_begins(start_word.word, rarest))
            some_of_them = (
                matches.order_by(start_word.word.desc(), start_word.started_at.desc()).limit(LOOKED_AT_MOST).subquery()
            )
            query = (
                select(some_of_them)
                .distinct()
                .join(FOLLOW_UPS, FOLLOW_UPS.c.workflow_id == some_of_them.c.workflow_id)
                .where(FOLLOW_UPS.c.type.in_(types), *narrowed)
                .where(*(_has(some_of_them.c.workflow_id, prefix) for prefix in prefixes if prefix != rarest))
                .order_by(some_of_them.c.started_at.desc(), some_of_them.c.workflow_id.desc())
                .limit(FOUND_AT_MOST + 1)
            )
            ids = tuple(row.workflow_id for row in connection.execute(query))
            return StartMatches(ids[:FOUND_AT_MOST], len(ids) > FOUND_AT_MOST or counts[rarest] >= LOOKED_AT_MOST)

        return await self._database.read(ask) if prefixes else StartMatches((), has_more=False)

    async def running(self, person: str, types: Iterable[str]) -> tuple[str, ...]:
        """Those of these types that have no record yet and ask this person, or did so later, newest first."""
        record = exists().where(RECORDS.c.workflow_id == FOLLOW_UPS.c.workflow_id)
        rows = await self._newest_with(person, FOLLOW_UPS.c.type.in_(types), ~record)
        return tuple(row.workflow_id for row in rows if row.came_in or person in (row.people or ()))

    async def kinds_concerning(self, person: str) -> frozenset[str]:
        """The kinds of the newest follow-ups that ask this person, did so later, or were asked for by them."""
        rows = await self._newest_with(person)
        concerning = (row for row in rows if row.came_in or person in (row.requester, *(row.people or ())))
        return frozenset(row.kind for row in concerning if row.kind)

    async def _newest_with(self, person: str, *conditions: ColumnElement[bool]) -> Sequence[Any]:
        """Rows that have the words of this person's id, or to which they came later, newest first."""
        terms = sorted(words_of(person), key=len)[-SEARCHED_WORDS_AT_MOST:]
        start_word, follow_up = START_WORDS.c, FOLLOW_UPS.c
        named = (
            select(start_word.workflow_id).where(start_word.word == terms[-1]).order_by(start_word.started_at.desc())
        )
        later = select(STAND_INS.c.workflow_id).where(STAND_INS.c.person == person).limit(LOOKED_AT_MOST).subquery()
        candidates = (
            select(named.limit(LOOKED_AT_MOST).subquery().c.workflow_id).union(select(later.c.workflow_id)).subquery()
        )
        came_in = exists().where(STAND_INS.c.person == person, STAND_INS.c.workflow_id == follow_up.workflow_id)
        whole_id = and_(*(_is_of(follow_up.workflow_id, term) for term in terms))
        query = (
            select(
                follow_up.workflow_id, follow_up.kind, follow_up.people, follow_up.requester, came_in.label("came_in")
            )
            .join(candidates, candidates.c.workflow_id == follow_up.workflow_id)
            .where(*conditions, or_(came_in, whole_id))
        )
        newest = query.order_by(follow_up.started_at.desc(), follow_up.workflow_id.desc()).limit(RUNNING_AT_MOST)
        return await self._database.rows(newest)

    async def keep_cover(self, workflow_id: str, content: bytes) -> None:
        await self._keep(workflow_id, cover=content)

    async def cover(self, workflow_id: str) -> bytes | None:
        """None if nothing was created."""
        content: bytes | None = await self._read_column(workflow_id, FOLLOW_UPS.c.cover)
        return content

    async def keep_first_page(self, workflow_id: str, sha256: str, document: str) -> None:
        """Store the hash of the picture of the first page of the document with the other hash."""
        await self._keep(workflow_id, first_page=sha256, first_page_of=document)

    async def first_page(self, workflow_id: str, document: str) -> str | None:
        """None if that of this document is not drawn yet."""
        page, page_document = FOLLOW_UPS.c.first_page, FOLLOW_UPS.c.first_page_of
        query = select(page).where(FOLLOW_UPS.c.workflow_id == workflow_id, page_document == document)
        row = await self._database.first(query)
        return row.first_page if row else None

    async def claim(self, workflow_id: str, fingerprint: str = "") -> None:
        """Record that the provider had nothing under this id before we created it with this fingerprint; empty for
        adopted documents. The first claim stays.
        """

        def change(connection: Any) -> None:
            insert_new(connection, FOLLOW_UPS, workflow_id=workflow_id)
            unclaimed = FOLLOW_UPS.c.workflow_id == workflow_id, FOLLOW_UPS.c.claimed_for.is_(None)
            connection.execute(FOLLOW_UPS.update().where(*unclaimed).values(claimed_for=fingerprint))

        await self._database.write_rows(change)

    async def claimed_for(self, workflow_id: str) -> str | None:
        """The fingerprint of the claim; None if what the provider has is not ours."""
        fingerprint: str | None = await self._read_column(workflow_id, FOLLOW_UPS.c.claimed_for)
        return fingerprint

    async def _keep(self, workflow_id: str, **values: Any) -> None:
        await self._database.replace(FOLLOW_UPS, {FOLLOW_UPS.c.workflow_id: workflow_id}, **values)

    async def _read_column(self, workflow_id: str, column: Any) -> Any:
        row = await self._database.first(select(column).where(FOLLOW_UPS.c.workflow_id == workflow_id))
        return row[0] if row else None


def _begins(column: ColumnElement[str], prefix: str) -> Iterable[ColumnElement[bool]]:
    return column >= prefix, column < prefix + _LAST


def _has(workflow_id: ColumnElement[str], prefix: str) -> ColumnElement[bool]:
    start_word = START_WORDS.alias().c
    return exists().where(start_word.workflow_id == workflow_id, *_begins(start_word.word, prefix))


def _is_of(workflow_id: ColumnElement[str], term: str) -> ColumnElement[bool]:
    start_word = START_WORDS.alias().c
    return exists().where(start_word.workflow_id == workflow_id, start_word.word == term)


def _count(connection: Connection, prefix: str) -> int:
    matches = select(START_WORDS.c.word).where(*_begins(START_WORDS.c.word, prefix)).limit(LOOKED_AT_MOST).subquery()
    return int(connection.execute(select(func.count()).select_from(matches)).scalar_one())
