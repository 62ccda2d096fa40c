"""Sign-in and sessions at the desk. One sealed cookie says that a browser asked to sign in, one that it did, a longer
one who did last. A session lasts while the database has its row.
"""

import asyncio
import base64
import hashlib
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Self
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response
from temporalio.client import Client
from temporalio.common import Priority, WorkflowIDConflictPolicy
from temporalio.service import RPCError

from activities.http.rate_limit import Urgency
from activities.keys import BadSeal, KeyRing, Purpose, Seal
from activities.notifications.sign_in import BadSignInLink, SignInLink, SignInLinks, ask_of
from activities.people.company_directory import CompanyDirectory
from activities.people.person import Person
from activities.people.reader import Reader
from activities.records.allowances import Rate
from activities.records.sessions import LONGEST_SESSION, IssuerSession, SessionRow
from activities.records.store import Store
from starter.temporal.connection import TemporalRefusal
from starter.web.http.oidc import TOKEN_AT_MOST
from starter.web.http.oidc_client import AuthorizationRequest
from starter.web.http.serving import holder_of
from starter.web.proofs import SIGN_IN_COOKIES
from workflows import names
from workflows.model.notifications import ONE_MESSAGE_EVERY, VALID_FOR, SignInOrder

KNOWN_FOR: Final = timedelta(days=90)
"""How long a known browser has its own allowance of messages."""
_NONCE_BYTES: Final = 16
_ID_LENGTH: Final = 100
"""Of the people file; cookies of unknown people have the same length."""
_SESSION, _ASK, _KNOWN = SIGN_IN_COOKIES
_PENDING: Final = "countersign-oidc"
_SEALED_TOKEN_CHARACTERS: Final = 2 * TOKEN_AT_MOST
TRIES_AT_MOST: Final = 5
"""Codes that a browser may try."""
_TRIES: Final = Rate(TRIES_AT_MOST, 1 / VALID_FOR.total_seconds())
"""None comes back while a code is valid."""
MESSAGES_FROM_AN_ADDRESS: Final = Rate(burst=5, per_second=1 / 3600)
"""To one person, from unknown browsers."""
MESSAGES_TO_A_PERSON: Final = Rate(burst=3, per_second=1 / 60)
"""From all unknown browsers, and again from known ones."""
MESSAGES_OF_A_DAY_AT_MOST: Final = 50
"""The same, for a day."""
_MESSAGES_OF_A_DAY: Final = Rate(MESSAGES_OF_A_DAY_AT_MOST, 1 / timedelta(days=1).total_seconds())
"""None comes back on the day."""
_NO_PERSON: Final = "nobody"
ANSWER_AFTER: Final = 0.4
"""Seconds, the same for everybody."""
_TEMPORAL_SECONDS: Final = 5.0
SendSignIn = Callable[[SignInOrder], Awaitable[None]]
"""Has a worker send a sign-in message, or remove a used one; raises `TemporalRefusal`."""
_NOBODY: Final = f"WorkflowId = '{names.sign_in_workflow_id('', '')}'"


@dataclass(frozen=True)
class SignInRequest:
    """A browser asked to sign in as `person`, empty for an unknown one."""

    person: str
    nonce: str
    at: datetime
    to: str = ""
    """The desk page to open, empty for the first one."""

    @classmethod
    def new(cls, person: str, started_at: datetime, target: str = "") -> Self:
        return cls(person, secrets.token_hex(_NONCE_BYTES), started_at.replace(microsecond=0), target)


@dataclass(frozen=True)
class Session:
    """A signed-in browser; `nonce` identifies the session."""

    person: str
    since: datetime
    nonce: str

    @classmethod
    def new(cls, person: str, now: datetime) -> Self:
        return cls(person, now, secrets.token_hex(_NONCE_BYTES))

    @property
    def nonce_sha256(self) -> str:
        return hashlib.sha256(self.nonce.encode()).hexdigest()


@dataclass(frozen=True)
class PendingSignIn:
    """A browser went to the OpenID issuer; `to` as in `SignInRequest`."""

    request: AuthorizationRequest
    at: datetime
    to: str = ""


