"""Serves an ASGI application within limits that uvicorn lacks (docs/faults.md, A13)."""

import asyncio
import contextlib
import ipaddress
import resource
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, Protocol

import h11
import structlog
import uvicorn
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from uvicorn.protocols.http.h11_impl import H11Protocol

from starter.boot.probes import address_of, bound_to
from starter.config.values import Bind

_LONGEST_NAME: Final = 64
_OF_ONE_HOLDER: Final = 64
"""Bits of an IPv6 address that its holder cannot choose."""


class Addresses:
    def __init__(self, named: Sequence[str] = ()) -> None:
        self._networks: Final = tuple(ipaddress.ip_network(one) for one in named)

    def __contains__(self, host: str) -> bool:
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return False
        return any(address in network for network in self._networks)


def holder_of(host: str) -> str:
    """The network that counts as one holder: IPv6 by 64 bits."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host[:_LONGEST_NAME]
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, _OF_ONE_HOLDER), strict=False))
    return str(address)


LOGGED_EVERY: Final = 60.0
"""In seconds."""
_LOGGER: Final = structlog.get_logger("countersign.places")


@dataclass(frozen=True)
class Capacity:
    """Places in all and for one address."""

    altogether: int
    of_one_address: int


class Occupant(Protocol):
    """Has a place, and may lose it."""

    def let_go(self) -> None: ...


_Queue = dict[Occupant, None]
"""Longest waiting first."""


@dataclass
class _Group:
    """Guests of one address, or of all proxies."""

    here: int = 0
    awaited: _Queue = field(default_factory=dict)


class Occupancy:
    """Gives places to guests; `name` is for the log. Addresses in `proxies` are not counted."""

    def __init__(
        self,
        name: str,
        room: Capacity,
        proxies: Addresses | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._room = room
        self._proxies = proxies or Addresses()
        self._clock = clock
        self._groups: dict[Occupant, str] = {}
        self._by_group: dict[str, _Group] = {}
        self._awaited: _Queue = {}
        self._let_go = self._refused = 0
        self._logged_at = -LOGGED_EVERY

    def __len__(self) -> int:
        return len(self._groups)

    def admit(self, one: Occupant, host: str) -> bool:
        """Admit a guest that waits for its caller; False when nobody can make room."""
        name = _PROXIES if host in self._proxies else holder_of(host)
        if not self._has_room(name):
            self._refused += 1
            self._log()
            return False
        self._groups[one] = name
        self._by_group.setdefault(name, _Group()).here += 1
        self.awaits(one)
        return True

    def awaits(self, one: Occupant) -> None:
        """It waits for its caller: it may be dropped."""
        self.answers(one)
        if name := self._groups.get(one):
            self._by_group[name].awaited[one] = None
            if name != _PROXIES:
                self._awaited[one] = None

    def answers(self, one: Occupant) -> None:
        """We answer it: it is kept."""
        self._awaited.pop(one, None)
        if name := self._groups.get(one):
            self._by_group[name].awaited.pop(one, None)

    def ended(self, one: Occupant) -> None:
        self.answers(one)
        if name := self._groups.pop(one, None):
            group = self._by_group[name]
            group.here -= 1
            if not group.here:
                del self._by_group[name]

    def take_from(self, one: Occupant) -> None:
        self.ended(one)
        one.let_go()
        self._let_go += 1
        self._log()

    def _has_room(self, name: str) -> bool:
        """Whether one more of this group has a place, for which others may have been let go."""
        group = self._by_group.get(name, _Group())
        if name != _PROXIES and group.here >= self._room.of_one_address:
            return self._make_room(group.awaited)
        if len(self._groups) < self._room.altogether:
            return True
        return self._make_room(self._awaited) or self._make_room(self._by_group.get(_PROXIES, _Group()).awaited)

    def _make_room(self, awaited: _Queue) -> bool:
        oldest = next(iter(awaited), None)
        if oldest is None:
            return False
        self.take_from(oldest)
        return True

    def _log(self) -> None:
        """Say how many were let go since the last line, without an address: it is personal data."""
        if (now := self._clock()) - self._logged_at < LOGGED_EVERY:
            return
        _LOGGER.warning(
            f"{self._name} let go: all places are taken", let_go=self._let_go, refused=self._refused, held=len(self)
        )
        self._logged_at, self._let_go, self._refused = now, 0, 0


_PROXIES: Final = "proxies"


CONNECTIONS_AT_MOST: Final = 12_000
"""A silent one takes about 5 KB, one with half a head up to 16 KiB more."""
DESCRIPTORS_KEPT: Final = 256
"""For our own connections; half when there are few."""
SHARES: Final = 8
"""One address may have one such share."""


def raise_descriptors() -> None:
    """Raise the soft limit to the hard one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # some systems name a hard limit that they do not grant
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def descriptors() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return CONNECTIONS_AT_MOST + DESCRIPTORS_KEPT if soft == resource.RLIM_INFINITY else soft


