"""Which connections a process keeps: fewer than it has descriptors, and of one address a share of them.

Without a bound a stranger takes every descriptor by connecting and saying nothing: the process can then neither accept
a caller nor open a file. At the bound the connection that has waited longest for its caller makes room for the new one.
"""

import contextlib
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol, Self

import structlog

from starter.peers import Addresses, holder_of

CONNECTIONS_AT_MOST: Final = 12_000
"""A silent one takes about 5 KB, one with half a head up to 16 KiB more."""
DESCRIPTORS_KEPT: Final = 256
"""For Temporal, Core Signature, the store, and connections that are accepted and not counted yet; half where there are
fewer than twice as many."""
SHARES: Final = 8
"""One address may have one share of this many: to fill the process, a stranger needs several."""
LOGGED_EVERY: Final = 60.0
"""Seconds: however many are let go, the log has one line in them."""
_LOGGER: Final = structlog.get_logger("countersign.connections")


def raise_descriptors() -> None:
    """Raise the soft limit of this process's descriptors to the hard one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # some systems name a hard limit that they do not grant
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def descriptors() -> int:
    """How many descriptors this process may have."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return CONNECTIONS_AT_MOST + DESCRIPTORS_KEPT if soft == resource.RLIM_INFINITY else soft


@dataclass(frozen=True)
class Room:
    """How many connections are kept in all, and how many of one address."""

    altogether: int
    of_one_address: int

    @classmethod
    def within(cls, descriptors: int) -> Self:
        """As many as a process with so many descriptors can have."""
        kept = min(DESCRIPTORS_KEPT, descriptors // 2)
        altogether = max(1, min(CONNECTIONS_AT_MOST, descriptors - kept))
        return cls(altogether, max(1, altogether // SHARES))


class Connection(Protocol):
    """One that can be ended from here."""

    def let_go(self) -> None:
        """Hang up at once."""
        ...


_Queue = dict[Connection, None]
"""The first of them has waited longest."""


@dataclass
class _Group:
    """The connections of one address; of proxies, all."""

    here: int = 0
    awaited: _Queue = field(default_factory=dict)


class Connections:
    """Gives places to connections. Of `proxies` it counts no address: each of them calls for many people."""

    def __init__(
        self, room: Room, proxies: Addresses | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._room = room
        self._proxies = proxies or Addresses()
        self._clock = clock
        self._groups: dict[Connection, str] = {}
        self._by_group: dict[str, _Group] = {}
        self._awaited: _Queue = {}
        self._let_go = self._refused = 0
        self._logged_at = -LOGGED_EVERY

    def __len__(self) -> int:
        return len(self._groups)

    def admit(self, one: Connection, host: str) -> bool:
        """Give a new connection from `host` a place, and wait for its caller; False when everybody here is answered."""
        name = _PROXIES if host in self._proxies else holder_of(host)
        if not self._has_room(name):
            self._refused += 1
            self._log()
            return False
        self._groups[one] = name
        self._by_group.setdefault(name, _Group()).here += 1
        self.awaits(one)
        return True

    def awaits(self, one: Connection) -> None:
        """From now on it is the caller's turn: the connection may be let go."""
        self.answers(one)
        if name := self._groups.get(one):
            self._by_group[name].awaited[one] = None
            if name != _PROXIES:
                self._awaited[one] = None

    def answers(self, one: Connection) -> None:
        """From now on it is our turn: the connection is kept."""
        self._awaited.pop(one, None)
        if name := self._groups.get(one):
            self._by_group[name].awaited.pop(one, None)

    def ended(self, one: Connection) -> None:
        """It has no place any more."""
        self.answers(one)
        if name := self._groups.pop(one, None):
            group = self._by_group[name]
            group.here -= 1
            if not group.here:
                del self._by_group[name]

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
        self.ended(oldest)
        oldest.let_go()
        self._let_go += 1
        self._log()
        return True

    def _log(self) -> None:
        """Say how many were let go since the last line, without an address: it is personal data."""
        if (now := self._clock()) - self._logged_at < LOGGED_EVERY:
            return
        _LOGGER.warning(
            "connections let go: all places are taken", let_go=self._let_go, refused=self._refused, held=len(self)
        )
        self._logged_at, self._let_go, self._refused = now, 0, 0


_PROXIES: Final = "proxies"