class Cookies:
    """Seals and opens the cookies; `base` is `LINK_BASE`, their path."""

    def __init__(self, key_ring: KeyRing, base: str) -> None:
        parts = urlsplit(base)
        self.root: Final = f"{parts.path.rstrip('/')}/desk"
        """Path of the desk as browsers see it."""
        self._secure = parts.scheme == "https"
        self._asks = key_ring.seal(Purpose.DESK_ASK)
        self._sessions = key_ring.seal(Purpose.DESK_SESSION)
        self._last_person_seal = key_ring.seal(Purpose.DESK_KNOWN)
        self._pending = key_ring.seal(Purpose.DESK_PENDING)
        self._id_tokens = key_ring.seal(Purpose.ID_TOKEN, _SEALED_TOKEN_CHARACTERS)

    def ask(self, request: Request, now: datetime) -> SignInRequest | None:
        if (fields := _opened(self._asks, request.cookies.get(_ASK, ""), 4)) is None:
            return None
        person, nonce, asked_at, target = fields
        ask = SignInRequest(person.strip(), nonce, _instant(asked_at), target)
        return ask if ask.at <= now < ask.at + VALID_FOR else None

    def keep_ask(self, response: Response, ask: SignInRequest) -> None:
        text = "\n".join((ask.person.ljust(_ID_LENGTH), ask.nonce, str(int(ask.at.timestamp())), ask.to))
        self._set(response, _ASK, self._asks.seal(text), VALID_FOR)

    def session(self, request: Request, now: datetime) -> Session | None:
        if (fields := _opened(self._sessions, request.cookies.get(_SESSION, ""), 3)) is None:
            return None
        person, signed_in_at, nonce = fields
        session = Session(person, _instant(signed_in_at), nonce)
        return session if session.since <= now < session.since + LONGEST_SESSION else None

    def keep_session(self, response: Response, session: Session) -> None:
        text = "\n".join((session.person, str(int(session.since.timestamp())), session.nonce))
        self._set(response, _SESSION, self._sessions.seal(text), LONGEST_SESSION)
        last_person = "\n".join((session.person, str(int(session.since.timestamp()))))
        self._set(response, _KNOWN, self._last_person_seal.seal(last_person), KNOWN_FOR)
        self._drop(response, _ASK)

    def last_person(self, request: Request, now: datetime) -> str:
        """The last person to sign in with this browser; grants nothing."""
        if (fields := _opened(self._last_person_seal, request.cookies.get(_KNOWN, ""), 2)) is None:
            return ""
        person, signed_in_at = fields
        return person if _instant(signed_in_at) <= now < _instant(signed_in_at) + KNOWN_FOR else ""

    def pending(self, request: Request, now: datetime) -> PendingSignIn | None:
        if (fields := _opened(self._pending, request.cookies.get(_PENDING, ""), 5)) is None:
            return None
        *codes, begun_at, target = fields
        pending = PendingSignIn(AuthorizationRequest(*codes), _instant(begun_at), target)
        return pending if pending.at <= now < pending.at + VALID_FOR else None

    def keep_pending(self, response: Response, pending: PendingSignIn) -> None:
        text = "\n".join((*pending.request, str(int(pending.at.timestamp())), pending.to))
        self._set(response, _PENDING, self._pending.seal(text), VALID_FOR)

    def drop_pending(self, response: Response) -> None:
        self._drop(response, _PENDING)

    def seal_id_token(self, token: str) -> str:
        return self._id_tokens.seal(token)

    def open_id_token(self, sealed: str | None) -> str | None:
        """None for none, and for one that was sealed with another secret."""
        try:
            return self._id_tokens.open(sealed) if sealed else None
        except BadSeal:
            return None

    def end(self, response: Response) -> None:
        """Delete both."""
        self._drop(response, _SESSION)
        self._drop(response, _ASK)

    def name_of(self, request: Request) -> str:
        """Identifies this browser's session in its forms, without revealing the cookie."""
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
    """End every session of a person."""
    await store.desk_sessions.end_all(person)


@dataclass(frozen=True)
class SignInSource:
    """`known` signed in with this browser before, empty for nobody."""

    address: str = ""
    last_person: str = ""


