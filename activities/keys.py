"""The keys of links, cookies and forms: one secret writes, all read, and each purpose has keys of its own."""

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr

_CIPHER_BYTES: Final = 64
_DIGEST_BYTES: Final = 32
_ID_BYTES: Final = 8
_CODE_DIGITS: Final = 6
_LEAST_CHARACTERS: Final = 24
_SEALED_CHARACTERS: Final = 768
"""Of a link's reference, or of a cookie, at most."""


class Purpose(StrEnum):
    """What a key is for; a key of one purpose opens nothing of another."""

    LINK = "link"
    SIGN_IN = "sign-in"
    DOWNLOAD = "download"
    FORM = "form"
    DESK_ASK = "desk/ask"
    DESK_SESSION = "desk/session"
    DESK_KNOWN = "desk/known"
    DESK_PENDING = "desk/oidc"
    ID_TOKEN = "desk/id-token"  # noqa: S105  a word, no secret
    PROOF = "identity/proof"
    CODE = "identity/request"


class BadSeal(ValueError):
    """The text was not sealed with our secret; the message has nothing of its content."""


class Seal:
    """Keys of one purpose: deterministic encryption (RFC 5297), and keyed hashes of 32 bytes. Sealed texts have at most
    `longest` characters.
    """

    def __init__(self, secrets: Iterable[SecretStr], purpose: Purpose, longest: int) -> None:
        self._sealed = re.compile(rf"[A-Za-z0-9_-]{{{_LEAST_CHARACTERS},{longest}}}")
        length = _CIPHER_BYTES + _DIGEST_BYTES
        keys = [derive(secret, f"{purpose}/v2", length) for secret in secrets]
        self._ciphers = [AESSIV(key[:_CIPHER_BYTES]) for key in keys]
        self._digest_keys = [key[_CIPHER_BYTES:] for key in keys]

    def seal(self, text: str) -> str:
        """The encrypted text, byte-equal each time."""
        return encoded(self._ciphers[0].encrypt(text.encode(), None))

    def open(self, sealed: str) -> str:
        """The plain text; raises `BadSeal` unless sealed with a secret of ours and unchanged."""
        raw = base64.urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4)) if self._is_well_formed(sealed) else b""
        for cipher in self._ciphers if encoded(raw) == sealed else ():
            try:
                return cipher.decrypt(raw, None).decode()
            except (InvalidTag, ValueError):
                continue
        raise BadSeal("not sealed by us")

    def code(self, text: str) -> str:
        """Six digits that only we can derive from the text."""
        return _code(self.digest(_of_code(text)))

    def accepts_code(self, text: str, digits: str) -> bool:
        """Whether these are the six digits of the text."""
        codes = map(_code, self.digests(_of_code(text)))
        return True in [hmac.compare_digest(code.encode(), digits.encode()) for code in codes]

    def digest(self, plain: bytes) -> bytes:
        """By the secret that writes."""
        return self.digests(plain)[0]

    def digests(self, plain: bytes) -> list[bytes]:
        """By each secret, the one that writes first."""
        return [hmac.digest(key, plain, hashlib.sha256) for key in self._digest_keys]

    def _is_well_formed(self, sealed: str) -> bool:
        return self._sealed.fullmatch(sealed) is not None and len(sealed) % 4 != 1


class KeyRing:
    """Secrets of at least 32 bytes, of which the first writes and all read: no purpose works without one."""

    def __init__(self, secrets: Iterable[SecretStr]) -> None:
        self._secrets = tuple(secrets)

    def seal(self, purpose: Purpose, longest: int = _SEALED_CHARACTERS) -> Seal:
        return Seal(self._secrets, purpose, longest)

    @property
    def ids(self) -> tuple[str, ...]:
        """A name of each secret, which reveals nothing of it."""
        return tuple(map(id_of_secret, self._secrets))


def id_of_secret(secret: SecretStr) -> str:
    """A name of the secret, which reveals nothing of it."""
    return derive(secret, "key-id/v1", _ID_BYTES).hex()


def derive(secret: SecretStr, info: str, length: int) -> bytes:
    """A key of a secret that is random; `info` tells keys apart."""
    hkdf = HKDF(algorithm=SHA256(), length=length, salt=None, info=f"countersign/{info}".encode())
    return hkdf.derive(secret.get_secret_value().encode())


def encoded(raw: bytes) -> str:
    """Base64 for addresses, without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def _of_code(text: str) -> bytes:
    return f"code\n{text}".encode()


def _code(digest: bytes) -> str:
    return f"{int.from_bytes(digest[:8]) % 10**_CODE_DIGITS:0{_CODE_DIGITS}}"
