"""Health of Core Signature's callbacks: alerts on-call of missing callbacks and of a slow clock of the web process."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Final, Self

from pydantic import AwareDatetime

from activities.notifications.alerts import Incident, OnCallAlerts, may_be_over
from workflows.follow_up.notification_types import NotificationType
from workflows.model.base import Model

CLOCK_KNOWN_FOR: Final = timedelta(hours=1)
"""How long a slow clock is assumed after the last callback that showed it."""
CLOCK_TOLD_EVERY: Final = timedelta(days=1)
"""Time between alerts of a slow clock."""
_CALLBACKS: Final = Incident(id="callbacks", kind="callbacks", title="Core Signature")


class ClockSeen(Model):
    """Seconds by which the web process's clock is behind at least; `at` is Core Signature's time."""

    behind: int
    at: AwareDatetime


class CallbackHealth(Model):
    """The newest event whose callback arrived, and the first and last since whose did not. One lost callback is no
    silence.
    """

    heard: AwareDatetime | None = None
    first: AwareDatetime | None = None
    last: AwareDatetime | None = None
    told: bool = False
    clock_told: AwareDatetime | None = None
    """Last alert of a slow clock."""
    over_at: AwareDatetime | None = None
    """When on-call was last told that the silence is over."""

    def heard_of(self, at: datetime) -> Self:
        """After the callback of an event of that time arrived, in any order."""
        heard = max(self.heard or at, at)
        if self.last is None or self.last <= heard:
            return self.replace(heard=heard, first=None, last=None)
        return self.replace(heard=heard, first=self.first if self.first and self.first > heard else self.last)

    def missed(self, at: datetime) -> Self:
        """After a callback did not arrive, and its request had to be told."""
        if self.heard is not None and at <= self.heard:
            return self
        return self.replace(first=min(self.first or at, at), last=max(self.last or at, at))

    def news(self, after: timedelta, now: datetime) -> NotificationType | None:
        """The alert that is due, once, for a silence of at least `after`."""
        if self.told:
            return NotificationType.CALLED if self.last is None and may_be_over(self.over_at, now) else None
        lasts = self.first and self.last and self.last - self.first >= after
        return NotificationType.UNCALLED if lasts else None

    def said(self, now: datetime) -> Self:
        """After on-call was alerted."""
        return self.replace(told=not self.told, over_at=now if self.told else self.over_at)


@dataclass(frozen=True)
class CallbackAlarm:
    """Alerts of callbacks missed for two events that far apart, with none between them that arrived."""

    on_call: OnCallAlerts
    after: timedelta

    async def told(self, silence: CallbackHealth, now: datetime) -> CallbackHealth:
        """Send the alert if due; an undelivered one is sent by the next reconciliation."""
        if (stage := silence.news(self.after, now)) is None:
            return silence
        heard = await self.on_call.hears(_CALLBACKS, stage, silence.first or silence.heard or now, now)
        return silence.said(now) if heard else silence

    async def told_of_clock(self, silence: CallbackHealth, seen: ClockSeen | None, now: datetime) -> CallbackHealth:
        """Once a day; undelivered alerts repeat under the day's key."""
        if seen is None or now - seen.at > CLOCK_KNOWN_FOR:
            return silence
        if silence.clock_told and now - silence.clock_told < CLOCK_TOLD_EVERY:
            return silence
        of = Incident(id="receiver-clock", kind="callbacks", title=f"{-(-seen.behind // 60)} min")
        heard = await self.on_call.hears(of, NotificationType.CLOCK_BEHIND, datetime.combine(now.date(), time.min), now)
        return silence.replace(clock_told=now) if heard else silence
