"""Limits the connections of the process, in all and by address.

Otherwise idle strangers take every descriptor. At the limit the connection that has waited longest for its caller is
closed.
"""

import contextlib
import ipaddress
import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import structlog

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
