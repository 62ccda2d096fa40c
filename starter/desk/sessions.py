"""Who is at the desk: sealed cookies, so that the receiver keeps nothing and every receiver beside it knows them.

One says that a browser asked to come in, one that it did, and one, for longer, who did last. The store has one serial
for each person who was ever signed out everywhere: a session that was begun before it is over. It also has the nonce of
each session that was signed out: a copy of its cookie opens nothing.
"""

import base64
import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Self
from urllib.parse import urlsplit

from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import Response

from activities.sealing import BadSeal, Seal
from activities.store.store import Store
from workflows.model.sign_in import VALID_FOR

LONGEST_SESSION: Final = timedelta(hours=12)
"""A day's work; a browser that is closed forgets it sooner."""
KNOWN_FOR: Final = timedelta(days=90)
"""For which a browser in which somebody came in may ask for messages beside those that strangers ask for."""
_NONCE_BYTES: Final = 16
_SESSION_BYTES: Final = 8
_ID_LENGTH: Final = 100
"""Of a person, by the people file: a cookie of somebody who does not exist is not shorter."""


@dataclass(frozen=True)
class Ask:
    """A browser asked to come in as `person`, empty for somebody who does not exist; only it has the `nonce`."""

    person: str
    nonce: str
    at: datetime
    to: str = ""
    """The page of the desk that it came for, empty for the first one."""

    @classmethod
    def new(cls, person: str, at: datetime, to: str = "") -> Self:
        """One that nobody can guess."""
        return cls(person, secrets.token_hex(_NONCE_BYTES), at.replace(microsecond=0), to)


@dataclass(frozen=True)
class Session:
    """Somebody came in with this browser; the `nonce` tells it from other sessions of theirs."""

    person: str
    serial: str
    since: datetime
    nonce: str

    @classmethod
    def new(cls, person: str, serial: str, now: datetime) -> Self:
        """One that begins now."""
        return cls(person, serial, now, secrets.token_hex(_SESSION_BYTES))


class Cookies:
    """Seals and opens both cookies; `base` is the public `LINK_BASE`, below which alone browsers send them."""

    def __init__(self, secret: SecretStr, base: str) -> None:
        parts = urlsplit(base)
        self.root: Final = f"{parts.path.rstrip('/')}/desk"
        """The path of the desk as browsers see it."""
        self._secure = parts.scheme == "https"
        self._asks = Seal(secret, b"countersign/desk/ask/v1")
        self._sessions = Seal(secret, b"countersign/desk/session/v1")
        self._known = Seal(secret, b"countersign/desk/known/v1")

    def ask(self, request: Request, now: datetime) -> Ask | None:
        """What this browser asked for, if it still counts."""
        if (found := _opened(self._asks, request.cookies.get(_ASK, ""), 4)) is None:
            return None
        person, nonce, at, to = found
        ask = Ask(person.strip(), nonce, _instant(at), to)
        return ask if ask.at <= now < ask.at + VALID_FOR else None

    def keep_ask(self, response: Response, ask: Ask) -> None:
        """Have the browser remember what it asked for."""
        text = "\n".join((ask.person.ljust(_ID_LENGTH), ask.nonce, str(int(ask.at.timestamp())), ask.to))
        self._set(response, _ASK, self._asks.seal(text), VALID_FOR)

    def session(self, request: Request, now: datetime) -> Session | None:
        """Who came in with this browser, if that is not too long ago."""
        if (found := _opened(self._sessions, request.cookies.get(_SESSION, ""), 4)) is None:
            return None
        person, serial, since, nonce = found
        session = Session(person, serial, _instant(since), nonce)
        return session if session.since <= now < session.since + LONGEST_SESSION else None

    def keep_session(self, response: Response, session: Session) -> None:
        """Let the browser in."""
        text = "\n".join((session.person, session.serial, str(int(session.since.timestamp())), session.nonce))
        self._set(response, _SESSION, self._sessions.seal(text), LONGEST_SESSION)
        known = "\n".join((session.person, str(int(session.since.timestamp()))))
        self._set(response, _KNOWN, self._known.seal(known), KNOWN_FOR)
        self._drop(response, _ASK)

    def known(self, request: Request, now: datetime) -> str:
        """Who came in with this browser last, also when they have signed out; it lets in nobody."""
        if (found := _opened(self._known, request.cookies.get(_KNOWN, ""), 2)) is None:
            return ""
        person, since = found
        return person if _instant(since) <= now < _instant(since) + KNOWN_FOR else ""

    def end(self, response: Response) -> None:
        """Have the browser forget both."""
        self._drop(response, _SESSION)
        self._drop(response, _ASK)

    def name_of(self, request: Request) -> str:
        """By what forms of this browser's session are told apart; says nothing of the cookie."""
        cookie = request.cookies.get(_SESSION) or request.cookies.get(_ASK) or ""
        return base64.urlsafe_b64encode(hashlib.sha256(cookie.encode()).digest()).decode()

    def _set(self, response: Response, name: str, value: str, lifetime: timedelta) -> None:
        response.set_cookie(
            name,
            value,
            max_age=int(lifetime.total_seconds()),
            path=self.root,
            secure=self._secure,
            httponly=True,
            samesite="lax",
        )

    def _drop(self, response: Response, name: str) -> None:
        response.delete_cookie(name, path=self.root, secure=self._secure, httponly=True, samesite="lax")


async def sign_out_everywhere(store: Store, person: str) -> None:
    """End every session of somebody, in whatever browser."""
    await store.replace_serial(serial_of(person), secrets.token_hex(8))


_ASK: Final = "countersign-ask"
_SESSION: Final = "countersign-desk"
_KNOWN: Final = "countersign-known"


def _opened(seal: Seal, sealed: str, fields: int) -> list[str] | None:
    try:
        found = seal.open(sealed).split("\n")
    except BadSeal:
        return None
    return found if len(found) == fields else None


def _instant(text: str) -> datetime:
    return datetime.fromtimestamp(int(text), UTC)


def serial_of(person: str) -> str:
    """Where the store has what somebody's sessions must have in them."""
    return f"desk/sessions/{person}"
