"""Health of hand-off targets: failing, dead, disabled; on-call is alerted once per change. An incident for each address
of a target, since open requests keep theirs.
"""

import asyncio
import hashlib
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Final

from temporalio import activity

from activities.errors import StoreFailure
from activities.notifications.alerts import IncidentSubject, KeptAlerts, OnCallAlerts
from activities.records.incidents import TARGETS, About, Incident, Incidents
from activities.records.store import Store
from workflows.follow_up.notification_types import NotificationType
from workflows.follow_up.outbox import is_subscriber, state_after
from workflows.model.hand_off import HandoffCall, HandoffResult, HandoffState
from workflows.model.policy import Target
from workflows.ports import PushService

FAILING_FROM: Final = 3
"""Failed attempts after which a target is failing: about half an hour."""
FRESH: Final = 10.0
"""Seconds for which a process caches that a target works."""
KNOWN_AT_MOST: Final = 1_000
"""Target addresses that a process caches as working."""
_STAGES: Final = (
    NotificationType.HANDOFF_RECOVERED,
    NotificationType.HANDOFF_FAILING,
    NotificationType.HANDOFF_DEAD,
    NotificationType.HANDOFF_DEAD,
)


class TargetState(StrEnum):
    """A `disabled` target is not called until an operator enables it."""

    WORKING = "working"
    FAILING = "failing"
    DEAD = "dead"
    DISABLED = "disabled"


def state_of(incident: Incident) -> TargetState:
    return _GRADES[incident.grade]


def after_call(incident: Incident, call: HandoffCall, result: HandoffResult, now: datetime) -> Incident:
    """The condition of a target after a call; disabled or dead does not become failing again."""
    became = _became(state_of(incident), call, result)
    return incident if became is state_of(incident) else becoming(incident, became, now, result.why)


def becoming(incident: Incident, state: TargetState, now: datetime, reason: str | None) -> Incident:
    return incident.becomes(_GRADES.index(state), now).replace(why=reason)


async def enable(incidents: Incidents, name: str, now: datetime) -> None:
    """Have a disabled target called again, at all its addresses."""
    disabled, failing = _GRADES.index(TargetState.DISABLED), _GRADES.index(TargetState.FAILING)
    await incidents.regrade(TARGETS, name, disabled, failing, now)


def address_of(target: Target) -> str:
    """A hash that distinguishes a target from an earlier one of the same name."""
    way = target.model_dump_json(include={"url", "workflow", "start", "nexus", "archive"})
    return hashlib.sha256(way.encode()).hexdigest()[:16]


def find_topic(target: Target) -> About:
    return About(TARGETS, target.name, address_of(target))


def is_watched(target: Target) -> bool:
    """Whether the target is a system of the catalogue, not a person or subscriber."""
    return bool(
        target.url or target.start or target.nexus or target.archive or (target.workflow and not is_subscriber(target))
    )


class TargetHealth:
    """Reads and updates target health; failures never cost a hand-off its result."""

    def __init__(self, store: Store, push: PushService, oncall: str) -> None:
        self._incidents = store.incidents
        self._on_call = OnCallAlerts(push, oncall) if oncall else None
        self._working: dict[About, float] = {}

    async def refusal(self, target: Target) -> str | None:
        """Why a target is not called now, or None. Raises `StoreFailure`."""
        if not is_watched(target):
            return None
        incident = await self._read_incident(find_topic(target))
        if state_of(incident) is not TargetState.DISABLED:
            return None
        return (
            f"not called: {incident.why}; `countersign handoff retry --now --target {target.name}` has it called again"
        )

    async def learn(self, call_results: Iterable[tuple[HandoffCall, HandoffResult]], now: datetime) -> None:
        """Store what the results say of their targets, and alert on-call of changes."""
        on_call = self._on_call
        for call, result in call_results:
            if is_watched(call.target) and not result.held:
                try:
                    # Each try takes time: once they were not reached, on-call hears of the others later.
                    on_call = None if await self._learn(call, result, now, on_call) is False else on_call
                except StoreFailure as failure:
                    activity.logger.error("health of a target not kept", extra={"says": str(failure)})

    async def _learn(
        self, call: HandoffCall, result: HandoffResult, now: datetime, on_call: OnCallAlerts | None
    ) -> bool | None:
        def becomes(incident: Incident) -> Incident:
            return after_call(incident, call, result, now)

        topic, name = find_topic(call.target), call.target.name
        incident = await self._read_incident(topic)
        if becomes(incident) == incident and not incident.has_news(now):
            return None
        self._working.pop(topic, None)
        watched = IncidentSubject(f"handoff-{name}", "handoff", name, _STAGES)
        return await KeptAlerts(self._incidents, on_call).learn(topic, watched, becomes, now)

    async def _read_incident(self, topic: About) -> Incident:
        now = asyncio.get_running_loop().time()
        if now - self._working.get(topic, -FRESH) < FRESH:
            return Incident()
        incident = await self._incidents.read(topic)
        if incident == Incident():
            if len(self._working) >= KNOWN_AT_MOST:
                self._working.clear()
            self._working[topic] = now
        return incident


_GRADES: Final = tuple(TargetState)


def _became(state: TargetState, call: HandoffCall, result: HandoffResult) -> TargetState:
    if result.disabled:
        return TargetState.DISABLED
    if result.ok:
        return TargetState.WORKING
    if state is TargetState.DISABLED:
        return state
    if state_after(result, call.attempt) is HandoffState.DEAD:
        return TargetState.DEAD
    return TargetState.FAILING if state is TargetState.WORKING and call.attempt >= FAILING_FROM else state
