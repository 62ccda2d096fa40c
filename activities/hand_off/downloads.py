"""Kept files, and links by which hand-off targets fetch them, `LINK_BASE/download/<token>`: byte-equal at each attempt,
ended by their expiry or by hand.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from activities.documents.files import SIGNED, StoredFile
from activities.errors import DocumentMissing
from activities.keys import KeyRing, Purpose, encoded
from activities.records.downloads import DownloadLinkRow, LinkName
from activities.records.evidence import KeptFileName
from activities.records.store import Store

PATH: Final = "download"
_TOKEN_CHARACTERS: Final = 43


async def kept_file(store: Store, workflow_id: str, name: KeptFileName = KeptFileName.DOCUMENT) -> StoredFile | None:
    """A file of an ended request, None if it is not kept, or not yet; raises `DocumentMissing` once it was removed."""
    signed = await store.evidence.signed(workflow_id)
    file = signed.file(name) if signed else None
    if signed and file and signed.removed_at:  # Another request may have the same file.
        raise DocumentMissing(file.sha256)
    return await store.files.open(file.sha256, SIGNED) if file else None


@dataclass(frozen=True)
class DownloadLink:
    url: str
    expires_at: datetime


class DownloadLinks:
    """Links below `base` (`LINK_BASE`), valid for that long. Raises `DatabaseAway`.

    A token is derived from a secret, and the database has its hash only: a copy of it opens nothing.
    """

    def __init__(self, store: Store, base: str, key_ring: KeyRing, valid: timedelta) -> None:
        self._store = store
        self._base = base.rstrip("/")
        self._seal = key_ring.seal(Purpose.DOWNLOAD)
        self._valid = valid

    async def link(self, name: LinkName, now: datetime) -> DownloadLink:
        """The target's present link, a new one after the expiry of the last, its revocation, or that of its secret."""

        def hashes_of(number: int) -> list[str]:
            return list(map(_hash_of, self._tokens(name, number)))

        issued = await self._store.downloads.issue(name, hashes_of, now, self._valid)
        token = self._tokens(name, issued.number)[hashes_of(issued.number).index(issued.token_sha256)]
        return DownloadLink(f"{self._base}/{PATH}/{token}", issued.expires_at)

    async def find(self, token: str, now: datetime) -> DownloadLinkRow | None:
        """The link of a token; None for one that was never issued, has expired or was revoked, or whose secret was."""
        if len(token) != _TOKEN_CHARACTERS or not token.isascii():
            return None
        link = await self._store.downloads.find(_hash_of(token))
        if link is None or link.expires_at <= now:
            return None
        name = LinkName(link.workflow_id, link.target, link.file)
        return link if token in self._tokens(name, link.number) else None

    def _tokens(self, name: LinkName, number: int) -> list[str]:
        """By each secret."""
        return list(map(encoded, self._seal.digests("\n".join((*name, str(number))).encode())))


def _hash_of(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
