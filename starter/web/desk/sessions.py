"""Who is at the desk: sealed cookies, so that the receiver keeps nothing and every receiver beside it knows them.

One says that a browser asked to come in, one that it did, and one, for longer, who did last. The store has one serial
for each person who was ever signed out everywhere: a session that was begun before it is over. It also has the nonce of
each session that was signed out: a copy of its cookie opens nothing.
"""

import asyncio
import base64
import hashlib
import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final, Self
from urllib.parse import urlsplit

from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import Response
from temporalio.client import Client
from temporalio.common import Priority, WorkflowIDConflictPolicy
from temporalio.service import RPCError

from activities.http.rate_limit import Urgency
from activities.notifications.links import BadSeal, Seal
from activities.notifications.sign_in import BadWayIn, WayIn, WaysIn, ask_of
from activities.people.directory import UnknownPerson
from activities.people.file_directory import FileDirectory
from activities.people.person import Person
from activities.people.reader import Reader
from activities.records.store import Store
from starter.temporal.connection import TemporalRefused
from starter.web.allowances import Buckets, Rate
from starter.web.connections import Addresses, holder_of
from starter.web.serving import peer_of
from workflows import names
from workflows.model.sign_in import ONE_MESSAGE_EVERY, VALID_FOR, SignInOrder

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


TRIES_AT_MOST: Final = 5
"""Numbers that one browser may try before it must ask again, at each receiver."""
TRIED_AT_MOST: Final = 10_000
"""Asks without a message that are remembered. Those with one are as few as messages, and none is forgotten early."""


class Tries:
    """Remembered by this process alone, of asks with a message and without one alike, so that both are told the same.

    Asks without a message, which anybody can make, crowd out no other.
    """

    def __init__(self) -> None:
        self._sent: OrderedDict[str, tuple[int, datetime]] = OrderedDict()
        self._unsent: OrderedDict[str, tuple[int, datetime]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._sent) + len(self._unsent)

    def take(self, ask: Ask, now: datetime) -> int | None:
        """Try once more: how many tries are left behind it, None when there was none."""
        tried = self._sent if ask.person else self._unsent
        before, _ = tried.get(ask.nonce, (0, ask.at))
        if before >= TRIES_AT_MOST:
            return None
        tried[ask.nonce] = (before + 1, ask.at + VALID_FOR)
        _forget(self._sent, now)
        _forget(self._unsent, now, TRIED_AT_MOST)
        return TRIES_AT_MOST - before - 1


def _forget(tried: OrderedDict[str, tuple[int, datetime]], now: datetime, at_most: int | None = None) -> None:
    while tried:
        _, until = next(iter(tried.values()))
        if until > now and (at_most is None or len(tried) <= at_most):
            return
        tried.popitem(last=False)


MESSAGES_FROM_AN_ADDRESS: Final = Rate(burst=5, per_second=1 / 3600)
"""To one person, for browsers in which they never came in."""
MESSAGES_TO_A_PERSON: Final = Rate(burst=3, per_second=1 / 60)
"""For all browsers in which they never came in, and once more for all in which they did."""
MESSAGES_OF_A_DAY_AT_MOST: Final = 50
"""The same, for a day."""
_NO_PERSON: Final = "nobody"


@dataclass(frozen=True)
class Asking:
    """Where somebody asks from; `known` is who came in with this browser before, empty for nobody."""

    address: str = ""
    known: str = ""


class AllowedMessages:
    """What was asked for, by this process in memory, and by all of them in the store."""

    def __init__(self, store: Store, seconds: Callable[[], float]) -> None:
        self._store = store
        self._of_an_address = Buckets(MESSAGES_FROM_AN_ADDRESS, seconds)
        self._of_a_person = Buckets(MESSAGES_TO_A_PERSON, seconds)

    async def take(self, person: str, asking: Asking, now: datetime) -> bool:
        """Whether this person may be sent another one now; if so, it counts. Raises `StoreFailure`."""
        known = asking.known == person
        if not known and self._of_an_address.wait(_of(person, asking)):
            return await self.nobody(now)
        whose = f"{person}-{'known' if known else 'asked'}"
        if self._of_a_person.wait(whose):
            return await self.nobody(now)
        return await self._take_of_the_day(whose, now)

    async def nobody(self, now: datetime) -> bool:
        """The same for somebody who does not exist: False, and it asks the store as well and writes nothing."""
        return await self._store.was_used(now.date(), _NO_PERSON)

    def came_in(self, person: str, asking: Asking) -> None:
        """They are no stranger where they ask from."""
        self._of_an_address.give_back(_of(person, asking))

    async def _take_of_the_day(self, whose: str, now: datetime) -> bool:
        """One of those that are left, which are looked for from the middle: those that were taken come first."""
        day, first, end = now.date(), 1, MESSAGES_OF_A_DAY_AT_MOST + 1
        while first < end:
            middle = (first + end) // 2
            if await self._store.was_used(day, f"{whose}-{middle}"):
                first = middle + 1
            else:
                end = middle
        for number in range(first, MESSAGES_OF_A_DAY_AT_MOST + 1):
            if await self._store.use_once(day, f"{whose}-{number}"):
                return True
        return False


