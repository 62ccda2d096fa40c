"""What is kept of a follow-up at its end, beside its record: what the provider gave, and evidence of our own in parts.

The content of the evidence is written once and refers to its parts by hash; the erasable ones may be gone later.
"""

import asyncio
import hashlib
import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, literal, select, tuple_

from activities.records.database import Database, chunks, insert_new
from activities.records.holds import find_held
from activities.records.schema import EVIDENCE, EVIDENCE_PARTS, SEALS, SIGNED_DOCUMENTS, InstantType

READ_AT_ONCE: Final = 500
"""Follow-ups of one statement."""
PARTS_AT_MOST: Final = 300
"""Parts of one follow-up that are listed: a history and its payloads for each run, the file, the names."""
_WHY_CHARACTERS: Final = 500
_OF: Final = EVIDENCE_PARTS.c
_SIGNED: Final = SIGNED_DOCUMENTS.c
_SEAL: Final = SEALS.c
FIELDS: Final = "fields"
"""The name of the part with what signers filled in, JSON `[{id, value}]`: erasable."""


class KeptFileName(StrEnum):
    """A file of the provider; also its key in an event's data."""

    DOCUMENT = "document"
    SIGNING_LOG = "signing_log"


def file_part(fingerprint: str) -> str:
    """The name of the part with the file of this start, canonical JSON whose SHA-256 is the fingerprint: erasable."""
    return f"file-{fingerprint[:16]}"


class SignedFile(NamedTuple):
    """A file of the shelf `SIGNED` (activities/documents/files.py)."""

    sha256: str
    bytes: int


@dataclass(frozen=True)
class SignedDocument:
    """What the provider gave of an ended request: the signed document, the signing log, its ids.

    `why` says what is still missing; it is None once all that the kind wants is there.
    """

    document: SignedFile | None = None
    log: SignedFile | None = None
    provider: Mapping[str, Any] | None = None
    """`{document, request, signers: [{person, uuid}]}`."""
    at: datetime | None = None
    why: str | None = None
    keep_until: datetime | None = None
    """When the files are to be removed; None for good, and once they are."""
    removed_at: datetime | None = None
    """When their retention was over."""

    def file(self, name: KeptFileName) -> SignedFile | None:
        return self.document if name is KeptFileName.DOCUMENT else self.log


class DueFiles(NamedTuple):
    """Signed files whose retention is over; by their hashes."""

    keep_until: datetime
    workflow_id: str
    files: tuple[str, ...]


