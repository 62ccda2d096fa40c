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

from activities.errors import StoreFailure
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


class StoredState(Model):
    """State that is kept as bytes; unreadable bytes give the initial state."""

    @classmethod
    def of(cls, content: bytes | None) -> Self:
        try:
            return cls.model_validate_json(content) if content else cls()
        except ValidationError:
            return cls()

    @property
    def written(self) -> bytes:
        return self.model_dump_json().encode()


class Incident(StoredState):
    """Something that on-call is told of once when it opens, once when it gets worse, once when it is over.

    `grade` is 0 while all is well, and higher the worse it is; `told` is the grade that on-call knows, `over_at` when
    they were last told that it is over.
    """

    grade: int = 0
    since: AwareDatetime | None = None
    told: int = 0
    over_at: AwareDatetime | None = None

    def becomes(self, grade: int, since: datetime) -> Self:
        return self if grade == self.grade else self.replace(grade=grade, since=since)

    def has_news(self, now: datetime) -> bool:
        """Whether on-call is to be told."""
        if self.grade:
            return self.grade > self.told
        return self.told > 0 and (self.over_at is None or now - self.over_at >= OVER_AGAIN_AFTER)

    def heard(self, now: datetime) -> Self:
        """After on-call was told."""
        return self.replace(told=self.grade, over_at=self.over_at if self.grade else now)


@dataclass(frozen=True)
class Watched:
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

    async def tell(self, incident: Incident, of: Watched, now: datetime) -> Incident:
        """The incident after on-call was told of its news, if there are any; undelivered news stay news.

        Equal alerts have one key, and show as one notice on a phone.
        """
        if not incident.has_news(now):
            return incident
        stage = of.stages[incident.grade]
        key = notice_key(of.id, f"{stage}-{incident.since or now:%Y%m%d%H%M%S%f}", self.person)
        notice = NotificationOrder(key=key, stage=stage, person=self.person, action=NoticeAction.OPEN)
        about = Subject(id=of.id, kind=of.kind, title=of.title, requester=self.person, people=())
        return incident.heard(now) if await self._told(about, notice, now) else incident

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


_STAGES: Final = (NotificationType.PUSH_RECOVERED, NotificationType.PUSH_REFUSED)
_WATCHED: Final = {
    Credential.OURS: Watched("push-credentials", "push", "Push", _STAGES),
    Credential.APPLE: Watched("push-credentials-apple", "push", "Apple (APNs)", _STAGES),
    Credential.WEB: Watched("push-credentials-web", "push", "Web Push", _STAGES),
}


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
        before = Incident.of(await self._store.notes.push_standing(credential))
        known = before.becomes(0 if accepted else 1, now)
        news = known.has_news(now)
        if news and not await self._is_our_turn(credential, known, now):
            return False
        if known != before:
            # Stored before sending, so that repeated alerts have one key.
            await self._keep(credential, known)
        if (told := await self._on_call.tell(known, _WATCHED[credential], now)) != known:
            await self._keep(credential, told)
        return news

    async def _is_our_turn(self, credential: Credential, known: Incident, now: datetime) -> bool:
        """One of all workers tries to alert, once in `FRESH` seconds."""
        turn = f"{credential}-{_STAGES[known.grade]}-{int(now.timestamp() // FRESH)}"
        return await self._store.one_use.use(now.date(), turn)

    async def _keep(self, credential: Credential, known: Incident) -> None:
        await self._store.notes.note_push_standing(credential, known.written)
