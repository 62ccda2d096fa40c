"""How often a page may be opened and its button pressed: by link and by address, each from a bucket that refills.

And how often a mail may be asked for. Remembered by this process alone: a restart, or another receiver beside it, fills
every bucket again, and costs one mail more.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from starlette.requests import Request

from starter.web.connections import holder_of

BUCKETS_AT_MOST: Final = 10_000
"""Buckets remembered of a kind; the one that was used longest ago gives way, and is full when it is met again."""


@dataclass(frozen=True)
class Rate:
    """So many at once, and afterwards so many a second."""

    burst: int
    per_second: float

    @property
    def full_after(self) -> float:
        """Seconds after which an untouched bucket is as good as a new one."""
        return self.burst / self.per_second


LOOKS_OF_A_LINK: Final = Rate(burst=30, per_second=0.5)
LOOKS_OF_AN_ADDRESS: Final = Rate(burst=300, per_second=20)
"""A company's people, or all of a proxy's callers, may have one address."""
PRESSES_OF_A_LINK: Final = Rate(burst=6, per_second=0.1)
"""A press is a call of Core Signature, or an update of the request."""
PRESSES_OF_AN_ADDRESS: Final = Rate(burst=60, per_second=2)


class Buckets:
    """One bucket for each name, all of one rate; `clock` counts seconds."""

    def __init__(self, rate: Rate, clock: Callable[[], float], at_most: int = BUCKETS_AT_MOST) -> None:
        self._rate = rate
        self._clock = clock
        self._at_most = at_most
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._left)

    def wait(self, name: str) -> float:
        """Take one: 0 when there was one, else the seconds until there is, and nothing was taken."""
        now = self._clock()
        left, since = self._left.pop(name, (float(self._rate.burst), now))
        left = min(self._rate.burst, left + (now - since) * self._rate.per_second)
        taken = left >= 1
        self._left[name] = (left - 1 if taken else left, now)
        self._forget(now)
        return 0.0 if taken else (1 - left) / self._rate.per_second

    def give_back(self, name: str) -> None:
        """Fill a bucket again: what was to be had for it was not."""
        self._left.pop(name, None)

    def _forget(self, now: float) -> None:
        full = now - self._rate.full_after
        while len(self._left) > self._at_most or next(iter(self._left.values()))[1] < full:
            self._left.popitem(last=False)


class Allowances:
    """What one link and one address may ask for; each answer is 0, or the seconds to wait."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._looks = Buckets(LOOKS_OF_A_LINK, clock), Buckets(LOOKS_OF_AN_ADDRESS, clock)
        self._presses = Buckets(PRESSES_OF_A_LINK, clock), Buckets(PRESSES_OF_AN_ADDRESS, clock)

    def link(self, request: Request, ref: str) -> float:
        """Use a genuine link once more: what is no link of ours fills no table."""
        return self._kind(request)[0].wait(ref)

    def address(self, request: Request) -> float:
        """Call once more from an address."""
        return self._kind(request)[1].wait(_holder(request))

    def _kind(self, request: Request) -> tuple[Buckets, Buckets]:
        return self._presses if request.method == "POST" else self._looks


def _holder(request: Request) -> str:
    return holder_of(request.client.host) if request.client else ""


PAUSE: Final = timedelta(hours=1)
"""Between two mails that somebody asks for on their page: a double click is one mail."""


class MailPause:
    """Knows when the mail of a request was last asked for."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._asked: dict[str, datetime] = {}

    @contextmanager
    def asking(self, request: str) -> Iterator[bool]:
        """Whether the mail may be asked for now; when the block fails it was not, and may be at once."""
        now = self._clock()
        self._asked = {one: at for one, at in self._asked.items() if now - at < PAUSE}
        if request in self._asked:
            yield False
            return
        self._asked[request] = now
        try:
            yield True
        except BaseException:
            self._asked.pop(request, None)
            raise
