"""Places for what callers have begun, in all and of one address: the one that is waited for longest makes room."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

import structlog

from starter.peers import Addresses, holder_of

LOGGED_EVERY: Final = 60.0
"""Seconds: however many are let go, the log has one line in them."""
_LOGGER: Final = structlog.get_logger("countersign.places")


@dataclass(frozen=True)
class Room:
    """How many places there are in all, and how many of one address."""

    altogether: int
    of_one_address: int


class Guest(Protocol):
    """What has a place, and may lose it to another."""

    def let_go(self) -> None:
        """End at once."""
        ...


_Queue = dict[Guest, None]
"""The first of them has waited longest."""


@dataclass
class _Group:
    """The guests of one address; of proxies, all."""

    here: int = 0
    awaited: _Queue = field(default_factory=dict)


class Places:
    """Gives places to guests, which the log calls by this `name`.

    Of `proxies` it counts no address: each of them calls for many people.
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
        """Give a new guest from `host` a place, and wait for its caller; False when all who are here are answered."""
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
        """From now on it is the caller's turn: the place may be taken away."""
        self.answers(one)
        if name := self._groups.get(one):
            self._by_group[name].awaited[one] = None
            if name != _PROXIES:
                self._awaited[one] = None

    def answers(self, one: Guest) -> None:
        """From now on it is our turn: the place is kept."""
        self._awaited.pop(one, None)
        if name := self._groups.get(one):
            self._by_group[name].awaited.pop(one, None)

    def ended(self, one: Guest) -> None:
        """It has no place any more."""
        self.answers(one)
        if name := self._groups.pop(one, None):
            group = self._by_group[name]
            group.here -= 1
            if not group.here:
                del self._by_group[name]

    def take_from(self, one: Guest) -> None:
        """Let one of them go."""
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
