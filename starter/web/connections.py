"""Limits the connections of a process, in total and by address. Without a limit a stranger could take every file
descriptor with silent connections. At the limit the connection that has waited longest for its caller is closed.
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
"""Bits of an IPv6 network of one holder."""


class Addresses:
    """Addresses and networks of a setting."""

    def __init__(self, named: Sequence[str] = ()) -> None:
        self._networks: Final = tuple(ipaddress.ip_network(one) for one in named)

    def __contains__(self, host: str) -> bool:
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return False
        return any(address in network for network in self._networks)


def holder_of(host: str) -> str:
    """The holder of an address: of IPv6, its network of 64 bits."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host[:_LONGEST_NAME]
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, _OF_ONE_HOLDER), strict=False))
    return str(address)


LOGGED_EVERY: Final = 60.0
"""Seconds between log lines about closed connections."""
_LOGGER: Final = structlog.get_logger("countersign.places")


@dataclass(frozen=True)
class Room:
    """Limits in total and by address."""

    altogether: int
    of_one_address: int


class Guest(Protocol):
    """A connection or body with a slot, which it may lose."""

    def let_go(self) -> None:
        """End at once."""
        ...


_Queue = dict[Guest, None]
"""The longest waiting comes first."""


@dataclass
class _Group:
    """The guests of one address, or of all proxies."""

    here: int = 0
    awaited: _Queue = field(default_factory=dict)


class Places:
    """Slots for guests, called `name` in the log. `proxies` are not limited by address, since each calls for many
    people.
    """

    def __init__(
        self, name: str, room: Room, proxies: Addresses | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._name = name
        self._room = room
        self._proxies = proxies or Addresses()
        self._clock = clock
        self._groups: dict[Guest, str] = {}
        self._by_group: dict[str, _Group] = {}
        self._awaited: _Queue = {}
        self._let_go = self._refused = 0
        self._logged_at = -LOGGED_EVERY

    def __len__(self) -> int:
        return len(self._groups)

    def admit(self, one: Guest, host: str) -> bool:
        """Give a new guest a slot, waiting for its caller; False if all present guests are being answered."""
        name = _PROXIES if host in self._proxies else holder_of(host)
        if not self._has_room(name):
            self._refused += 1
            self._log()
            return False
        self._groups[one] = name
        self._by_group.setdefault(name, _Group()).here += 1
        self.awaits(one)
        return True

    def awaits(self, one: Guest) -> None:
        """The caller has to act: the slot may be taken away."""
        self.answers(one)
        if name := self._groups.get(one):
            self._by_group[name].awaited[one] = None
            if name != _PROXIES:
                self._awaited[one] = None

    def answers(self, one: Guest) -> None:
        """We have to act: the slot is kept."""
        self._awaited.pop(one, None)
        if name := self._groups.get(one):
            self._by_group[name].awaited.pop(one, None)

    def ended(self, one: Guest) -> None:
        self.answers(one)
        if name := self._groups.pop(one, None):
            group = self._by_group[name]
            group.here -= 1
            if not group.here:
                del self._by_group[name]

    def take_from(self, one: Guest) -> None:
        self.ended(one)
        one.let_go()
        self._let_go += 1
        self._log()

    def _has_room(self, name: str) -> bool:
        """Whether the group has a slot, if necessary by dropping others."""
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
        """How many were dropped since the last line, without addresses, which are personal data."""
        if (now := self._clock()) - self._logged_at < LOGGED_EVERY:
            return
        _LOGGER.warning(
            f"{self._name} let go: all places are taken", let_go=self._let_go, refused=self._refused, held=len(self)
        )
        self._logged_at, self._let_go, self._refused = now, 0, 0


_PROXIES: Final = "proxies"


CONNECTIONS_AT_MOST: Final = 12_000
"""A silent connection takes about 5 KB, one with half a head up to 16 KiB more."""
DESCRIPTORS_KEPT: Final = 256
"""For Temporal, Core Signature, the store, and accepted but uncounted connections; at most half."""
SHARES: Final = 8
"""One address may have one such share: filling the process takes several."""


def raise_descriptors() -> None:
    """Raise this process's soft limit of descriptors to the hard one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # some systems name a hard limit that they do not grant
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def descriptors() -> int:
    """This process's limit of descriptors."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return CONNECTIONS_AT_MOST + DESCRIPTORS_KEPT if soft == resource.RLIM_INFINITY else soft


def room_within(descriptors: int) -> Room:
    """For a process with so many descriptors."""
    kept = min(DESCRIPTORS_KEPT, descriptors // 2)
    altogether = max(1, min(CONNECTIONS_AT_MOST, descriptors - kept))
    return Room(altogether, max(1, altogether // SHARES))
