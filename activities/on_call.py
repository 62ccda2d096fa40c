"""Whoever is on call: told of what is nobody's request, until somebody has it, and of what holds one up for hours."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Self

from pydantic import ValidationError
from temporalio import activity
from temporalio.exceptions import ApplicationError

from workflows.follow_up.stages import NotificationType
from workflows.model.base import Model
from workflows.model.notices import Delivery, NoticeAction, NotificationOrder, NotificationOutcome
from workflows.model.subject import Subject
from workflows.names import notice_key
from workflows.ports import PushService

NEWS_WITHIN: Final = 20.0
"""Seconds after which no more is sent; what is under way ends within those of one call."""
OVER_AGAIN_AFTER: Final = timedelta(hours=1)
"""What comes and goes is over once in so long: until then their last word is that it is not."""


def may_be_over(heard_at: datetime | None, now: datetime) -> bool:
    """Whether they may hear that something is over, of which they heard so last at `heard_at`."""
    return heard_at is None or now - heard_at >= OVER_AGAIN_AFTER


class IncidentState(Model):
    """What is kept in the store of something whose news they hear."""

    @classmethod
    def of(cls, content: bytes | None) -> Self:
        """As the store has it; what cannot be read says nothing, and is replaced by what is learnt next."""
        try:
            return cls.model_validate_json(content) if content else cls()
        except ValidationError:
            return cls()

    @property
    def written(self) -> bytes:
        """As the store gets it."""
        return self.model_dump_json().encode()


@dataclass(frozen=True)
class Incident:
    """What they are told of: phones and ledgers know it by `id`, people by its title."""

    id: str
    kind: str
    title: str


@dataclass(frozen=True)
class OnCallAlerts:
    """Tells `person`, by phone or else by mail."""

    push: PushService
    person: str
    seconds: float = NEWS_WITHIN

    async def hears(self, of: Incident, stage: NotificationType, since: datetime, now: datetime) -> bool:
        """Whether they have it now; equal news are one notice on a phone, however often they are told."""
        key = notice_key(of.id, f"{stage}-{since:%Y%m%d%H%M%S%f}", self.person)
        notice = NotificationOrder(key=key, stage=stage, person=self.person, action=NoticeAction.OPEN)
        about = Subject(id=of.id, kind=of.kind, title=of.title, requester=self.person, people=())
        return await self._told(about, notice, now)

    async def hears_too(self, delivery: Delivery, notice: NotificationOrder, now: datetime) -> bool:
        """The same of what a requester hears of a request of theirs, and perhaps only an operator can mend."""
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
