"""How each target of the hand-off is: told to whoever is on call once for each change, however many requests wait.

One small object for each target, written only when it changes. Each of its addresses stands in it by itself: requests
that live keep the address they began with, and one that is gone says nothing of the one that came after it. The store
has no compare-and-swap: two workers that learn the same at once tell it twice, under one name, so that a phone shows
one notice.
"""

import asyncio
import hashlib
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Final, Self

from pydantic import AwareDatetime
from temporalio import activity

from activities.documents.errors import StoreFailure
from activities.notifications.alerts import Incident, IncidentState, OnCallAlerts, may_be_over
from activities.records.store import Store
from workflows.follow_up.notification_types import NotificationType
from workflows.follow_up.outbox import is_subscriber, state_after
from workflows.model.base import Model
from workflows.model.hand_off import HandoffCall, HandoffResult, HandoffState
from workflows.model.policy import Target
from workflows.ports import PushService

FAILING_FROM: Final = 3
"""Attempts in vain after which a target is called failing: about half an hour."""
FRESH: Final = 10.0
"""Seconds for which a process believes what it read of a target that works."""
KNOWN_AT_MOST: Final = 1_000
"""Addresses of targets of which a process knows that they work."""
ADDRESSES_AT_MOST: Final = 20
"""Addresses of one target that are known: a request may have one of its own."""


class TargetState(StrEnum):
    """How a target is; one that is `disabled` is not called before somebody says so."""

    WORKING = "working"
    FAILING = "failing"
    DEAD = "dead"
    DISABLED = "disabled"


_NEWS: Final = {
    TargetState.WORKING: NotificationType.HANDOFF_RECOVERED,
    TargetState.FAILING: NotificationType.HANDOFF_FAILING,
    TargetState.DEAD: NotificationType.HANDOFF_DEAD,
    TargetState.DISABLED: NotificationType.HANDOFF_DEAD,
}


_GRAVITY: Final = tuple(TargetState)


class TargetCondition(Model):
    """How a target is at one address, since when and why; `told` is what whoever is on call has heard last.

    `address` is a hash of it: a URL may be a secret in itself.
    """

    address: str
    is_: TargetState = TargetState.WORKING
    since: AwareDatetime | None = None
    why: str | None = None
    told: TargetState = TargetState.WORKING
    over_at: AwareDatetime | None = None
    """When they heard last that it works again."""

    def after(self, call: HandoffCall, result: HandoffResult, now: datetime) -> Self:
        """What a call says of it: what is disabled, or dead, is not called failing again."""
        became = _became(self.is_, call, result)
        return self if became is self.is_ else self.replace(is_=became, since=now, why=result.why)

    def enabled(self, now: datetime) -> Self:
        """Called again; whether it works is seen then."""
        if self.is_ is not TargetState.DISABLED:
            return self
        return self.replace(is_=TargetState.FAILING, since=now, told=TargetState.FAILING)

    def news(self, now: datetime) -> NotificationType | None:
        """What whoever is on call is to hear, once: that it is worse, or that it works again."""
        if self.is_ is TargetState.WORKING:
            over = self.told is not self.is_ and may_be_over(self.over_at, now)
            return _NEWS[self.is_] if over else None
        return _NEWS[self.is_] if _GRAVITY.index(self.is_) > _GRAVITY.index(self.told) else None

    def heard(self, now: datetime) -> Self:
        """After they have heard it."""
        return self.replace(told=self.is_, over_at=now if self.is_ is TargetState.WORKING else self.over_at)


class KnownTarget(IncidentState):
    """What is known of a target, at each address that did not always work; the last is the one that changed last."""

    addresses: tuple[TargetCondition, ...] = ()

    def at(self, address: str) -> TargetCondition:
        """How it is at one of them."""
        return next((one for one in self.addresses if one.address == address), TargetCondition(address=address))

    def learnt(self, health: TargetCondition) -> Self:
        """With what is now known of one of them."""
        others = [one for one in self.addresses if one.address != health.address]
        return self.replace(addresses=(*others, health)[-ADDRESSES_AT_MOST:])

    def enabled(self, now: datetime) -> Self:
        """Called again at each of them."""
        return self.replace(addresses=tuple(one.enabled(now) for one in self.addresses))


def address_of(target: Target) -> str:
    """By what a target is told apart from what had its name before."""
    way = target.model_dump_json(include={"url", "workflow", "start", "nexus"})
    return hashlib.sha256(way.encode()).hexdigest()[:16]


def _became(known: TargetState, call: HandoffCall, result: HandoffResult) -> TargetState:
    if result.disabled:
        return TargetState.DISABLED
    if result.ok:
        return TargetState.WORKING
    if known is TargetState.DISABLED:
        return known
    if state_after(result, call.attempt) is HandoffState.DEAD:
        return TargetState.DEAD
    return TargetState.FAILING if known is TargetState.WORKING and call.attempt >= FAILING_FROM else known


def is_watched(target: Target) -> bool:
    """Whether it is a system of the catalogue: people and subscribers are no systems."""
    return bool(target.url or target.start or target.nexus or (target.workflow and not is_subscriber(target)))


class TargetHealth:
    """What is known of targets; nothing of it may cost a hand-off its result."""

    def __init__(self, store: Store, push: PushService, oncall: str) -> None:
        self._store = store
        self._on_call = OnCallAlerts(push, oncall) if oncall else None
        self._working: dict[tuple[str, str], float] = {}

    async def refusal(self, target: Target) -> str | None:
        """Why a target is not called now: it has said that it wants no more calls. Raises `StoreFailure`."""
        if not is_watched(target):
            return None
        known = await self._of(target)
        if known.is_ is not TargetState.DISABLED:
            return None
        return f"not called: {known.why}; `countersign handoff retry --now --target {target.name}` has it called again"

    async def learn(self, told: Iterable[tuple[HandoffCall, HandoffResult]], now: datetime) -> None:
        """Remember what these calls say of their targets, and tell whoever is on call what has changed."""
        on_call = self._on_call
        for call, result in told:
            if is_watched(call.target) and not result.held:
                try:
                    on_call = await self._learn(call, result, now, on_call)
                except StoreFailure as failure:
                    activity.logger.error("health of a target not kept", extra={"says": str(failure)})

    async def _learn(
        self, call: HandoffCall, result: HandoffResult, now: datetime, on_call: OnCallAlerts | None
    ) -> OnCallAlerts | None:
        """Who can be told of the next target: nobody any more once they were not reached, which takes its time."""
        name, before = call.target.name, await self._of(call.target)
        known = before.after(call, result, now)
        if on_call and (news := known.news(now)) is not None:
            of = Incident(id=f"handoff-{name}", kind="handoff", title=name)
            if await on_call.hears(of, news, known.since or now, now):
                known = known.heard(now)
            else:
                on_call = None
        if known != before:
            self._working.pop((name, known.address), None)
            await self._store.hand_offs.keep_target(name, (await self._read(name)).learnt(known).written)
        return on_call

    async def _of(self, target: Target) -> TargetCondition:
        now, which = asyncio.get_running_loop().time(), (target.name, address_of(target))
        if now - self._working.get(which, -FRESH) < FRESH:
            return TargetCondition(address=which[1])
        known = (await self._read(target.name)).at(which[1])
        if known == TargetCondition(address=which[1]):
            if len(self._working) >= KNOWN_AT_MOST:
                self._working.clear()
            self._working[which] = now
        return known

    async def _read(self, name: str) -> KnownTarget:
        return KnownTarget.of(await self._store.hand_offs.read_target(name))
