"""Whether callbacks arrive at all, told by what Core Signature says of them; in its own time."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Final, Self

from pydantic import AwareDatetime

from activities.notifications.alerts import Incident, OnCallAlerts, may_be_over
from workflows.follow_up.notification_types import NotificationType
from workflows.model.base import Model

CLOCK_KNOWN_FOR: Final = timedelta(hours=1)
"""For so long it is believed that the receiver's clock is behind, since the last callback that said so."""
CLOCK_TOLD_EVERY: Final = timedelta(days=1)
"""While it lasts."""
_CALLBACKS: Final = Incident(id="callbacks", kind="callbacks", title="Core Signature")


class ClockSeen(Model):
    """By how many seconds at least the receiver's clock is behind, and when that was by the clock of Core Signature."""

    behind: int
    at: AwareDatetime


class CallbackHealth(Model):
    """The newest event that was heard of by its callback, and the first and the last of those since that were not.

    One lost callback is no silence, and neither is a weekend on which nothing happens.
    """

    heard: AwareDatetime | None = None
    first: AwareDatetime | None = None
    last: AwareDatetime | None = None
    told: bool = False
    clock_told: AwareDatetime | None = None
    """When they heard that the receiver's clock is behind."""
    over_at: AwareDatetime | None = None
    """When whoever is on call heard last that it is over."""

    def heard_of(self, at: datetime) -> Self:
        """The callback of an event that happened then has arrived; the order in which that is learnt does not count."""
        heard = max(self.heard or at, at)
        if self.last is None or self.last <= heard:
            return self.replace(heard=heard, first=None, last=None)
        return self.replace(heard=heard, first=self.first if self.first and self.first > heard else self.last)

    def missed(self, at: datetime) -> Self:
        """That of one that happened then has not, and a request had to be told."""
        if self.heard is not None and at <= self.heard:
            return self
        return self.replace(first=min(self.first or at, at), last=max(self.last or at, at))

    def news(self, after: timedelta, now: datetime) -> NotificationType | None:
        """What whoever is on call is to hear, once, when it is a silence `after` so long."""
        if self.told:
            return NotificationType.CALLED if self.last is None and may_be_over(self.over_at, now) else None
        lasts = self.first and self.last and self.last - self.first >= after
        return NotificationType.UNCALLED if lasts else None

    def said(self, now: datetime) -> Self:
        """They have heard it."""
        return self.replace(told=not self.told, over_at=now if self.told else self.over_at)


@dataclass(frozen=True)
class CallbackAlarm:
    """Whoever is to hear that callbacks stay away, and how far apart two events must be whose callbacks did not arrive,
    with none in between that did."""

    on_call: OnCallAlerts
    after: timedelta

    async def told(self, silence: CallbackHealth, now: datetime) -> CallbackHealth:
        """Tell the news, if there are any; what nobody has taken is told by the next sweep."""
        if (stage := silence.news(self.after, now)) is None:
            return silence
        heard = await self.on_call.hears(_CALLBACKS, stage, silence.first or silence.heard or now, now)
        return silence.said(now) if heard else silence

    async def told_of_clock(self, silence: CallbackHealth, seen: ClockSeen | None, now: datetime) -> CallbackHealth:
        """Tell that the receiver's clock is behind, if it is, once a day; what nobody has taken is told again, that day
        under one name."""
        if seen is None or now - seen.at > CLOCK_KNOWN_FOR:
            return silence
        if silence.clock_told and now - silence.clock_told < CLOCK_TOLD_EVERY:
            return silence
        of = Incident(id="receiver-clock", kind="callbacks", title=f"{-(-seen.behind // 60)} min")
        heard = await self.on_call.hears(of, NotificationType.CLOCK_BEHIND, datetime.combine(now.date(), time.min), now)
        return silence.replace(clock_told=now) if heard else silence
