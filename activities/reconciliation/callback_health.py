"""Health of Core Signature's callbacks: alerts on-call of missing callbacks and of a slow clock of the web process."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Self

from pydantic import AwareDatetime, ValidationError
from temporalio import activity

from activities.notifications.alerts import IncidentSubject, OnCallAlerts
from activities.records.incidents import Incident
from activities.records.store import Store
from workflows.follow_up.notification_types import NotificationType
from workflows.model.base import Model

CLOCK_KNOWN_FOR: Final = timedelta(hours=1)
"""How long a slow clock is assumed after the last callback that showed it."""
CLOCK_TOLD_EVERY: Final = timedelta(days=1)
"""Time between alerts of a slow clock."""
_CALLBACKS: Final = IncidentSubject(
    "callbacks", "callbacks", "Core Signature", (NotificationType.CALLED, NotificationType.UNCALLED)
)


class CallbackClockSkew(Model):
    """Seconds by which the web process's clock is behind at least; `at` is Core Signature's time."""

    behind: int
    at: AwareDatetime

    @classmethod
    async def latest(cls, store: Store) -> Self | None:
        """What the web process noted last; raises `StoreFailure`."""
        content = await store.notes.clock()
        try:
            return cls.model_validate_json(content) if content else None
        except ValidationError:
            activity.logger.warning("what the receiver says of its clock cannot be read")
            return None

    def holds(self, now: datetime) -> bool:
        """Whether the clock is assumed to be behind still."""
        return now - self.at <= CLOCK_KNOWN_FOR


class CallbackHealth(Model):
    """The newest event whose callback arrived, and the first and last since whose did not. One lost callback is no
    silence.
    """

    heard: AwareDatetime | None = None
    first: AwareDatetime | None = None
    last: AwareDatetime | None = None
    incident: Incident = Incident()
    clock: Incident = Incident()
    """That the receiver's clock is behind."""

    def heard_of(self, event_at: datetime) -> Self:
        """After the callback of an event of that time arrived, in any order."""
        heard = max(self.heard or event_at, event_at)
        if self.last is None or self.last <= heard:
            return self.replace(heard=heard, first=None, last=None)
        return self.replace(heard=heard, first=self.first if self.first and self.first > heard else self.last)

    def missed(self, event_at: datetime) -> Self:
        """After a callback did not arrive, and its request had to be told."""
        if self.heard is not None and event_at <= self.heard:
            return self
        return self.replace(first=min(self.first or event_at, event_at), last=max(self.last or event_at, event_at))

    def judged(self, silence_limit: timedelta, now: datetime) -> Self:
        """With the incident that a silence of `after` or more is; it is over once a callback arrived."""
        if self.first and self.last and self.last - self.first >= silence_limit:
            return self.replace(incident=self.incident.becomes(1, self.first))
        if self.last is None or not self.incident.told:
            return self.replace(incident=self.incident.becomes(0, self.heard or now))
        return self


@dataclass(frozen=True)
class CallbackAlarm:
    """Alerts of callbacks missed for two events that far apart, with none between them that arrived; without on-call
    it only keeps what is known, for the metrics.
    """

    on_call: OnCallAlerts | None
    after: timedelta

    async def alert_of_silence(self, silence: CallbackHealth, now: datetime) -> CallbackHealth:
        """Send the alert if due; an undelivered one is sent by the next reconciliation."""
        health = silence.judged(self.after, now)
        if self.on_call is None:
            return health
        return health.replace(incident=await self.on_call.tell(health.incident, _CALLBACKS, now))

    async def told_of_clock(
        self, silence: CallbackHealth, clock: CallbackClockSkew | None, now: datetime
    ) -> CallbackHealth:
        """Alert that the receiver's clock is behind, once a day."""
        if clock is None or not clock.holds(now):
            return silence
        incident = silence.clock
        if incident.told and incident.since and now - incident.since >= CLOCK_TOLD_EVERY:
            incident = Incident()
        minutes = f"{-(-clock.behind // 60)} min"
        watched = IncidentSubject("receiver-clock", "callbacks", minutes, 2 * (NotificationType.CLOCK_BEHIND,))
        incident = incident.becomes(1, now)
        return silence.replace(clock=await self.on_call.tell(incident, watched, now) if self.on_call else incident)
