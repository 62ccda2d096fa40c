"""How a campaign fills with acknowledgements, and where that leads. Pure.

The forecast looks at the last days: of those who were missing then, a share is missing still; the same share again
stays missing in as many days more. So the line flattens, as it does where the willing come first.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from activities.campaigns.standing import MemberOutcome
from workflows.model.base import Model

POINTS_AT_MOST: Final = 400
"""Of a curve: of more acknowledgements some are drawn, evenly."""
_LAST_DAYS: Final = timedelta(days=7)
_SOONEST: Final = timedelta(days=1)
"""After the opening: the first hours are those of who was waiting for it."""
_FEWEST: Final = 3
"""Acknowledgements from which something follows."""
_NOBODY: Final = 0.5
"""People."""
_STEPS: Final = 24


class Point(NamedTuple):
    """How many had acknowledged by an instant."""

    at: datetime
    done: float


class Forecast(Model):
    """Where it leads at the pace of the last days: how many are missing at the close, else when nobody is any more."""

    missing: int
    everybody_by: datetime | None = None


@dataclass(frozen=True)
class Curve:
    """When who has acknowledged, oldest first, how many may still, and the window."""

    signed: Sequence[datetime]
    open: int
    opens_at: datetime
    closes_at: datetime

    @classmethod
    def of(cls, lines: Iterable[MemberOutcome], opens_at: datetime, closes_at: datetime) -> "Curve":
        """By the lines of a campaign."""
        signed, waiting = [], 0
        for line in lines:
            waiting += line.open
            if line.done and line.signed_at:
                signed.append(datetime.fromisoformat(line.signed_at))
        return cls(sorted(signed), waiting, opens_at, closes_at)

    def points(self, until: datetime) -> list[Point]:
        """From nobody at the opening to those of now: a step up at each, the same for the same lines."""
        apart = math.ceil(len(self.signed) / POINTS_AT_MOST) or 1
        steps = [Point(self.signed[place], place + 1) for place in range(apart - 1, len(self.signed), apart)]
        last = max(until, self.signed[-1]) if self.signed else until
        return [Point(self.opens_at, 0), *steps, Point(last, len(self.signed))]

    def forecast(self, now: datetime) -> Forecast | None:
        """None where there is nothing to go by: on the first day, of very few, and where nobody is to come."""
        staying = self._staying(now)
        if staying is None:
            return None
        left = self.closes_at - now
        missing = round(self._missing(staying, left))
        if missing or staying >= 1:
            return Forecast(missing=missing)
        # Half a person is nobody: when the line has come down to that.
        gone_after = _LAST_DAYS * (math.log(_NOBODY / self.open) / math.log(staying))
        return Forecast(missing=0, everybody_by=now + min(gone_after, left))

    def ahead(self, now: datetime) -> Iterator[Point]:
        """The curve as it would go on to the close; nothing where there is no forecast."""
        staying, left = self._staying(now), self.closes_at - now
        if staying is not None:
            for step in range(_STEPS + 1):
                passed = left * (step / _STEPS)
                yield Point(now + passed, len(self.signed) + self.open - self._missing(staying, passed))

    def _staying(self, now: datetime) -> float | None:
        """Which share of those who are missing is missing still after `_LAST_DAYS`."""
        looked_at = min(_LAST_DAYS, now - self.opens_at)
        if not self.open or looked_at < _SOONEST or now >= self.closes_at or len(self.signed) < _FEWEST:
            return None
        lately = sum(at > now - looked_at for at in self.signed)
        return math.pow(self.open / (self.open + lately), _LAST_DAYS / looked_at)

    def _missing(self, staying: float, after: timedelta) -> float:
        return self.open * math.pow(staying, after / _LAST_DAYS)
