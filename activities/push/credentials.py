"""Whether our credentials are taken: whoever is on call hears of each by itself, once if not, and once when they are.

Of the first no phone can tell them: it goes by mail or text.
"""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final, Self

from pydantic import AwareDatetime
from temporalio import activity

from activities.on_call import Incident, IncidentState, OnCallAlerts, may_be_over
from activities.store.failures import StoreFailure
from activities.store.store import Store
from workflows.follow_up.stages import NotificationType

HEARD_WITHIN: Final = 5.0
"""Seconds of a notice's time that telling them may take."""
FRESH: Final = 60.0
"""Seconds for which a process believes that all workers know what it has learnt."""


class Credential(StrEnum):
    """What may be refused while the others are taken."""

    OURS = "ours"
    """Those by which the push service lets us in."""
    APPLE = "apple"
    """Our key for Apple, which the push service has."""
    WEB = "web"
    """Those for browsers, which it has as well."""


_TROUBLES: Final = {
    Credential.OURS: Incident(id="push-credentials", kind="push", title="Push"),
    Credential.APPLE: Incident(id="push-credentials-apple", kind="push", title="Apple (APNs)"),
    Credential.WEB: Incident(id="push-credentials-web", kind="push", title="Web Push"),
}


class CredentialStatus(IncidentState):
    """Whether one is refused, since when that is so or not, and what whoever is on call has heard of it last."""

    refused: bool = False
    since: AwareDatetime | None = None
    told: bool = False
    over_at: AwareDatetime | None = None
    """When they heard last that it is over."""

    def learnt(self, *, refused: bool, now: datetime) -> Self:
        """After an answer that says so."""
        return self if refused is self.refused else self.replace(refused=refused, since=now)

    def heard(self, now: datetime) -> Self:
        """After they have heard it."""
        return self.replace(told=self.refused, over_at=self.over_at if self.refused else now)

    def news(self, now: datetime) -> NotificationType | None:
        """What they are to hear, once."""
        if self.refused:
            return None if self.told else NotificationType.PUSH_REFUSED
        return NotificationType.PUSH_RECOVERED if self.told and may_be_over(self.over_at, now) else None


class CredentialsAlarm:
    """Tells `on_call`; nothing of it may cost a notice its result."""

    def __init__(self, store: Store, on_call: OnCallAlerts) -> None:
        self._store = store
        self._on_call = on_call
        self._one_at_a_time = asyncio.Lock()
        self._learnt: dict[tuple[Credential, bool], float] = {}

    async def learn(self, said: Mapping[Credential, bool], now: datetime) -> None:
        """What the last answers said of them; of one it is told, and what nobody has taken is told by the next."""
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
        """Whether it took the time to tell them."""
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
            # Kept first, so that it is told under one name, whoever tells it again.
            await self._keep(credential, known)
        if news and await self._on_call.hears(_TROUBLES[credential], news, known.since or now, now):
            await self._keep(credential, known.heard(now))
        return news is not None

    async def _is_our_turn(self, credential: Credential, stage: NotificationType, now: datetime) -> bool:
        """Of all workers one tries to tell them, once in `FRESH` seconds."""
        return await self._store.use_once(now.date(), f"{credential}-{stage}-{int(now.timestamp() // FRESH)}")

    async def _keep(self, credential: Credential, known: CredentialStatus) -> None:
        await self._store.notes.note_push_standing(credential, known.written)
