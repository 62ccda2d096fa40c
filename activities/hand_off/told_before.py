"""Who was already told, by the settled record: a workflow that was reset ends a second time."""

from dataclasses import dataclass
from typing import Self

from pydantic import ValidationError

from activities.records.notification_pages import amendments_of
from activities.records.rows import StoragePrefix
from activities.records.store import Store
from workflows.follow_up.notification_types import NotificationType
from workflows.follow_up.outbox import dead_lines
from workflows.model.hand_off import AnyEnded, HandoffCall, HandoffResult, HandoffState
from workflows.model.notifications import Notification, NotificationOutcome
from workflows.model.records import Amendment, HandoffBatch, SettledRecord

_HAVE_IT = (NotificationOutcome.ACCEPTED, NotificationOutcome.WITHDRAWN)


@dataclass(frozen=True)
class ToldBefore:
    """The stored facts of a hand-off, and the result for each target and person."""

    settled: AnyEnded | None
    later: Amendment

    @classmethod
    async def read(cls, store: Store, home: StoragePrefix) -> Self | None:
        """From the record and its amendments; None without a readable record."""
        content = await store.read_record(home)
        if content is None:
            return None
        try:
            record = SettledRecord.model_validate_json(content)
        except ValidationError:
            return None
        return cls(record.settled, await amendments_of(store, home))

    def continuing(self, batch: HandoffBatch) -> HandoffBatch:
        """The batch with the facts of the record, which wins, and an unused amendment number."""
        return batch.replace(
            settled=batch.settled and (self.settled or batch.settled),
            number=max(batch.number, self.later.number + 1),
            dead=dead_lines(self.later.handoffs),
            calls=tuple(map(self._without_those_reached, batch.calls)),
        )

    def result(self, call: HandoffCall) -> HandoffResult | None:
        """The result of an earlier call, None if still to be made."""
        if _is_news(call):
            return None
        target = call.target.target
        done = any(one.target == target and one.state is HandoffState.DONE for one in self.later.handoffs)
        return HandoffResult(target=target, ok=True, before=True) if done or self._has_notice(call) else None

    def _has_notice(self, call: HandoffCall) -> bool:
        """Whether a person was notified by a call that has no line among the hand-offs."""
        # Several people hear that a target is dead; the call says who of them was reached.
        if call.listed or call.notice is None or call.notice.stage == NotificationType.UNDELIVERED:
            return False
        return any(one.key == call.notice.key and one.outcome in _HAVE_IT for one in self.later.notifications)

    def _without_those_reached(self, call: HandoffCall) -> HandoffCall:
        if _is_news(call) or not (call.target.group or call.notice):
            return call
        stage = call.notice.stage if call.notice else NotificationType.SETTLED
        have = (one.person for one in self.later.notifications if _has(one, stage))
        return call.replace(reached=tuple(dict.fromkeys((*call.reached, *have))))


def _has(one: Notification, stage: str) -> bool:
    return one.stage == stage and one.outcome is NotificationOutcome.ACCEPTED


def _is_news(call: HandoffCall) -> bool:
    """Whether the call tells what the record does not: a requested replay, an escalation."""
    return bool(call.replay or call.escalated)
