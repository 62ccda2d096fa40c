"""Links of hand-off targets to kept files, and who downloaded what."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, select

from activities.records.database import Database, insert_new
from activities.records.evidence import KeptFileName
from activities.records.holds import is_held
from activities.records.schema import DOWNLOAD_LINKS, DOWNLOADS

LINKS_AT_MOST: Final = 200
"""Links of one follow-up that are listed: its targets, with two files each."""
LISTED_AT_MOST: Final = 100
"""Downloads of one follow-up that are listed, the newest."""
DAYS_KEPT: Final = 400
DROPPED_AT_MOST: Final = 10_000
"""Downloads dropped by one statement."""
_LINK: Final = DOWNLOAD_LINKS.c
_DOWNLOAD: Final = DOWNLOADS.c


class Way(StrEnum):
    """How somebody was known who downloaded."""

    LINK = "link"
    """By the link that a target got; `who` is the target."""
    PAGE = "page"
    DESK = "desk"
    COMMAND = "command"
    API = "api"
    """`who` is the caller: `token:crm`, `oidc:ada`."""


class LinkName(NamedTuple):
    """Whose link to which file."""

    workflow_id: str
    target: str
    file: KeptFileName


class IssuedLink(NamedTuple):
    """`number` is raised when a link is issued anew, after its expiry or revocation."""

    number: int
    token_sha256: str
    expires_at: datetime


class DownloadLinkRow(NamedTuple):
    workflow_id: str
    target: str
    file: KeptFileName
    number: int
    expires_at: datetime
    downloads: int
    token_sha256: str | None
    """None once it was revoked."""
    revoked_by: str | None = None
    """Actor of the last revocation, also of one after which the link was issued anew."""
    revoked_at: datetime | None = None


class Download(NamedTuple):
    """`who` is a person, or the target whose link it was."""

    at: datetime
    who: str
    file: KeptFileName
    way: Way


class Downloads:
    """Raises `DatabaseAway`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def issue(
        self, link: LinkName, hashes_of: Callable[[int], Sequence[str]], now: datetime, valid: timedelta
    ) -> IssuedLink:
        """The present link, else a new one; `hashes_of` the tokens with a number, the one for a new link first."""
        same_link = _LINK.workflow_id == link.workflow_id, _LINK.target == link.target, _LINK.file == link.file

        def change(connection: Connection) -> IssuedLink:
            row = connection.execute(select(DOWNLOAD_LINKS).where(*same_link)).first()
            if row and row.expires_at > now and row.token_sha256 in hashes_of(row.number):
                return IssuedLink(row.number, row.token_sha256, row.expires_at)
            number = row.number + 1 if row else 1
            issued = IssuedLink(number, hashes_of(number)[0], now + valid)
            new = issued._asdict()
            if row:
                connection.execute(DOWNLOAD_LINKS.update().where(*same_link).values(**new))
            else:
                insert_new(connection, DOWNLOAD_LINKS, **link._asdict(), **new, downloads=0)
            return issued

        return await self._database.write(change)

    async def find(self, token_sha256: str) -> DownloadLinkRow | None:
        row = await self._database.first(select(DOWNLOAD_LINKS).where(_LINK.token_sha256 == token_sha256))
        return _row(row) if row else None

    async def links(self, workflow_id: str) -> tuple[DownloadLinkRow, ...]:
        query = select(DOWNLOAD_LINKS).where(_LINK.workflow_id == workflow_id).order_by(_LINK.target, _LINK.file)
        return tuple(map(_row, await self._database.rows(query.limit(LINKS_AT_MOST))))

    async def revoke(self, workflow_id: str, actor: str, now: datetime) -> int:
        """No link of it opens anything until one is issued anew; how many did until now."""
        living = _LINK.workflow_id == workflow_id, _LINK.token_sha256.is_not(None)
        revoked = DOWNLOAD_LINKS.update().where(*living)
        return await self._database.change(revoked.values(token_sha256=None, revoked_by=actor, revoked_at=now))

    async def note(self, workflow_id: str, download: Download, token_sha256: str | None = None) -> None:
        """Write who downloaded it, and count it for the link that was used."""

        def change(connection: Connection) -> None:
            insert_new(connection, DOWNLOADS, workflow_id=workflow_id, **download._asdict())
            if token_sha256 is not None:
                used = DOWNLOAD_LINKS.update().where(_LINK.token_sha256 == token_sha256)
                connection.execute(used.values(downloads=_LINK.downloads + 1))

        await self._database.write(change)

    async def list_downloads(self, workflow_id: str) -> tuple[Download, ...]:
        """The newest, in the order of time."""
        query = select(DOWNLOADS).where(_DOWNLOAD.workflow_id == workflow_id)
        rows = await self._database.rows(query.order_by(_DOWNLOAD.at.desc()).limit(LISTED_AT_MOST))
        return tuple(Download(row.at, row.who, KeptFileName(row.file), Way(row.way)) for row in reversed(rows))

    async def list_since(self, instant: datetime) -> list[tuple[str, Download]]:
        """Those after it, each with its workflow id, in the order of time; a limited number."""
        query = select(DOWNLOADS).where(_DOWNLOAD.at > instant).order_by(_DOWNLOAD.at).limit(LISTED_AT_MOST)
        rows = await self._database.rows(query)
        return [(row.workflow_id, Download(row.at, row.who, KeptFileName(row.file), Way(row.way))) for row in rows]

    async def drop(self, now: datetime) -> int:
        """Remove those of more than 400 days ago, a limited number, unless a legal hold keeps them; how many."""
        old_rows = select(*DOWNLOADS.primary_key.columns).where(_DOWNLOAD.at < now - timedelta(days=DAYS_KEPT))
        old_rows = old_rows.where(~is_held(_DOWNLOAD.workflow_id))
        return await self._database.drop(DOWNLOADS, old_rows.limit(DROPPED_AT_MOST))


def _row(row: Any) -> DownloadLinkRow:
    key = row.workflow_id, row.target, KeptFileName(row.file)
    used = row.number, row.expires_at, row.downloads, row.token_sha256
    return DownloadLinkRow(*key, *used, row.revoked_by, row.revoked_at)
