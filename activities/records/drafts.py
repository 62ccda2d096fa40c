"""Drafts: what somebody writes at the desk and has not sent yet, in the shape of the file that a command would start.
Only their author has them, for 30 days; their files are apart from those of requests.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, func, select

from activities.documents.files import Files
from activities.records.database import Database, insert_new
from activities.records.schema import DRAFT_FILES, DRAFTS

KEPT_FOR: Final = timedelta(days=30)
"""After the last change."""
DRAFTS_AT_MOST: Final = 50
"""Of one author, not counting those that were sent."""
DROPPED_AT_MOST: Final = 500
"""By each daily sweep, of those that are too old, and of each author who has left."""
FILES_AT_MOST: Final = 20
"""Of one draft."""
SHELF: Final = "drafts"
"""Of the files: what is dropped here is no request's document."""
_DRAFT: Final = DRAFTS.c
_FILE: Final = DRAFT_FILES.c


class DraftFile(NamedTuple):
    """The bytes of a file by their SHA-256."""

    sha256: str
    size: int


class Draft(NamedTuple):
    """`content` is a plain file, `files` are by the names in it; `version` counts its changes. Once it was sent it has
    only the workflow id in `started`.
    """

    id: str
    author: str
    type: str
    content: Mapping[str, Any]
    version: int
    changed_at: datetime
    files: Mapping[str, DraftFile] = {}
    started: str | None = None


class TooManyDrafts(Exception):
    """Their author has as many as there may be."""


