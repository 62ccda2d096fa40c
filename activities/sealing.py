"""What leaves us and comes back unchanged or not at all: AES-256-GCM in letters that addresses and cookies may have.

The nonce is derived from the plaintext, so the same text is sealed equal to the byte on every attempt: a repeated push
replaces the earlier one instead of differing from it.
"""

import base64
import hashlib
import hmac
import re
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr

_NONCE_BYTES: Final = 12
_SEALED: Final = re.compile(r"[A-Za-z0-9_-]{40,768}")


class BadSeal(ValueError):
    """It was not sealed by us, or not with this secret; the text says nothing of its content."""


class Seal:
    """Seals texts for one purpose, `context`; `secret` has at least 32 bytes."""

    def __init__(self, secret: SecretStr, context: bytes) -> None:
        keys = HKDF(algorithm=SHA256(), length=64, salt=None, info=context).derive(secret.get_secret_value().encode())
        self._cipher = AESGCM(keys[:32])
        self._nonce_key = keys[32:]
        self._context = context

    def seal(self, text: str) -> str:
        """The text, readable only by `open`; byte-equal each time."""
        plain = text.encode()
        nonce = self.digest(plain)[:_NONCE_BYTES]
        return _encode(nonce + self._cipher.encrypt(nonce, plain, self._context))

    def open(self, sealed: str) -> str:
        """What was sealed; raises `BadSeal` unless it was sealed with our secret and is unchanged."""
        if not _SEALED.fullmatch(sealed):
            raise BadSeal("not sealed by us")
        try:
            raw = base64.urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4))
            text = self._cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], self._context).decode()
        except (InvalidTag, ValueError):
            raise BadSeal("not sealed by us") from None
        if self.seal(text) != sealed:
            raise BadSeal("not sealed by us")
        return text

    def digest(self, plain: bytes) -> bytes:
        """32 bytes that only we can make of these."""
        return hmac.digest(self._nonce_key, plain, hashlib.sha256)


def _encode(sealed: bytes) -> str:
    return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode("ascii")