class AllowedMessages:
    """Limits messages, of all processes together. Without the database nobody can come in, so nothing else counts."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._none_until: dict[str, datetime] = {}
        """Who gets no message before when: a crowd that asks for them writes nothing."""

    async def take(self, person: str, asking: SignInSource, now: datetime) -> bool:
        """Whether a message may be sent; counts it. Raises `StoreFailure`."""
        is_known_browser = asking.last_person == person
        counter = f"message {'known' if is_known_browser else 'asked'} {person}"
        if now < self._none_until.get(counter, now):
            return await self.nobody(now)
        if not is_known_browser and await self._wait(_counter_name(person, asking), MESSAGES_FROM_AN_ADDRESS, now):
            return False
        if wait := await self._wait(counter, MESSAGES_TO_A_PERSON, now):
            waiting = {name: free_at for name, free_at in self._none_until.items() if now < free_at}
            self._none_until = waiting | {counter: now + timedelta(seconds=wait)}
            return False
        return not await self._wait(f"{counter} {now.date()}", _MESSAGES_OF_A_DAY, now)

    async def nobody(self, now: datetime) -> bool:
        """The same for an unknown person: False, without a row."""
        return await self._store.one_use.was_used(now.date(), _NO_PERSON)

    async def came_in(self, person: str, asking: SignInSource) -> None:
        """They are known where they ask from."""
        await self._store.allowances.refill(_counter_name(person, asking))

    async def _wait(self, name: str, rate: Rate, now: datetime) -> float:
        return (await self._store.allowances.take(name, rate, now)).wait


@dataclass(frozen=True)
class WrongCode:
    """A wrong code, and the tries left."""

    remaining: int


_ANYWHERE: Final = SignInSource()


class SignIn:
    """Signs people in by message; `rest` sleeps."""

    def __init__(
        self,
        store: Store,
        directory: CompanyDirectory,
        sign_in_links: SignInLinks,
        tell: SendSignIn,
        reach: Callable[[], Awaitable[None]],
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._directory = directory
        self._links = sign_in_links
        self._tell = tell
        self._reach = reach
        self._clock = clock
        self._sleep = sleep
        self._messages = AllowedMessages(store)

    async def ask(
        self, typed: str, previous: SignInRequest | None, target: str = "", asking: SignInSource = _ANYWHERE
    ) -> SignInRequest:
        """Send a sign-in message to whom `typed` names; returns what the browser keeps.

        Raises `DirectoryFailure`, `StoreFailure`, `TemporalRefusal` also for unknown people.
        """
        request, _ = await asyncio.gather(self._ask(typed, previous, target, asking), self._sleep(ANSWER_AFTER))
        return request

    async def _ask(
        self, typed: str, previous: SignInRequest | None, target: str, asking: SignInSource
    ) -> SignInRequest:
        person, now = await self._directory.named(typed), self._clock()
        id = person.id if person else ""
        if previous and previous.person == id and now < previous.at + ONE_MESSAGE_EVERY:
            return previous  # Its message is on its way, and this browser can use its code.
        sent = self._messages.nobody(now) if person is None else self._messages.take(id, asking, now)
        if not await sent:
            await self._reach()
            return SignInRequest.new(
                "", now, target
            )  # No message brings its code: whoever had one for it would have guessed it.
        ask = SignInRequest.new(id, now, target)
        await self._tell(SignInOrder(person=id, ask=ask_of(ask.nonce), at=ask.at))
        return ask

    async def by_code(self, ask: SignInRequest, code: str, asking: SignInSource = _ANYWHERE) -> Session | WrongCode:
        """Raises `StoreFailure`, `DirectoryFailure`."""
        # Counted alike whether a message was sent or not.
        attempt = await self._store.allowances.take(f"code {ask.nonce}", _TRIES, self._clock())
        if attempt.wait:
            return WrongCode(0)
        link = SignInLink(ask.person, ask_of(ask.nonce), ask.at + VALID_FOR)
        right = self._links.accepts(link, _digits(code))
        person = await self._still_here(ask.person)
        if not right or person is None:
            return WrongCode(attempt.remaining)
        if not await self._use(link):
            return WrongCode(0)
        await self._messages.came_in(person.id, asking)
        return await self.admit(person)

    async def find_person(self, ref: str) -> Person:
        """The person of a link, without a change; raises `BadSignInLink`, `DirectoryFailure`."""
        person = await self._still_here(self._links.open(ref, self._clock()).person)
        if person is None:
            raise BadSignInLink("nobody of ours")
        return person

    async def by_link(self, ref: str) -> Session:
        """Sign in by a link, once; raises as `find_person`, and `StoreFailure`."""
        person, link = await self.find_person(ref), self._links.open(ref, self._clock())
        if not await self._use(link):
            raise BadSignInLink("it was used before")
        return await self.admit(person)

    async def admit(self, person: Person, of_issuer: IssuerSession | None = None) -> Session:
        """A new session of somebody who has proved who they are. Raises `StoreFailure`."""
        session = Session.new(person.id, self._clock())
        await self._store.desk_sessions.begin(session.nonce_sha256, person.id, session.since, of_issuer)
        return session

    async def person_of(self, session: Session) -> Person | None:
        """The person of a session, None when it was ended. Raises `DirectoryFailure`, `StoreFailure`."""
        row = await self._store.desk_sessions.find(session.nonce_sha256)
        return await self._still_here(session.person) if row and row.person == session.person else None

    async def end(self, session: Session) -> SessionRow | None:
        """End this session, also copies of its cookie; what was kept of it. Raises `StoreFailure`."""
        return await self._store.desk_sessions.end(session.nonce_sha256)

    async def _use(self, link: SignInLink) -> bool:
        """Use up a message; False if it was used. Failing to remove its notice stops nobody."""
        if not await self._store.one_use.use(link.asked_at.date(), f"{link.ask}-in"):
            return False
        with suppress(TemporalRefusal, RPCError, TimeoutError, ConnectionError, RuntimeError):
            await self._tell(SignInOrder(person=link.person, ask=link.ask, at=link.asked_at, used=True))
        return True

    async def _still_here(self, id: str) -> Person | None:
        return await self._directory.present(id)


def sign_in_sender(client: Client) -> SendSignIn:
    """Sends through the workers of this namespace."""

    async def tell(order: SignInOrder) -> None:
        starting = client.start_workflow(
            names.SIGN_IN,
            order,
            id=(names.sign_in_used_workflow_id if order.used else names.sign_in_workflow_id)(order.person, order.ask),
            task_queue=names.WORKFLOW_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            execution_timeout=VALID_FOR,
            priority=Priority(priority_key=Urgency.URGENT),
            rpc_timeout=timedelta(seconds=_TEMPORAL_SECONDS),
        )
        await _is_answered(starting, client.namespace)

    return tell


def reachability_check(client: Client) -> Callable[[], Awaitable[None]]:
    """Whether Temporal would take it."""

    async def reach() -> None:
        await _is_answered(
            client.count_workflows(_NOBODY, rpc_timeout=timedelta(seconds=_TEMPORAL_SECONDS)), client.namespace
        )

    return reach


@dataclass(frozen=True)
class Visitor:
    """Somebody signed in; `name` identifies their forms."""

    person: Person
    reader: Reader
    name: str

    @property
    def id(self) -> str:
        return self.person.id


def _opened(seal: Seal, sealed: str, fields: int) -> list[str] | None:
    try:
        parts = seal.open(sealed).split("\n")
    except BadSeal:
        return None
    return parts if len(parts) == fields else None


def _instant(text: str) -> datetime:
    return datetime.fromtimestamp(int(text), UTC)


def _counter_name(person: str, asking: SignInSource) -> str:
    return f"message {person} {holder_of(asking.address)}"


def _digits(code: str) -> str:
    return "".join(filter(str.isdigit, code))


class Authenticator:
    def __init__(self, sign_in: SignIn, cookies: Cookies, clock: Callable[[], datetime]) -> None:
        self._sign_in = sign_in
        self._cookies = cookies
        self._clock = clock

    async def visitor(self, request: Request) -> Visitor | None:
        """The visitor; raises `DirectoryFailure`, `StoreFailure`."""
        session = self._cookies.session(request, self._clock())
        person = await self._sign_in.person_of(session) if session else None
        return Visitor(person, Reader.from_person(person), self._cookies.name_of(request)) if person else None


async def _is_answered(asking: Awaitable[object], namespace: str) -> None:
    try:
        await asking
    except RPCError as error:
        raise TemporalRefusal(error, namespace) from error
