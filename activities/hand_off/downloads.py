"""Kept files, and links by which hand-off targets fetch them, `LINK_BASE/download/<token>`: byte-equal at each attempt,
ended by their expiry or by hand.
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr

from activities.documents.files import SIGNED, StoredFile
from activities.errors import DocumentMissing
from activities.records.downloads import DownloadLinkRow, LinkName
from activities.records.evidence import KeptFileName
from activities.records.store import Store

PATH: Final = "download"
_CONTEXT: Final = b"countersign/download/v1"
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
    """Links below `base` (`LINK_BASE`), valid for that long; `secret` has at least 32 bytes. Raises `DatabaseAway`.

    A token is derived from the secret, and the database has its hash only: a copy of it opens nothing.
    """

    def __init__(self, store: Store, base: str, secret: SecretStr, valid: timedelta) -> None:
        self._store = store
        self._base = base.rstrip("/")
        self._key = HKDF(algorithm=SHA256(), length=32, salt=None, info=_CONTEXT).derive(
            secret.get_secret_value().encode()
        )
        self._valid = valid

    async def link(self, name: LinkName, now: datetime) -> DownloadLink:
        """The target's present link, a new one after the expiry of the last or its revocation."""

        def token(number: int) -> str:
            digest = hmac.digest(self._key, "\n".join((*name, str(number))).encode(), "sha256")
            return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

        issued = await self._store.downloads.issue(name, lambda number: _hash_of(token(number)), now, self._valid)
        return DownloadLink(f"{self._base}/{PATH}/{token(issued.number)}", issued.expires_at)


async def linked_file(store: Store, token: str, now: datetime) -> DownloadLinkRow | None:
    """The link of a token; None for one that was never issued, has expired or was revoked. Raises `DatabaseAway`."""
    if len(token) != _TOKEN_CHARACTERS or not token.isascii():
        return None
    link = await store.downloads.find(_hash_of(token))
    return link if link and link.expires_at > now else None


def _hash_of(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
