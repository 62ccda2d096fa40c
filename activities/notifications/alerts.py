"""Alerts to on-call about incidents: silent callbacks, refused credentials, unhealthy targets; repeated until
delivered.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Self

from pydantic import AwareDatetime, ValidationError
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.documents.errors import StoreFailure
from activities.records.store import Store
from workflows.follow_up.notification_types import NotificationType
from workflows.model.base import Model
from workflows.model.notifications import Delivery, NoticeAction, NotificationOrder, NotificationOutcome
from workflows.model.subject import Subject
from workflows.names import notice_key
from workflows.ports import PushService

NEWS_WITHIN: Final = 20.0
"""Seconds after which no alert is begun."""
OVER_AGAIN_AFTER: Final = timedelta(hours=1)
"""Shortest time between two "it is over" alerts of an incident that comes and goes."""


def may_be_over(heard_at: datetime | None, now: datetime) -> bool:
    """Whether on-call may be told now that an incident is over; `heard_at` is the last alert."""
    return heard_at is None or now - heard_at >= OVER_AGAIN_AFTER


class IncidentState(Model):
    """Base of the stored state of an incident."""

    @classmethod
    def of(cls, content: bytes | None) -> Self:
        """From the stored bytes; unreadable content gives the initial state."""
        try:
            return cls.model_validate_json(content) if content else cls()
        except ValidationError:
            return cls()

    @property
    def written(self) -> bytes:
        return self.model_dump_json().encode()


@dataclass(frozen=True)
class Incident:
    """`id` is the key on phones and in ledgers."""

    id: str
    kind: str
    title: str


@dataclass(frozen=True)
class OnCallAlerts:
    """Notifies `person`, by phone, else by mail."""

    push: PushService
    person: str
    seconds: float = NEWS_WITHIN

    async def hears(self, of: Incident, stage: NotificationType, since: datetime, now: datetime) -> bool:
        """True if the alert was delivered. Equal alerts show as one notice on a phone."""
        key = notice_key(of.id, f"{stage}-{since:%Y%m%d%H%M%S%f}", self.person)
        notice = NotificationOrder(key=key, stage=stage, person=self.person, action=NoticeAction.OPEN)
        about = Subject(id=of.id, kind=of.kind, title=of.title, requester=self.person, people=())
        return await self._told(about, notice, now)

    async def hears_too(self, delivery: Delivery, notice: NotificationOrder, now: datetime) -> bool:
        """Send on-call a requester's notice that perhaps only an operator can resolve."""
        key = notice_key(delivery.subject.id, notice.stage, self.person)
        return await self._told(delivery.subject, notice.replace(person=self.person, key=key), now, delivery.life)

    async def _told(self, about: Subject, notice: NotificationOrder, now: datetime, life: str = "") -> bool:
        try:
            async with asyncio.timeout(self.seconds):
                report = await self.push.deliver(Delivery(subject=about, notices=(notice,), now=now, life=life))
        except (ApplicationError, TimeoutError) as failure:
            why = failure.type if isinstance(failure, ApplicationError) else "no answer"
        else:
            if any(line.outcome is NotificationOutcome.ACCEPTED for line in report.delivered):
                return True
            why = next((line.why for line in report.delivered if line.why), None)
        activity.logger.warning("nobody on call was told of %s", about.id, extra={"why": why})
        return False


HEARD_WITHIN: Final = 5.0
"""Seconds of a notice's time for alerting on-call."""
FRESH: Final = 60.0
"""Seconds for which a process assumes that all workers know what it has learnt."""


class Credential(StrEnum):
    """A credential of a push service, accepted or refused independently of the others."""

    OURS = "ours"
    """Ours for the push service."""
    APPLE = "apple"
    """The push service's key for Apple."""
    WEB = "web"
    """The push service's keys for browsers."""


_CREDENTIAL_INCIDENTS: Final = {
    Credential.OURS: Incident(id="push-credentials", kind="push", title="Push"),
    Credential.APPLE: Incident(id="push-credentials-apple", kind="push", title="Apple (APNs)"),
    Credential.WEB: Incident(id="push-credentials-web", kind="push", title="Web Push"),
}


class CredentialStatus(IncidentState):
    """Whether a credential is refused, since when, and the last alert."""

    refused: bool = False
    since: AwareDatetime | None = None
    told: bool = False
    over_at: AwareDatetime | None = None
    """When on-call was last told that it is over."""

    def learnt(self, *, refused: bool, now: datetime) -> Self:
        return self if refused is self.refused else self.replace(refused=refused, since=now)

    def heard(self, now: datetime) -> Self:
        """The status after on-call was alerted."""
        return self.replace(told=self.refused, over_at=self.over_at if self.refused else now)

    def news(self, now: datetime) -> NotificationType | None:
        """The alert that is due, once."""
        if self.refused:
            return None if self.told else NotificationType.PUSH_REFUSED
        return NotificationType.PUSH_RECOVERED if self.told and may_be_over(self.over_at, now) else None


class CredentialsAlarm:
    """Alerts of refused credentials; its failures never cost a notice its result."""

    def __init__(self, store: Store, on_call: OnCallAlerts) -> None:
        self._store = store
        self._on_call = on_call
        self._one_at_a_time = asyncio.Lock()
        self._learnt: dict[tuple[Credential, bool], float] = {}

    async def learn(self, said: Mapping[Credential, bool], now: datetime) -> None:
        """Record whether each credential was accepted; send at most one alert, undelivered ones next time."""
        if self._one_at_a_time.locked():
            return
        async with self._one_at_a_time:
            for credential, accepted in said.items():
                if not self._is_fresh(credential, accepted) and await self._learn(credential, accepted, now):
                    return

    def _is_fresh(self, credential: Credential, accepted: bool) -> bool:
        learnt = self._learnt.get((credential, accepted))
        return learnt is not None and asyncio.get_running_loop().time() - learnt < FRESH

    async def _learn(self, credential: Credential, accepted: bool, now: datetime) -> bool:
        try:
            return await self._told(credential, accepted, now)
        except StoreFailure as failure:
            activity.logger.error("news of our credentials not told", extra={"says": str(failure)})
            return False
        finally:
            self._learnt[credential, accepted] = asyncio.get_running_loop().time()

    async def _told(self, credential: Credential, accepted: bool, now: datetime) -> bool:
        before = CredentialStatus.of(await self._store.notes.push_standing(credential))
        known = before.learnt(refused=not accepted, now=now)
        news = known.news(now)
        if news and not await self._is_our_turn(credential, news, now):
            return False
        if known != before:
            # Stored before sending, so that repeated alerts have one key.
            await self._keep(credential, known)
        if news and await self._on_call.hears(_CREDENTIAL_INCIDENTS[credential], news, known.since or now, now):
            await self._keep(credential, known.heard(now))
        return news is not None

    async def _is_our_turn(self, credential: Credential, stage: NotificationType, now: datetime) -> bool:
        """One of all workers tries to alert, once in `FRESH` seconds."""
        return await self._store.use_once(now.date(), f"{credential}-{stage}-{int(now.timestamp() // FRESH)}")

    async def _keep(self, credential: Credential, known: CredentialStatus) -> None:
        await self._store.notes.note_push_standing(credential, known.written)
