"""Whether callbacks arrive at all, told by what Core Signature says of them; in its own time."""

import asyncio
from datetime import datetime, timedelta
from typing import Final, Self

from pydantic import AwareDatetime
from temporalio import activity
from temporalio.exceptions import ApplicationError

from workflows.follow_up.stages import Stage
from workflows.model.base import Model
from workflows.model.notices import Delivery, Notice, NoticeAction, Outcome
from workflows.model.subject import Subject
from workflows.names import notice_key
from workflows.ports import PushService

SILENT_AFTER: Final = timedelta(hours=1)
"""Between two events whose callbacks did not arrive, with none in between that did."""
HEARD_WITHIN: Final = 20.0
"""Seconds after which no more is sent; what is under way ends within those of one call."""
CALLBACKS: Final = "callbacks"
"""What phones and ledgers know it by."""
_PROVIDER: Final = "Core Signature"


class Silence(Model):
    """The newest event that was heard of by its callback, and the first and the last of those since that were not.

    One lost callback is no silence, and neither is a weekend on which nothing happens.
    """

    heard: AwareDatetime | None = None
    first: AwareDatetime | None = None
    last: AwareDatetime | None = None
    told: bool = False

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

    @property
    def news(self) -> Stage | None:
        """What whoever is on call is to hear, once."""
        if self.told:
            return Stage.CALLED if self.last is None else None
        lasts = self.first and self.last and self.last - self.first >= SILENT_AFTER
        return Stage.UNCALLED if lasts else None

    def said(self) -> Self:
        """They have heard it."""
        return self.replace(told=not self.told)


class OnCall:
    """Tells whoever is on call that callbacks stay away, and that they come again."""

    def __init__(self, push: PushService, person: str, *, seconds: float = HEARD_WITHIN) -> None:
        self._push = push
        self._person = person
        self._seconds = seconds

    async def hear(self, silence: Silence, now: datetime) -> Silence:
        """Tell the news, if there are any; what nobody has taken is told by the next sweep."""
        if (stage := silence.news) is None:
            return silence
        since = silence.first or silence.heard or now
        notice = Notice(
            key=notice_key(CALLBACKS, f"{stage}-{since:%Y%m%d%H%M%S}", self._person),
            stage=stage,
            person=self._person,
            action=NoticeAction.OPEN,
        )
        about = Subject(id=CALLBACKS, kind=CALLBACKS, title=_PROVIDER, requester=self._person, people=())
        try:
            async with asyncio.timeout(self._seconds):
                report = await self._push.deliver(Delivery(subject=about, notices=(notice,), now=now))
        except (ApplicationError, TimeoutError) as failure:
            why = failure.type if isinstance(failure, ApplicationError) else "no answer"
        else:
            if any(line.outcome is Outcome.ACCEPTED for line in report.delivered):
                return silence.said()
            why = next((line.why for line in report.delivered if line.why), None)
        activity.logger.warning("nobody on call was told of callbacks", extra={"why": why})
        return silence
