"""Rate limits of pages by link and by address, and of mails. Looks, and what strangers send, are counted by each
process in memory: n processes allow n times as much, which costs answers only. Whoever acts by a link or a session
calls Core Signature, writes or mails: that is counted in the database, for all processes.
"""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Final

import structlog
from starlette.requests import Request

from activities.errors import StoreFailure
from activities.records.allowances import Rate
from activities.records.store import Store
from starter.web.http.serving import holder_of

BUCKETS_AT_MOST: Final = 10_000
"""In the memory of a process, of each kind; the least recently used is dropped."""
COUNTED_WITHIN: Final = 1.0
"""Seconds; a database that takes longer does not count."""
LOOKS_OF_A_LINK: Final = Rate(burst=30, per_second=0.5)
LOOKS_OF_AN_ADDRESS: Final = Rate(burst=300, per_second=20)
"""A whole company may share one."""
PRESSES_OF_A_LINK: Final = Rate(burst=6, per_second=0.1)
"""Each is a call of Core Signature, or an update."""
PRESSES_OF_AN_ADDRESS: Final = Rate(burst=60, per_second=2)
PAUSE: Final = timedelta(hours=1)
"""Between two mails that somebody asks for."""
_MAILS: Final = Rate(burst=1, per_second=1 / PAUSE.total_seconds())
_LOGGER: Final = structlog.get_logger("countersign.allowances")

Clock = Callable[[], datetime]


class ConcurrencyLimit:
    """So many at the same time, half of them of one holder."""

    def __init__(self, at_most: int) -> None:
        self._at_most = at_most
        self._count_by_holder = Counter[str]()

    def __len__(self) -> int:
        return self._count_by_holder.total()

    def take(self, holder: str) -> bool:
        """Whether there was a place; it is kept until `leave`."""
        if len(self) >= self._at_most or self._count_by_holder[holder] >= max(1, self._at_most // 2):
            return False
        self._count_by_holder[holder] += 1
        return True

    def leave(self, holder: str) -> None:
        self._count_by_holder[holder] -= 1
        if not self._count_by_holder[holder]:
            del self._count_by_holder[holder]


class Buckets:
    """A bucket for each name, in the memory of this process."""

    def __init__(self, rate: Rate, clock: Clock, at_most: int = BUCKETS_AT_MOST) -> None:
        self._rate = rate
        self._clock = clock
        self._at_most = at_most
        self._level_by_name: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._level_by_name)

    def wait(self, name: str) -> float:
        """Take one: 0, else the seconds to wait."""
        now = self._clock().timestamp()
        level, updated_at = self._level_by_name.pop(name, (float(self._rate.burst), now))
        level = min(self._rate.burst, level + max(0.0, now - updated_at) * self._rate.per_second)
        is_allowed = level >= 1
        self._level_by_name[name] = (level - 1 if is_allowed else level, now)
        self._forget(now)
        return 0.0 if is_allowed else (1 - level) / self._rate.per_second

    def look(self, name: str) -> float:
        """The same, taking none."""
        level, updated_at = self._level_by_name.get(name, (float(self._rate.burst), 0.0))
        level = min(self._rate.burst, level + max(0.0, self._clock().timestamp() - updated_at) * self._rate.per_second)
        return 0.0 if level >= 1 else (1 - level) / self._rate.per_second

    def refill(self, name: str) -> None:
        self._level_by_name.pop(name, None)

    def _forget(self, now: float) -> None:
        full = now - self._rate.full_after
        while len(self._level_by_name) > self._at_most or next(iter(self._level_by_name.values()))[1] < full:
            self._level_by_name.popitem(last=False)


class SharedBuckets:
    """A bucket for each name, counted in the database; while that is away or slow, by this process alone."""

    def __init__(self, store: Store, kind: str, rate: Rate, clock: Clock) -> None:
        self._allowances = store.allowances
        self._kind = kind
        self._rate = rate
        self._clock = clock
        self._own_buckets = Buckets(rate, clock)

    async def wait(self, name: str) -> float:
        """Take one: 0, else the seconds to wait."""
        if wait := self._own_buckets.wait(name):
            return wait
        try:
            async with asyncio.timeout(COUNTED_WITHIN):
                return (await self._allowances.take(f"{self._kind} {name}", self._rate, self._clock())).wait
        except (StoreFailure, TimeoutError) as failure:
            _LOGGER.warning("counted in this process alone", what=self._kind, why=str(failure))
            return 0.0

    async def refill(self, name: str) -> None:
        self._own_buckets.refill(name)
        try:
            await self._allowances.refill(f"{self._kind} {name}")
        except StoreFailure as failure:
            _LOGGER.warning("not given back", what=self._kind, why=str(failure))


class Allowances:
    """Limits of a link and an address; each answer is 0 or the seconds to wait."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._looks = Buckets(LOOKS_OF_A_LINK, clock)
        self._presses = SharedBuckets(store, "press", PRESSES_OF_A_LINK, clock)
        self._looks_of_address = Buckets(LOOKS_OF_AN_ADDRESS, clock)
        self._presses_of_address = Buckets(PRESSES_OF_AN_ADDRESS, clock)

    async def link(self, request: Request, ref: str) -> float:
        """Count a use of a genuine link."""
        return await self._presses.wait(ref) if request.method == "POST" else self._looks.wait(ref)

    def address(self, request: Request) -> float:
        """Count a call from an address."""
        buckets = self._presses_of_address if request.method == "POST" else self._looks_of_address
        return buckets.wait(holder_of(request.client.host) if request.client else "")


class MailPause:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._mails = SharedBuckets(store, "mail", _MAILS, clock)

    @asynccontextmanager
    async def asking(self, request: str) -> AsyncIterator[bool]:
        """Whether the mail may be sent; a failing block resets it."""
        if await self._mails.wait(request):
            yield False
            return
        try:
            yield True
        except BaseException:
            await self._mails.refill(request)
            raise