def _of(person: str, asking: Asking) -> str:
    return f"{person} {holder_of(asking.address)}"


ANSWER_AFTER: Final = 0.4
"""Seconds that the answer takes, whoever was named."""
_TEMPORAL_SECONDS: Final = 5.0
_ANYWHERE: Final = Asking()

Tell = Callable[[SignInOrder], Awaitable[None]]
"""Has a worker send somebody a way in, or take a used one off their screens; raises `TemporalRefused`."""


@dataclass(frozen=True)
class Wrong:
    """A code that does not open anything, and how often another one may be tried."""

    left: int


class SignIn:
    """What may be asked and shown to come in; `rest` is how seconds pass."""

    def __init__(
        self,
        store: Store,
        directory: FileDirectory,
        ways_in: WaysIn,
        tell: Tell,
        reach: Callable[[], Awaitable[None]],
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        seconds: Callable[[], float] = time.monotonic,
        rest: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._directory = directory
        self._ways_in = ways_in
        self._tell = tell
        self._reach = reach
        self._clock = clock
        self._rest = rest
        self._messages = AllowedMessages(store, seconds)
        self._tries = Tries()

    async def ask(self, words: str, before: Ask | None, to: str = "", asking: Asking = _ANYWHERE) -> Ask:
        """Have a way in sent to whom `words` name, if anybody; what the browser must remember to be let in by its code.

        Raises `DirectoryFailure`, `StoreFailure` and `TemporalRefused`, whether there is such a person or not.
        """
        asked, _ = await asyncio.gather(self._ask(words, before, to, asking), self._rest(ANSWER_AFTER))
        return asked

    async def _ask(self, words: str, before: Ask | None, to: str, asking: Asking) -> Ask:
        person, now = await self._directory.named(words), self._clock()
        id = person.id if person else ""
        if before and before.person == id and now < before.at + ONE_MESSAGE_EVERY:
            return before  # Its message is on its way, and this browser can use its code.
        sent = self._messages.nobody(now) if person is None else self._messages.take(id, asking, now)
        if not await sent:
            await self._reach()
            return Ask.new("", now, to)  # No message brings its code: whoever had one for it would have guessed it.
        ask = Ask.new(id, now, to)
        await self._tell(SignInOrder(person=id, ask=ask_of(ask.nonce), at=ask.at))
        return ask

    async def by_code(self, ask: Ask, code: str, asking: Asking = _ANYWHERE) -> Session | Wrong:
        """Let in the browser that asked; raises `StoreFailure` and `DirectoryFailure`."""
        if (left := self._tries.take(ask, self._clock())) is None:
            return Wrong(0)
        way = WayIn(ask.person, ask_of(ask.nonce), ask.at + VALID_FOR)
        right = hmac.compare_digest(self._ways_in.code(way).encode(), _digits(code).encode())
        person = await self._still_here(ask.person)
        if not right or person is None:
            return Wrong(left)
        if not await self._use(way):
            return Wrong(0)
        self._messages.came_in(person.id, asking)
        return await self._session(person)

    async def behind(self, ref: str) -> Person:
        """Whom a link lets in, which changes nothing; raises `BadWayIn`, `DirectoryFailure`."""
        person = await self._still_here(self._ways_in.open(ref, self._clock()).person)
        if person is None:
            raise BadWayIn("nobody of ours")
        return person

    async def by_link(self, ref: str) -> Session:
        """Let in whoever pressed the button behind a link, once; raises as `behind` does, and `StoreFailure`."""
        person, way = await self.behind(ref), self._ways_in.open(ref, self._clock())
        if not await self._use(way):
            raise BadWayIn("it was used before")
        return await self._session(person)

    async def stands(self, session: Session) -> Person | None:
        """Who is in by a session; None when it was ended, or they left. Raises `DirectoryFailure`, `StoreFailure`."""
        serial, ended = await asyncio.gather(
            self._store.serial(serial_of(session.person)), self._store.was_used(*_ending(session))
        )
        return None if ended or serial != session.serial else await self._still_here(session.person)

    async def end(self, session: Session) -> None:
        """End this session alone, also where its cookie was copied to; raises `StoreFailure`."""
        await self._store.use_once(*_ending(session))

    async def _use(self, way: WayIn) -> bool:
        """Use up a message, whether by its link or by its number; whether nobody had, and then no screen shows it on.

        That its notice cannot be taken off a screen keeps nobody out.
        """
        if not await self._store.use_once(way.asked_at.date(), f"{way.ask}-in"):
            return False
        with suppress(TemporalRefused, RPCError, TimeoutError, ConnectionError, RuntimeError):
            await self._tell(SignInOrder(person=way.person, ask=way.ask, at=way.asked_at, used=True))
        return True

    async def _session(self, person: Person) -> Session:
        return Session.new(person.id, await self._store.serial(serial_of(person.id)), self._clock())

    async def _still_here(self, id: str) -> Person | None:
        try:
            return await self._directory.person(id)
        except UnknownPerson:
            return None


def teller(client: Client) -> Tell:
    """Has the workers of this namespace do it."""

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
        await _answered(starting, client.namespace)

    return tell


def reacher(client: Client) -> Callable[[], Awaitable[None]]:
    """Looks whether Temporal would take it, which is as much as may be seen from outside."""

    async def reach() -> None:
        await _answered(
            client.count_workflows(_NOBODY, rpc_timeout=timedelta(seconds=_TEMPORAL_SECONDS)), client.namespace
        )

    return reach


_NOBODY: Final = f"WorkflowId = '{names.sign_in_workflow_id('', '')}'"


async def _answered(asking: Awaitable[object], namespace: str) -> None:
    try:
        await asking
    except RPCError as error:
        raise TemporalRefused(error, namespace) from error


def _ending(session: Session) -> tuple[date, str]:
    """Under what the store has that a session was signed out."""
    return session.since.astimezone(UTC).date(), f"{session.nonce}-out"


def _digits(code: str) -> str:
    return "".join(filter(str.isdigit, code))


@dataclass(frozen=True)
class Visitor:
    """Somebody who is in. `name` tells their forms apart from anybody else's; whom `sent` by a sign-on cannot go."""

    person: Person
    reader: Reader
    name: str
    sent: bool = False

    @property
    def id(self) -> str:
        """Their id in the directory."""
        return self.person.id


class SignOn:
    """A header that says who somebody is, believed of these `proxies` alone: from anywhere else it is not read."""

    def __init__(self, header: str = "", proxies: Sequence[str] = ()) -> None:
        self._header = header
        self._proxies: Final = Addresses(proxies)

    def says(self, request: Request) -> str:
        """An id or an address, empty when nobody who is believed says one."""
        if not self._header or peer_of(request) not in self._proxies:
            return ""
        return request.headers.get(self._header, "").strip()


class Authenticator:
    """Lets people in."""

    def __init__(
        self, sign_in: SignIn, cookies: Cookies, directory: FileDirectory, on: SignOn, clock: Callable[[], datetime]
    ) -> None:
        self._sign_in = sign_in
        self._cookies = cookies
        self._directory = directory
        self._on = on
        self._clock = clock

    async def visitor(self, request: Request) -> Visitor | None:
        """Who this is, None for nobody; raises `DirectoryFailure`, `StoreFailure`."""
        if said := self._on.says(request):
            known = await self._directory.named(said)
            return Visitor(known, Reader.of(known), f"sign-on {known.id}", sent=True) if known else None
        session = self._cookies.session(request, self._clock())
        person = await self._sign_in.stands(session) if session else None
        return Visitor(person, Reader.of(person), self._cookies.name_of(request)) if person else None

    def sent(self, request: Request) -> bool:
        """Whether a sign-on that is believed says who this is."""
        return bool(self._on.says(request))
