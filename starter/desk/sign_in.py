"""Coming in: somebody is named, a message goes to their own devices, and what it has opens the desk once.

Whoever asks learns nothing of who exists: to everything there is one answer, which takes as long.
"""

import asyncio
import hmac
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from temporalio.client import Client
from temporalio.common import Priority, WorkflowIDConflictPolicy
from temporalio.service import RPCError

from activities.directory import UnknownPerson
from activities.http.pacing import Urgency
from activities.people import FileDirectory
from activities.person import Person
from activities.sign_in.ways_in import BadWayIn, WayIn, WaysIn, ask_of
from activities.store.store import Store
from starter.desk.allowed_messages import AllowedMessages, Asking
from starter.desk.sessions import Ask, Session, serial_of
from starter.desk.tries import Tries
from starter.temporal_refusals import TemporalRefused
from workflows import names
from workflows.model.sign_in import ONE_MESSAGE_EVERY, VALID_FOR, SignInOrder

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
