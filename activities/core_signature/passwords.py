"""The passwords by which Core Signature verifies signers (`verify: password`)."""

import base64
from collections.abc import Iterable
from typing import Final, Protocol

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr

from workflows.model.subject import Verify

_CONTEXT: Final = "countersign/signer-password/v1"
_BYTES: Final = 10
_GROUP: Final = 4


class VerifiedSigner(Protocol):
    """A signer as sent or shown."""

    @property
    def person(self) -> str: ...

    @property
    def verify(self) -> Verify | None: ...


class SignerPasswords:
    """Derived from our secret (`LINK_SECRET`), so that none is stored, and each is the same on every attempt."""

    def __init__(self, secret: SecretStr) -> None:
        self._secret = secret.get_secret_value().encode()

    def derive_all(self, request: str, signers: Iterable[VerifiedSigner]) -> dict[str, str]:
        """Of the signers who are verified by one, by person."""
        people = [signer.person for signer in signers if signer.verify is Verify.PASSWORD]
        return {person: self.derive(request, person) for person in people}

    def derive(self, request: str, person: str) -> str:
        """Sixteen letters and digits in groups of four."""
        info = f"{_CONTEXT}\n{request}\n{person}".encode()
        key = HKDF(algorithm=SHA256(), length=_BYTES, salt=None, info=info).derive(self._secret)
        word = base64.b32encode(key).decode().lower()
        return "-".join(word[start : start + _GROUP] for start in range(0, len(word), _GROUP))
