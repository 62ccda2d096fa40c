"""Documents that none of our requests sent, from the first event by which they were met until they are judged."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, Self

from pydantic import AwareDatetime, Field

from workflows.model.base import Model

WAITING_AT_MOST: Final = 1_000
"""Documents that wait to be adopted; one more is met again with its next event."""
JUDGED_REMEMBERED: Final = 5_000
"""Documents that are judged once for each event; one that is forgotten is judged again."""
GIVEN_UP_AFTER: Final = timedelta(days=1)
"""How long a document that is not shown is asked for."""


class RejectedDocument(Model):
    """Since when a document is not shown, when it was asked for last, and what was answered."""

    since: AwareDatetime
    last: AwareDatetime
    why: str

    def is_due(self, now: datetime) -> bool:
        """Whether it is to be asked for again: each pause is as long as all before it."""
        return now - self.last >= self.last - self.since


class UnmanagedDocuments(Model):
    """Those that wait to be looked at, of which some were refused, and up to which event others were judged."""

    waiting: dict[str, AwareDatetime] = Field(default_factory=dict)
    refused: dict[str, RejectedDocument] = Field(default_factory=dict)
    judged: dict[str, AwareDatetime] = Field(default_factory=dict)

    def met(self, found: Mapping[str, datetime]) -> Self:
        """These have had an event; what was judged is judged anew only once it has another one."""
        news = {
            uuid: at
            for uuid, at in found.items()
            if uuid not in self.waiting and (uuid not in self.judged or at > self.judged[uuid])
        }
        room = WAITING_AT_MOST - len(self.waiting)
        return self.replace(waiting={**self.waiting, **dict(list(news.items())[:room])})

    def due(self, now: datetime) -> list[str]:
        """Those that are to be looked at, whoever waits longest first."""
        return [uuid for uuid in self.waiting if uuid not in self.refused or self.refused[uuid].is_due(now)]

    def judge(self, uuid: str) -> Self:
        """This one needs not be looked at any more."""
        waiting, refused = dict(self.waiting), dict(self.refused)
        judged = {**self.judged, uuid: waiting.pop(uuid)}
        refused.pop(uuid, None)
        return self.replace(waiting=waiting, refused=refused, judged=judged)

    def postpone(self, uuid: str) -> Self:
        """This one waits behind the others."""
        others = {other: at for other, at in self.waiting.items() if other != uuid}
        return self.replace(waiting={**others, uuid: self.waiting[uuid]})

    def refuse(self, uuid: str, why: str, now: datetime) -> Self:
        """This one is not shown, and waits behind the others; it is judged when that has lasted too long."""
        since = self.refused[uuid].since if uuid in self.refused else now
        if now - since >= GIVEN_UP_AFTER:
            return self.judge(uuid)
        refused = {**self.refused, uuid: RejectedDocument(since=since, last=now, why=why)}
        return self.postpone(uuid).replace(refused=refused)

    def since(self, floor: datetime) -> Self:
        """Without what is never met again: its events are not looked at any more."""
        lately = {uuid: at for uuid, at in self.judged.items() if at >= floor}
        return self.replace(judged=newest(lately, JUDGED_REMEMBERED))


def newest(instants: Mapping[str, datetime], most: int) -> dict[str, datetime]:
    """The latest so many of these."""
    return dict(sorted(instants.items(), key=lambda one: one[1])[-most:])
