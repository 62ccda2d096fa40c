"""The passwords by which Core Signature verifies signers (`verify: password`)."""

import base64
from collections.abc import Iterable
from typing import Final, Protocol

from pydantic import SecretStr

from activities.keys import derive
from workflows.model.subject import Verify

_PURPOSE: Final = "signer-password/v1"
_BYTES: Final = 10
_GROUP: Final = 4


class VerifiedSigner(Protocol):
    """A signer as sent or shown."""

    @property
    def person(self) -> str: ...

    @property
    def verify(self) -> Verify | None: ...


class SignerPasswords:
    """Derived from the secret that never changes (`PERSON_ID_SECRET`): none is stored, and each stays the same as long
    as its request is open.
    """

    def __init__(self, secret: SecretStr) -> None:
        self._secret = secret

    def derive_all(self, request: str, signers: Iterable[VerifiedSigner]) -> dict[str, str]:
        """Of the signers who are verified by one, by person."""
        people = [signer.person for signer in signers if signer.verify is Verify.PASSWORD]
        return {person: self.derive(request, person) for person in people}

    def derive(self, request: str, person: str) -> str:
        """Sixteen letters and digits in groups of four."""
        key = derive(self._secret, f"{_PURPOSE}\n{request}\n{person}", _BYTES)
        word = base64.b32encode(key).decode().lower()
        return "-".join(word[start : start + _GROUP] for start in range(0, len(word), _GROUP))