class Evidence:
    """Raises `DatabaseAway`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # --- what the provider gave

    async def keep_signed(self, workflow_id: str, signed: SignedDocument, fetched_at: datetime) -> None:
        """Add what was fetched; what is there already stays, and so does a complete one."""
        new: dict[str, Any] = {"at": fetched_at, "why": signed.why and signed.why[:_WHY_CHARACTERS]}
        for part, file in (("document", signed.document), ("log", signed.log)):
            if file is not None:
                new |= {f"{part}_sha256": file.sha256, f"{part}_bytes": file.bytes}
        if signed.keep_until is not None:
            new["keep_until"] = signed.keep_until
        if signed.provider is not None:
            new["provider"] = dict(signed.provider)
        update = SIGNED_DOCUMENTS.update().where(_SIGNED.workflow_id == workflow_id, _SIGNED.why.is_not(None))

        def change(connection: Connection) -> None:
            if not insert_new(connection, SIGNED_DOCUMENTS, workflow_id=workflow_id, **new):
                connection.execute(update.values(**new))

        await self._database.write(change)

    async def signed(self, workflow_id: str) -> SignedDocument | None:
        """None if nothing was fetched yet."""
        return (await self.signed_of([workflow_id])).get(workflow_id)

    async def signed_of(self, workflow_ids: Sequence[str]) -> Mapping[str, SignedDocument]:
        """Of those of which something was fetched; the caller bounds their number."""
        signed_by_id: dict[str, SignedDocument] = {}
        for ids in chunks(workflow_ids, READ_AT_ONCE):
            query = select(SIGNED_DOCUMENTS).where(_SIGNED.workflow_id.in_(ids))
            signed_by_id |= {row.workflow_id: _signed(row) for row in await self._database.rows(query)}
        return signed_by_id

    # --- what is not to be kept for good

    async def due(self, now: datetime, position: tuple[datetime, str] | None = None) -> list[DueFiles]:
        """Some of those whose files are to be removed by now, behind a place."""
        place_columns = tuple_(_SIGNED.keep_until, _SIGNED.workflow_id)
        query = select(_SIGNED.keep_until, _SIGNED.workflow_id, _SIGNED.document_sha256, _SIGNED.log_sha256)
        query = query.where(_SIGNED.keep_until < now).order_by(_SIGNED.keep_until, _SIGNED.workflow_id)
        if position is not None:
            query = query.where(place_columns > tuple_(literal(position[0], InstantType), literal(position[1])))
        rows = await self._database.rows(query.limit(READ_AT_ONCE))
        return [DueFiles(row[0], row[1], tuple(filter(None, row[2:]))) for row in rows]

    async def give_up(self, workflow_ids: Sequence[str], now: datetime) -> set[str]:
        """Note that their files are removed now, and remove what signers filled in; those of which this may be: no
        legal hold keeps them.
        """

        def change(connection: Connection) -> set[str]:
            free = set(workflow_ids) - find_held(connection, workflow_ids).keys()
            new = SIGNED_DOCUMENTS.update().where(_SIGNED.workflow_id.in_(free), _SIGNED.removed_at.is_(None))
            connection.execute(new.values(removed_at=now))
            connection.execute(EVIDENCE_PARTS.delete().where(_OF.workflow_id.in_(free), _OF.name == FIELDS))
            return free

        return await self._database.write(change)

    async def nobodys(self, hashes: Collection[str]) -> set[str]:
        """Those of these files that no request has any more; the caller bounds their number."""
        used = set[str]()
        for column in (_SIGNED.document_sha256, _SIGNED.log_sha256):
            query = select(column).where(column.in_(hashes), _SIGNED.removed_at.is_(None)).distinct()
            used |= {row[0] for row in await self._database.rows(query)}
        return set(hashes) - used

    async def are_removed(self, workflow_ids: Collection[str]) -> None:
        """Their files are gone: nothing more is due of them."""
        is_removed = _SIGNED.workflow_id.in_(workflow_ids)
        await self._database.change(SIGNED_DOCUMENTS.update().where(is_removed).values(keep_until=None))

    # --- our own evidence

    async def keep(self, workflow_id: str, content: bytes, parts: Mapping[str, bytes], kept_at: datetime) -> bool:
        """Write content and parts, once; whether this call wrote them."""
        row = {"content": content, "sha256": hashlib.sha256(content).hexdigest(), "at": kept_at}
        deflated = await asyncio.to_thread(lambda: {name: zlib.compress(part, 9) for name, part in parts.items()})

        def change(connection: Connection) -> bool:
            if not insert_new(connection, EVIDENCE, workflow_id=workflow_id, **row):
                return False
            for name, part in deflated.items():
                insert_new(connection, EVIDENCE_PARTS, workflow_id=workflow_id, name=name, content=part)
            return True

        return await self._database.write(change)

    async def keep_part(self, workflow_id: str, name: str, content: bytes) -> None:
        """Write a part before the end, such as the file; the first one of a name counts."""
        deflated = zlib.compress(content, 9)
        await self._database.insert(EVIDENCE_PARTS, workflow_id=workflow_id, name=name, content=deflated)

    async def read(self, workflow_id: str) -> bytes | None:
        """The content, canonical JSON; None if nothing was kept."""
        row = await self._database.first(select(EVIDENCE.c.content).where(EVIDENCE.c.workflow_id == workflow_id))
        return row.content if row else None

    async def part(self, workflow_id: str, name: str) -> bytes | None:
        """None if there is none, or it was erased."""
        query = select(_OF.content).where(_OF.workflow_id == workflow_id, _OF.name == name)
        row = await self._database.first(query)
        return zlib.decompress(row.content) if row else None

    async def parts(self, workflow_id: str) -> tuple[str, ...]:
        """The names of its parts."""
        query = select(_OF.name).where(_OF.workflow_id == workflow_id).order_by(_OF.name)
        return tuple(row.name for row in await self._database.rows(query.limit(PARTS_AT_MOST)))


class Seals:
    """Signatures of evidence packs, by the SHA-256 of their manifest: made once, given again. Raises `DatabaseAway`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self, sha256: str) -> bytes | None:
        """The DSSE envelope; None if there is none."""
        row = await self._database.first(select(_SEAL.envelope).where(_SEAL.manifest_sha256 == sha256))
        return row.envelope if row else None

    async def keep(self, sha256: str, envelope: bytes) -> bytes:
        """Store an envelope, unless there is one; returns the stored one."""

        def change(connection: Connection) -> bytes:
            insert_new(connection, SEALS, manifest_sha256=sha256, envelope=envelope)
            stored = select(_SEAL.envelope).where(_SEAL.manifest_sha256 == sha256)
            return bytes(connection.execute(stored).scalar_one())

        return await self._database.write(change)


def _signed(row: Any) -> SignedDocument:
    document = SignedFile(row.document_sha256, row.document_bytes) if row.document_sha256 else None
    log = SignedFile(row.log_sha256, row.log_bytes) if row.log_sha256 else None
    return SignedDocument(document, log, row.provider, row.at, row.why, row.keep_until, row.removed_at)
