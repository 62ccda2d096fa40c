"""Health of hand-off targets: failing, dead, disabled; on-call is alerted once per change. One object per target, with
a condition for each address, since open requests keep theirs. Without compare-and-swap two workers may send the same
alert, under one key.
"""

import asyncio
import hashlib
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Final, Self

from temporalio import activity

from activities.errors import StoreFailure
from activities.notifications.alerts import Incident, OnCallAlerts, StoredState, Watched
from activities.records.store import Store
from workflows.follow_up.notification_types import NotificationType
from workflows.follow_up.outbox import is_subscriber, state_after
from workflows.model.base import Model
from workflows.model.hand_off import HandoffCall, HandoffResult, HandoffState
from workflows.model.policy import Target
from workflows.ports import PushService

FAILING_FROM: Final = 3
"""Failed attempts after which a target is failing: about half an hour."""
FRESH: Final = 10.0
"""Seconds for which a process caches that a target works."""
KNOWN_AT_MOST: Final = 1_000
"""Target addresses that a process caches as working."""
ADDRESSES_AT_MOST: Final = 20
"""Known addresses of one target: a request may have its own."""


class TargetState(StrEnum):
    """A `disabled` target is not called until an operator enables it."""

    WORKING = "working"
    FAILING = "failing"
    DEAD = "dead"
    DISABLED = "disabled"


_STAGES: Final = (
    NotificationType.HANDOFF_RECOVERED,
    NotificationType.HANDOFF_FAILING,
    NotificationType.HANDOFF_DEAD,
    NotificationType.HANDOFF_DEAD,
)
_GRADES: Final = tuple(TargetState)
_FAILING: Final = _GRADES.index(TargetState.FAILING)


class TargetCondition(Model):
    """A target at one address. `address` is a hash, since a URL may be a secret."""

    address: str
    why: str | None = None
    incident: Incident = Incident()

    @property
    def is_(self) -> TargetState:
        return _GRADES[self.incident.grade]

    def after(self, call: HandoffCall, result: HandoffResult, now: datetime) -> Self:
        """The condition after a call; disabled or dead does not become failing again."""
        became = _became(self.is_, call, result)
        return self if became is self.is_ else self.becomes(became, now, result.why)

    def becomes(self, state: TargetState, now: datetime, why: str | None) -> Self:
        return self.replace(why=why, incident=self.incident.becomes(_GRADES.index(state), now))

    def enabled(self, now: datetime) -> Self:
        """The condition after an operator enabled the target."""
        if self.is_ is not TargetState.DISABLED:
            return self
        return self.replace(incident=self.incident.becomes(_FAILING, now).replace(told=_FAILING))


class KnownTarget(StoredState):
    """The conditions of a target by address, only of addresses that ever failed; the last changed comes last."""

    addresses: tuple[TargetCondition, ...] = ()

    def at(self, address: str) -> TargetCondition:
        return next((one for one in self.addresses if one.address == address), TargetCondition(address=address))

    def learnt(self, health: TargetCondition) -> Self:
        others = [one for one in self.addresses if one.address != health.address]
        return self.replace(addresses=(*others, health)[-ADDRESSES_AT_MOST:])

    def enabled(self, now: datetime) -> Self:
        return self.replace(addresses=tuple(one.enabled(now) for one in self.addresses))


def address_of(target: Target) -> str:
    """A hash that distinguishes a target from an earlier one of the same name."""
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
    """Whether the target is a system of the catalogue, not a person or subscriber."""
    return bool(target.url or target.start or target.nexus or (target.workflow and not is_subscriber(target)))


class TargetHealth:
    """Reads and updates target health; failures never cost a hand-off its result."""

    def __init__(self, store: Store, push: PushService, oncall: str) -> None:
        self._store = store
        self._on_call = OnCallAlerts(push, oncall) if oncall else None
        self._working: dict[tuple[str, str], float] = {}

    async def refusal(self, target: Target) -> str | None:
        """Why a target is not called now, or None. Raises `StoreFailure`."""
        if not is_watched(target):
            return None
        known = await self._of(target)
        if known.is_ is not TargetState.DISABLED:
            return None
        return f"not called: {known.why}; `countersign handoff retry --now --target {target.name}` has it called again"

    async def learn(self, told: Iterable[tuple[HandoffCall, HandoffResult]], now: datetime) -> None:
        """Store what the results say of their targets, and alert on-call of changes."""
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
        # The alerts for the next target; None once on-call was not reached, since each try takes time.
        name, before = call.target.name, await self._of(call.target)
        known = before.after(call, result, now)
        if on_call and known.incident.has_news(now):
            told = await on_call.tell(known.incident, Watched(f"handoff-{name}", "handoff", name, _STAGES), now)
            if told == known.incident:
                on_call = None
            known = known.replace(incident=told)
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
