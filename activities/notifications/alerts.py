"""Alerts to on-call about incidents: silent callbacks, refused credentials, unhealthy targets; repeated until
delivered.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.errors import StoreFailure
from activities.records.incidents import PUSH, About, Change, Incident, Incidents
from activities.records.store import Store
from workflows.follow_up.notification_types import NotificationType
from workflows.model.notifications import Delivery, NoticeAction, NotificationOrder, NotificationOutcome
from workflows.model.subject import Subject
from workflows.names import notice_key
from workflows.ports import PushService

NEWS_WITHIN: Final = 20.0
"""Seconds after which no alert is begun."""
HEARD_WITHIN: Final = 5.0
"""Seconds of a notice's time for alerting on-call."""
FRESH: Final = 60.0
"""Seconds for which a process assumes that all workers know what it has learnt."""
_STAGES: Final = (NotificationType.PUSH_RECOVERED, NotificationType.PUSH_REFUSED)


@dataclass(frozen=True)
class IncidentSubject:
    """What an incident is about; `stages` are its notifications by grade, `id` is the key on phones and in ledgers."""

    id: str
    kind: str
    title: str
    stages: tuple[NotificationType, ...]


@dataclass(frozen=True)
class OnCallAlerts:
    """Notifies `person`, by phone, else by mail."""

    push: PushService
    person: str
    seconds: float = NEWS_WITHIN

    async def tell(self, incident: Incident, watched: IncidentSubject, now: datetime) -> Incident:
        """The incident after on-call was told of its news, if there are any; undelivered news stay news.

        Equal alerts have one key, and show as one notice on a phone.
        """
        if not incident.has_news(now):
            return incident
        stage = watched.stages[incident.grade]
        key = notice_key(watched.id, f"{stage}-{incident.since or now:%Y%m%d%H%M%S%f}", self.person)
        notice = NotificationOrder(key=key, stage=stage, person=self.person, action=NoticeAction.OPEN)
        subject = Subject(id=watched.id, kind=watched.kind, title=watched.title, requester=self.person, people=())
        return incident.heard(now) if await self._send_notice(subject, notice, now) else incident

    async def hears_too(self, delivery: Delivery, notice: NotificationOrder, now: datetime) -> bool:
        """Send on-call a requester's notice that perhaps only an operator can resolve."""
        key = notice_key(delivery.subject.id, notice.stage, self.person)
        return await self._send_notice(
            delivery.subject, notice.replace(person=self.person, key=key), now, delivery.first_run_id
        )

    async def _send_notice(
        self, subject: Subject, notice: NotificationOrder, now: datetime, first_run_id: str = ""
    ) -> bool:
        try:
            async with asyncio.timeout(self.seconds):
                report = await self.push.deliver(
                    Delivery(subject=subject, notices=(notice,), now=now, first_run_id=first_run_id)
                )
        except (ApplicationError, TimeoutError) as failure:
            reason = failure.type if isinstance(failure, ApplicationError) else "no answer"
        else:
            if any(line.outcome is NotificationOutcome.ACCEPTED for line in report.delivered):
                return True
            reason = next((line.why for line in report.delivered if line.why), None)
        activity.logger.warning("nobody on call was told of %s", subject.id, extra={"why": reason})
        return False


@dataclass(frozen=True)
class KeptAlerts:
    """Keeps incidents, and tells on-call of their news. After an alert in vain all workers wait for `pause` seconds."""

    incidents: Incidents
    on_call: OnCallAlerts | None
    pause: float = 0.0

    async def learn(self, topic: About, watched: IncidentSubject, becomes: Change, now: datetime) -> bool | None:
        """Keep what an incident becomes; whether on-call was reached, None if nothing was sent.

        One worker tells at a time, and then looks for news that others left to it; one that dies is replaced.
        """
        reached, on_call = None, self.on_call
        previous, incident = await self.incidents.change(
            topic, lambda incident: self._claim_telling(becomes(incident), now)
        )
        while on_call and incident.telling_until not in (None, previous.telling_until):
            told_incident = await on_call.tell(incident, watched, now)
            if told_incident == incident:
                await self.incidents.change(topic, lambda incident: incident.telling(self.pause))
                return False
            reached = True
            previous, incident = await self.incidents.change(topic, self._record_telling(told_incident, now))
        return reached

    def _claim_telling(self, incident: Incident, now: datetime) -> Incident:
        """With the telling of its news taken on by this worker, unless another one is at it."""
        free = incident.telling_until is None or incident.telling_until <= datetime.now(UTC)
        may_tell = self.on_call and free and incident.has_news(now)
        return incident.telling(2 * self.on_call.seconds) if self.on_call and may_tell else incident

    def _record_telling(self, told_incident: Incident, now: datetime) -> Change:
        heard = {"told": told_incident.told, "over_at": told_incident.over_at, "telling_until": None}
        return lambda incident: self._claim_telling(incident.replace(**heard), now)


class Credential(StrEnum):
    """A credential of a push service, accepted or refused independently of the others."""

    OURS = "ours"
    """Ours for the push service."""
    APPLE = "apple"
    """The push service's key for Apple."""
    WEB = "web"
    """The push service's keys for browsers."""


class CredentialsAlarm:
    """Alerts of refused credentials; its failures never cost a notice its result."""

    def __init__(self, store: Store, on_call: OnCallAlerts | None) -> None:
        self._alerts = KeptAlerts(store.incidents, on_call, FRESH)
        self._one_at_a_time = asyncio.Lock()
        self._learnt: dict[tuple[Credential, bool], float] = {}

    async def learn(self, accepted_by_credential: Mapping[Credential, bool], now: datetime) -> None:
        """Record whether each credential was accepted; send at most one alert, undelivered ones next time."""
        if self._one_at_a_time.locked():
            return
        async with self._one_at_a_time:
            for credential, accepted in accepted_by_credential.items():
                if not self._is_fresh(credential, accepted) and await self._learn(credential, accepted, now):
                    return

    def _is_fresh(self, credential: Credential, accepted: bool) -> bool:
        learnt = self._learnt.get((credential, accepted))
        return learnt is not None and asyncio.get_running_loop().time() - learnt < FRESH

    async def _learn(self, credential: Credential, accepted: bool, now: datetime) -> bool:
        try:
            return await self._send_alert(credential, accepted, now)
        except StoreFailure as failure:
            activity.logger.error("news of our credentials not told", extra={"says": str(failure)})
            return False
        finally:
            self._learnt[credential, accepted] = asyncio.get_running_loop().time()

    async def _send_alert(self, credential: Credential, accepted: bool, now: datetime) -> bool:
        def becomes(incident: Incident) -> Incident:
            return incident.becomes(0 if accepted else 1, now)

        topic, watched = About(PUSH, credential), _WATCHED[credential]
        incident = await self._alerts.incidents.read(topic)
        if becomes(incident) == incident and not incident.has_news(now):
            return False
        return await self._alerts.learn(topic, watched, becomes, now) is not None


_WATCHED: Final = {
    Credential.OURS: IncidentSubject("push-credentials", "push", "Push", _STAGES),
    Credential.APPLE: IncidentSubject("push-credentials-apple", "push", "Apple (APNs)", _STAGES),
    Credential.WEB: IncidentSubject("push-credentials-web", "push", "Web Push", _STAGES),
}