class Drafts:
    """Raises `DatabaseAway`, `StoreAway`."""

    def __init__(self, database: Database, files: Files) -> None:
        self._database = database
        self._files = files

    async def begin(self, draft: Draft) -> None:
        """Write a new one, without files. Raises `TooManyDrafts`."""

        def change(connection: Connection) -> None:
            open_ones = select(func.count()).select_from(DRAFTS)
            open_ones = open_ones.where(_DRAFT.author == draft.author, _DRAFT.started.is_(None))
            if (connection.scalar(open_ones) or 0) >= DRAFTS_AT_MOST:
                raise TooManyDrafts
            values = {name: value for name, value in draft._asdict().items() if name != "files"}
            insert_new(connection, DRAFTS, **values)

        await self._database.write(change)

    async def read(self, id: str, author: str) -> Draft | None:
        """None if it is not theirs."""
        row = await self._database.first(select(DRAFTS).where(_DRAFT.id == id, _DRAFT.author == author))
        if row is None:
            return None
        rows = await self._database.rows(select(DRAFT_FILES).where(_FILE.draft == id).limit(FILES_AT_MOST))
        return _draft(row)._replace(files={file.name: DraftFile(file.sha256, file.size) for file in rows})

    async def list_drafts(self, author: str) -> tuple[Draft, ...]:
        """Those not sent, the last changed first, without their files."""
        query = select(DRAFTS).where(_DRAFT.author == author, _DRAFT.started.is_(None))
        rows = await self._database.rows(query.order_by(_DRAFT.changed_at.desc(), _DRAFT.id).limit(DRAFTS_AT_MOST))
        return tuple(map(_draft, rows))

    async def save(self, draft: Draft, now: datetime) -> bool:
        """Replace content and files by those of the next version; False if it was changed or sent meanwhile."""

        def change(connection: Connection) -> list[str] | None:
            same_version = _DRAFT.id == draft.id, _DRAFT.author == draft.author, _DRAFT.version == draft.version
            new = DRAFTS.update().where(*same_version, _DRAFT.started.is_(None))
            new = new.values(content=draft.content, version=draft.version + 1, changed_at=now)
            if connection.execute(new).rowcount == 0:
                return None
            return _replace_files(connection, draft.id, draft.files)

        return await self._changed(change)

    async def put(self, content: bytes) -> DraftFile:
        """Store the bytes of a file; it stays once a draft names it."""
        return DraftFile(await self._files.put(content, SHELF), len(content))

    async def content(self, file: DraftFile) -> bytes:
        """Raises `DocumentMissing`."""
        return await self._files.read(file.sha256, SHELF)

    async def sent(self, draft: Draft, workflow_id: str, now: datetime) -> None:
        """Empty it, and remember what came of it, whatever its version is by now."""

        def change(connection: Connection) -> list[str]:
            new = DRAFTS.update().where(_DRAFT.id == draft.id, _DRAFT.author == draft.author)
            connection.execute(new.values(content={}, started=workflow_id, changed_at=now))
            return _replace_files(connection, draft.id, {})

        await self._changed(change)

    async def discard(self, id: str, author: str) -> None:
        """Remove it if it is theirs."""
        await self._drop(select(_DRAFT.id).where(_DRAFT.id == id, _DRAFT.author == author))

    async def erase(self, author: str) -> None:
        """All of an author."""
        while await self._drop(select(_DRAFT.id).where(_DRAFT.author == author).limit(DROPPED_AT_MOST)):
            pass

    async def drop(self, now: datetime, is_gone: Callable[[str], Awaitable[bool]]) -> int:
        """Remove what is unchanged for 30 days, and all of authors for whom `is_gone`; how many."""
        old_drafts = select(_DRAFT.id).where(_DRAFT.changed_at < now - KEPT_FOR).limit(DROPPED_AT_MOST)
        dropped = await self._drop(old_drafts)
        async for author in self._authors():
            if await is_gone(author):
                dropped += await self._drop(select(_DRAFT.id).where(_DRAFT.author == author).limit(DROPPED_AT_MOST))
        return dropped

    async def _authors(self) -> AsyncIterator[str]:
        last_author = ""
        while True:
            query = select(_DRAFT.author).where(_DRAFT.author > last_author).distinct().order_by(_DRAFT.author)
            authors = [row.author for row in await self._database.rows(query.limit(DROPPED_AT_MOST))]
            for author in authors:
                yield author
            if len(authors) < DROPPED_AT_MOST:
                return
            last_author = authors[-1]

    async def _drop(self, ids: Any) -> int:
        count = 0

        def change(connection: Connection) -> list[str]:
            nonlocal count
            draft_ids = [row.id for row in connection.execute(ids)]
            count = len(draft_ids)
            files = [row.sha256 for row in connection.execute(select(_FILE.sha256).where(_FILE.draft.in_(draft_ids)))]
            connection.execute(DRAFT_FILES.delete().where(_FILE.draft.in_(draft_ids)))
            connection.execute(DRAFTS.delete().where(_DRAFT.id.in_(draft_ids)))
            return _unnamed(connection, files)

        await self._changed(change)
        return count

    async def _changed(self, change: Callable[[Connection], list[str] | None]) -> bool:
        """Whether it was made; files that no draft names any more are removed."""
        unused_files = await self._database.write(change)
        for sha256 in unused_files or ():
            await self._files.remove(sha256, SHELF)
        return unused_files is not None


def _replace_files(connection: Connection, draft: str, files: Mapping[str, DraftFile]) -> list[str]:
    """The hashes that no draft names any more."""
    former_hashes = [row.sha256 for row in connection.execute(select(_FILE.sha256).where(_FILE.draft == draft))]
    connection.execute(DRAFT_FILES.delete().where(_FILE.draft == draft))
    for name, file in files.items():
        insert_new(connection, DRAFT_FILES, draft=draft, name=name, **file._asdict())
    return _unnamed(connection, former_hashes)


def _unnamed(connection: Connection, hashes: Iterable[str]) -> list[str]:
    unique_hashes = sorted(set(hashes))
    named = select(_FILE.sha256).where(_FILE.sha256.in_(unique_hashes))
    return sorted(set(unique_hashes) - {row.sha256 for row in connection.execute(named)})


def _draft(row: Any) -> Draft:
    return Draft(row.id, row.author, row.type, row.content, row.version, row.changed_at, started=row.started)
