"""Rate limits of pages by link and by address, and of mails, in the memory of this process."""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from starlette.requests import Request

from starter.web.serving import holder_of

BUCKETS_AT_MOST: Final = 10_000
"""Of each kind; the least recently used is dropped."""


@dataclass(frozen=True)
class Rate:
    """A token bucket: its size and refill."""

    burst: int
    per_second: float

    @property
    def full_after(self) -> float:
        """Seconds until an empty bucket is full."""
        return self.burst / self.per_second


LOOKS_OF_A_LINK: Final = Rate(burst=30, per_second=0.5)
LOOKS_OF_AN_ADDRESS: Final = Rate(burst=300, per_second=20)
"""A whole company may share one."""
PRESSES_OF_A_LINK: Final = Rate(burst=6, per_second=0.1)
"""Each is a call of Core Signature, or an update."""
PRESSES_OF_AN_ADDRESS: Final = Rate(burst=60, per_second=2)


class Buckets:
    """A bucket for each name; `clock` counts seconds."""

    def __init__(self, rate: Rate, clock: Callable[[], float], at_most: int = BUCKETS_AT_MOST) -> None:
        self._rate = rate
        self._clock = clock
        self._at_most = at_most
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._left)

    def wait(self, name: str) -> float:
        """Take one: 0, else the seconds to wait."""
        now = self._clock()
        left, since = self._left.pop(name, (float(self._rate.burst), now))
        left = min(self._rate.burst, left + (now - since) * self._rate.per_second)
        taken = left >= 1
        self._left[name] = (left - 1 if taken else left, now)
        self._forget(now)
        return 0.0 if taken else (1 - left) / self._rate.per_second

    def give_back(self, name: str) -> None:
        """Refill a bucket."""
        self._left.pop(name, None)

    def _forget(self, now: float) -> None:
        full = now - self._rate.full_after
        while len(self._left) > self._at_most or next(iter(self._left.values()))[1] < full:
            self._left.popitem(last=False)


class Allowances:
    """Limits of a link and an address; each answer is 0 or the seconds to wait."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._looks = Buckets(LOOKS_OF_A_LINK, clock), Buckets(LOOKS_OF_AN_ADDRESS, clock)
        self._presses = Buckets(PRESSES_OF_A_LINK, clock), Buckets(PRESSES_OF_AN_ADDRESS, clock)

    def link(self, request: Request, ref: str) -> float:
        """Count a use of a genuine link."""
        return self._kind(request)[0].wait(ref)

    def address(self, request: Request) -> float:
        """Count a call from an address."""
        return self._kind(request)[1].wait(_holder(request))

    def _kind(self, request: Request) -> tuple[Buckets, Buckets]:
        return self._presses if request.method == "POST" else self._looks


def _holder(request: Request) -> str:
    return holder_of(request.client.host) if request.client else ""


PAUSE: Final = timedelta(hours=1)
"""Between two mails that somebody asks for."""


class MailPause:
    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._asked: dict[str, datetime] = {}

    @contextmanager
    def asking(self, request: str) -> Iterator[bool]:
        """Whether the mail may be sent; a failing block resets it."""
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
