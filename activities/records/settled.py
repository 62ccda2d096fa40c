"""Settled records, written once, and their amendments."""

import hashlib
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Self

from sqlalchemy import Connection, select

from activities.errors import RecordConflict, RecordDamaged
from activities.records.database import Database, insert_new, replace
from activities.records.hand_offs import keep_lines
from activities.records.schema import AMENDMENTS, RECORD_PEOPLE, RECORDS
from workflows.kinds import named
from workflows.model.hand_off import HandoffLine

AMENDMENTS_AT_ONCE: Final = 100
"""Amendments in memory: years of replays make thousands."""
RECORDS_AT_ONCE: Final = 500
"""Records of one statement."""


@dataclass(frozen=True)
class RecordFacts:
    """What lists and figures ask of a record, from its content."""

    status: str = ""
    kind: str = ""
    title: str = ""
    requester: str = ""
    due_at: datetime | None = None
    ended_at: datetime | None = None
    people: frozenset[str] = field(default=frozenset())

    @classmethod
    def of(cls, content: bytes) -> Self:
        record = json.loads(content)
        show = record.get("show") if isinstance(record, dict) else None
        if not show:
            return cls()
        settled = record.get("settled") or {}
        lines = [*(show.get("signers") or ()), *(show.get("people") or ())]
        return cls(
            status=show.get("status") or "",
            kind=show.get("kind") or "",
            title=show.get("document") or show.get("title") or "",
            requester=show.get("requester") or "",
            due_at=_instant(show.get("due_at")),
            ended_at=_instant(settled.get("at")),
            people=frozenset(
                one["person"] for some in lines for one in some if isinstance(one, dict) and "person" in one
            ),
        )


def _instant(said: Any) -> datetime | None:
    return datetime.fromisoformat(said) if said else None


def owner_in(id: str) -> str | None:
    """The onboarding or campaign in an id, or None."""
    owner, dot, rest = id.partition(".")
    return owner if owner and dot and rest else None


class Records:
    """Raises `DatabaseAway`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def write(self, workflow_id: str, content: bytes) -> bool:
        """Write the settled record once; whether this call wrote it. `RecordConflict` for other content."""
        facts, sha256 = RecordFacts.of(content), hashlib.sha256(content).hexdigest()
        what = named(workflow_id)
        row = {
            "type": workflow_id.partition(":")[0],
            "parent": owner_in(what.id) if what else None,
            "kind": facts.kind,
            "status": facts.status,
            "title": facts.title,
            "requester": facts.requester,
            "due_at": facts.due_at,
            "ended_at": facts.ended_at,
            "content": content,
            "sha256": sha256,
        }

        def change(connection: Connection) -> str | None:
            if insert_new(connection, RECORDS, workflow_id=workflow_id, **row):
                for person in sorted(facts.people):
                    insert_new(
                        connection, RECORD_PEOPLE, workflow_id=workflow_id, person=person, ended_at=facts.ended_at
                    )
                return None
            known = select(RECORDS.c.sha256).where(RECORDS.c.workflow_id == workflow_id)
            return str(connection.execute(known).scalar_one())

        there = await self._database.write(change)
        if there not in (None, sha256):
            raise RecordConflict(what.id if what else workflow_id)
        return there is None

    async def read(self, workflow_id: str) -> bytes | None:
        """None if it is not settled; raises `RecordDamaged`."""
        asked = select(RECORDS.c.content, RECORDS.c.sha256).where(RECORDS.c.workflow_id == workflow_id)
        found = await self._database.first(asked)
        if found is None:
            return None
        if hashlib.sha256(found.content).hexdigest() != found.sha256:
            raise RecordDamaged(workflow_id)
        content: bytes = found.content
        return content

    async def read_many(self, workflow_ids: Sequence[str]) -> list[bytes | None]:
        """In order, None for missing ones; the caller bounds their number."""
        found: dict[str, bytes] = {}
        for some in _chunks(workflow_ids, RECORDS_AT_ONCE):
            statement = select(RECORDS.c.workflow_id, RECORDS.c.content).where(RECORDS.c.workflow_id.in_(some))
            found |= {row.workflow_id: row.content for row in await self._database.rows(statement)}
        return [found.get(one) for one in workflow_ids]

    async def amend(self, workflow_id: str, number: int, content: bytes, hand_offs: Sequence[HandoffLine] = ()) -> None:
        """Write an amendment and its hand-offs; a repeated batch replaces only its own."""
        key = {AMENDMENTS.c.workflow_id: workflow_id, AMENDMENTS.c.number: number}

        def change(connection: Connection) -> None:
            replace(connection, AMENDMENTS, key, content=content)
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
            found = await self._database.rows(statement)
            if found:
                last = found[-1].number
                yield tuple(row.content for row in found)
            if len(found) < AMENDMENTS_AT_ONCE:
                return


def _chunks(all_of_them: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    return (all_of_them[first : first + size] for first in range(0, len(all_of_them), size))