def capacity_within(descriptors: int) -> Capacity:
    """The room that this many descriptors allow."""
    kept = min(DESCRIPTORS_KEPT, descriptors // 2)
    altogether = max(1, min(CONNECTIONS_AT_MOST, descriptors - kept))
    return Capacity(altogether, max(1, altogether // SHARES))


HEAD_SECONDS: Final = 10.0
_GRACE_SECONDS: Final = 5
_BACKLOG: Final = 1024
_ACCEPTED_AT_ONCE: Final = 16
"""They have a descriptor before they are counted."""
_PEER: Final = "countersign.peer"


class _Awaited(Enum):
    HEAD = "say what it wants"
    BODY = "send the rest of it"
    ANSWER = "read the answer"


class ImpatientProtocol(H11Protocol):
    """Closes connections that do not complete a request head; bodies.py limits bodies. Tells `places` the turn."""

    head_seconds: float
    places: Occupancy
    _giving_up: asyncio.TimerHandle | None = None
    _awaited: _Awaited | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if self.places.admit(self, self.client[0] if self.client else ""):
            self._awaited = _Awaited.HEAD
            self._mind_the_head()
        else:
            self.let_go()

    def data_received(self, data: bytes) -> None:
        """A complete head ends the waiting."""
        super().data_received(data)
        self._mind_the_head()
        self._tell_the_turn()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._tell_the_turn()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._tell_the_turn()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._tell_the_turn()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        self.places.ended(self)
        super().connection_lost(exc)

    def let_go(self) -> None:
        self._stop_waiting()
        self.transport.abort()

    def _tell_the_turn(self) -> None:
        awaited = self._what_is_awaited()
        if awaited is self._awaited:
            return
        self._awaited = awaited
        if awaited is None:
            self.places.answers(self)
        else:
            self.places.awaits(self)

    def _what_is_awaited(self) -> _Awaited | None:
        if self.cycle is None or self.cycle.response_complete:
            return _Awaited.HEAD
        if self.cycle.more_body:
            return _Awaited.BODY
        return _Awaited.ANSWER if self.flow.write_paused else None

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP; after an answer only hang up."""
        may_answer = self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE)
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if may_answer:
            super().send_400_response(msg)
        else:
            self.transport.close()

    def _unsupported_upgrade_warning(self) -> None:
        """Not logged."""

    def _mind_the_head(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_waiting()
        elif self._giving_up is None:
            self._giving_up = self.loop.call_later(self.head_seconds, self._give_up)

    def _give_up(self) -> None:
        self._giving_up = None
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()

    def _stop_waiting(self) -> None:
        if self._giving_up is not None:
            self._giving_up.cancel()
            self._giving_up = None


class _Server(uvicorn.Server):
    """Tells when it listens; ignores signals."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for one in sockets or ():
            # asyncio has made the queue of the system as short as what it accepts at once.
            one.listen(_BACKLOG)
        self.listening.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.asynccontextmanager
async def listening(
    app: ASGIApp,
    bind: Bind,
    *,
    head_seconds: float = HEAD_SECONDS,
    proxies: Sequence[str] = (),
    room: Capacity | None = None,
) -> AsyncIterator[str]:
    """Serve `app` until left; yields its address. Raises `CannotListen`.

    `proxies`, addresses or networks, are trusted to name their callers, and are not counted. `room` limits connections.
    """
    places = Occupancy("connections", room or capacity_within(descriptors()), Addresses(proxies))
    with bound_to(bind) as bound:
        server = _Server(_config(app, head_seconds, proxies, places))
        serving = asyncio.create_task(server.serve(sockets=[bound]))
        started = asyncio.create_task(server.listening.wait())
        try:
            await asyncio.wait({serving, started}, return_when=asyncio.FIRST_COMPLETED)
            yield address_of(bound)
        finally:
            started.cancel()
            server.should_exit = True
            await serving


def _config(app: ASGIApp, seconds: float, proxies: Sequence[str], kept: Occupancy) -> uvicorn.Config:
    class Protocol(ImpatientProtocol):
        head_seconds = seconds
        places = kept

    return uvicorn.Config(
        with_peer(_believing(app, proxies)),
        http=Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=_ACCEPTED_AT_ONCE,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )


def peer_of(request: Request) -> str:
    """The connected address, before proxies are believed; empty without one."""
    peer = request.scope.get(_PEER)
    return peer[0] if peer else ""


def _believing(app: ASGIApp, proxies: Sequence[str]) -> ASGIApp:
    if not proxies:
        return app
    return ProxyHeadersMiddleware(app, trusted_hosts=list(proxies))  # type: ignore[arg-type, return-value]


def with_peer(app: ASGIApp) -> ASGIApp:
    """Keep the peer before a proxy is believed."""

    async def remembering(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, _PEER: scope.get("client")}, receive, send)

    return remembering
