"""The link in a notice: our own page, addressed by a sealed reference that shows nothing of what it stands for.

A reference is AES-256-GCM of request, person and use. Its nonce is derived from the plaintext, so the same link is
equal to the byte on every attempt, and a repeated push replaces the earlier one instead of differing from it.
"""

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr

_CONTEXT: Final = b"countersign/link/v1"
_NONCE_BYTES: Final = 12
_REF: Final = re.compile(r"[A-Za-z0-9_-]{40,512}")
_SEPARATOR: Final = "\n"
"""Ids never contain it (docs/files.md, Values)."""


class LinkUse(StrEnum):
    """What the page behind the link is for."""

    SIGN = "sign"
    VIEW = "view"


@dataclass(frozen=True)
class LinkClaim:
    """What a genuine link says: this person may do this with this request."""

    request: str
    person: str
    use: LinkUse


class BadLink(ValueError):
    """The reference was not made by us, or not with this secret; the text says nothing of its content."""


class Links:
    """Makes and opens signing links below `base` (the public `LINK_BASE`); `secret` has at least 32 bytes."""

    def __init__(self, base: str, secret: SecretStr) -> None:
        self._base = base.rstrip("/")
        keys = HKDF(algorithm=SHA256(), length=64, salt=None, info=_CONTEXT).derive(secret.get_secret_value().encode())
        self._cipher = AESGCM(keys[:32])
        self._nonce_key = keys[32:]

    def link(self, request: str, person: str, use: LinkUse) -> str:
        """The address of our page for this person: `LINK_BASE/open/<ref>`, byte-equal each time."""
        return f"{self._base}/open/{self._seal(LinkClaim(request, person, use))}"

    def open(self, ref: str) -> LinkClaim:
        """What `ref` stands for; raises `BadLink` unless it was sealed with our secret and is unchanged."""
        if not _REF.fullmatch(ref):
            raise BadLink("not a link of ours")
        claim = self._unseal(_decode(ref))
        if self._seal(claim) != ref:
            raise BadLink("not a link of ours")
        return claim

    def _seal(self, claim: LinkClaim) -> str:
        plain = _SEPARATOR.join((claim.use, claim.request, claim.person)).encode()
        nonce = hmac.digest(self._nonce_key, plain, hashlib.sha256)[:_NONCE_BYTES]
        return _encode(nonce + self._cipher.encrypt(nonce, plain, _CONTEXT))

    def _unseal(self, sealed: bytes) -> LinkClaim:
        try:
            plain = self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], _CONTEXT)
            use, request, person = plain.decode().split(_SEPARATOR)
            return LinkClaim(request, person, LinkUse(use))
        except (InvalidTag, ValueError):
            raise BadLink("not a link of ours") from None


def _encode(sealed: bytes) -> str:
    return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode("ascii")


def _decode(ref: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(ref + "=" * (-len(ref) % 4))
    except ValueError:
        raise BadLink("not a link of ours") from None
