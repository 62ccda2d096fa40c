"""Cookies of signers who were asked to prove who they are: a code that a browser asked for, and the proof of it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from starlette.responses import Response

from activities.keys import BadSeal, KeyRing, Purpose, Seal
from activities.notifications.links import LinkContent
from workflows.model.notifications import VALID_FOR, Channel
from workflows.model.subject import Identity

REMEMBERED_FOR: Final = timedelta(hours=12)
"""How long a code need not be entered again on a device."""
SIGNED_IN_FOR: Final = timedelta(minutes=10)
"""The same after a sign-in at the desk, whose session may end meanwhile."""
SIGN_IN_COOKIES: Final = ("countersign-desk", "countersign-ask", "countersign-known")
"""Of the desk: that a browser is signed in, that it has asked to, and who did last."""
CONFIRM: Final = "confirm"
"""Below the desk: confirms a link by the visitor's session."""
_CONFIRMATION: Final = re.compile(rf"{CONFIRM}/[A-Za-z0-9_-]{{40,380}}")
_PROOF: Final = "countersign-proof"
_REQUEST: Final = "countersign-code"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Proof:
    """That somebody has proved who they are, for one request."""

    request: str
    person: str
    way: str
    """The channel of the code, or `sign-in`."""
    at: datetime

    def holds(self, claim: LinkContent, now: datetime) -> bool:
        lifetime = SIGNED_IN_FOR if self.way == Identity.SIGN_IN else REMEMBERED_FOR
        return (self.request, self.person) == (claim.request, claim.person) and self.at <= now < self.at + lifetime


@dataclass(frozen=True)
class CodeRequest:
    """A browser asked for a code, which only this browser can use."""

    request: str
    person: str
    nonce: str
    channel: Channel
    at: datetime

    def is_of(self, claim: LinkContent, now: datetime) -> bool:
        return (self.request, self.person) == (claim.request, claim.person) and self.at <= now < self.at + VALID_FOR

    @property
    def text(self) -> str:
        return "\n".join((self.request, self.person, self.nonce, self.channel, str(micros_of(self.at))))


class IdentityCookies:
    """Seals and opens the cookies of one browser, below the path of all links of `base` (`LINK_BASE`)."""

    def __init__(self, key_ring: KeyRing, base: str) -> None:
        parts = urlsplit(base)
        self.path: Final = f"{parts.path.rstrip('/')}/open"
        """Of the pages behind links, as browsers see it."""
        self._secure = parts.scheme == "https"
        self._proofs = key_ring.seal(Purpose.PROOF)
        self._requests = key_ring.seal(Purpose.CODE)
        self._desk = f"{parts.path.rstrip('/')}/desk"

    def proof(self, cookies: Mapping[str, str]) -> Proof | None:
        fields = _open(self._proofs, cookies.get(_PROOF, ""), 4)
        if fields is None:
            return None
        request, person, way, micros = fields
        return Proof(request, person, way, _instant(micros))

    def request(self, cookies: Mapping[str, str]) -> CodeRequest | None:
        fields = _open(self._requests, cookies.get(_REQUEST, ""), 5)
        if fields is None:
            return None
        id, person, nonce, channel, micros = fields
        return CodeRequest(id, person, nonce, Channel(channel), _instant(micros))

    def code(self, request: CodeRequest) -> str:
        """Six digits to enter in the browser that asked."""
        return self._requests.code(request.text)

    def accepts(self, request: CodeRequest, digits: str) -> bool:
        return self._requests.accepts_code(request.text, digits)

    def keep_proof(self, response: Response, proof: Proof) -> None:
        text = "\n".join((proof.request, proof.person, proof.way, str(micros_of(proof.at))))
        self._set(response, _PROOF, self._proofs.seal(text), REMEMBERED_FOR)
        self._delete(response, _REQUEST)

    def keep_request(self, response: Response, request: CodeRequest) -> None:
        self._set(response, _REQUEST, self._requests.seal(request.text), VALID_FOR)

    def forget(self, response: Response, proof: Proof | None) -> None:
        """Whoever has signed in at the desk for this `proof` is signed out of this browser, too."""
        for name in (_PROOF, _REQUEST):
            self._delete(response, name)
        if proof and proof.way == Identity.SIGN_IN:
            for name in SIGN_IN_COOKIES:
                self._delete(response, name, self._desk)

    def _delete(self, response: Response, name: str, path: str | None = None) -> None:
        response.delete_cookie(name, path=path or self.path, secure=self._secure, httponly=True, samesite="lax")

    def _set(self, response: Response, name: str, value: str, lifetime: timedelta) -> None:
        seconds = int(lifetime.total_seconds())
        response.set_cookie(
            name, value, max_age=seconds, path=self.path, secure=self._secure, httponly=True, samesite="lax"
        )


def is_confirmation(path: str) -> bool:
    """Whether it is the page below the desk that confirms a link: the path is untrusted."""
    return _CONFIRMATION.fullmatch(path) is not None


def micros_of(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1)


def _open(seal: Seal, sealed: str, fields: int) -> list[str] | None:
    try:
        parts = seal.open(sealed).split("\n")
    except BadSeal:
        return None
    return parts if len(parts) == fields else None


def _instant(micros: str) -> datetime:
    return _EPOCH + timedelta(microseconds=int(micros))
