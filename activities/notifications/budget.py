"""How many notices somebody gets in a time, of all that they are asked: a notice needs a slot."""

from dataclasses import dataclass, field
from datetime import datetime

from activities.calendar.calendar import add_duration
from activities.files.fields import UTC_ZONE
from activities.people.person import Person
from activities.records.budgets import BudgetWait, JoinedNotice, Limit, SendPermit, SlotRequest
from activities.records.store import Store
from workflows.follow_up.notification_types import is_by_hand, is_rationed
from workflows.model.messages import duration_words
from workflows.model.notifications import Delivery, HeldBack, NotificationOrder, NotificationOutcome
from workflows.model.schedule import Reason


@dataclass(frozen=True)
class BudgetSlot:
    """The notice may be sent, and speaks for `others`."""

    other_count: int = 0
    request: SlotRequest | None = field(default=None, repr=False)


Answer = BudgetSlot | JoinedNotice | HeldBack | Reason
"""A slot, or why not: `Reason` ends a requested reminder, which is sent now or never."""


class NotificationBudgets:
    """At most `most` notices to one person `per` that time, of whatever; 0: no limit. An onboarding may set both for
    its customer. Raises `StoreFailure`, so that nothing is sent or lost while the store is unavailable.
    """

    def __init__(self, store: Store, limit: int = 0, per: str = "1h") -> None:
        self._store = store
        self._max_count = limit
        self._per = per

    async def ask(
        self, delivery: Delivery, notice: NotificationOrder, person: Person, *, alone: bool, is_told: bool
    ) -> Answer:
        """Request a slot. A notice sent `alone` cannot speak for others; one that `is_told` always counts."""
        now, counts = delivery.now, is_rationed(notice.stage) and not delivery.subject.urgent
        limit, per = self._limit(delivery, notice.person)
        if now is None or not counts or not limit or delivery.devices is not None:
            return BudgetSlot()
        request = SlotRequest(
            notice.person,
            delivery.subject.workflow_id,
            notice.key,
            now,
            alone=alone,
            is_told=is_told,
            waits=not is_by_hand(notice.stage),
        )
        match await self._store.budgets.ask(request, Limit(limit, add_duration(now, per, person.tz))):
            case SendPermit(other_count):
                return BudgetSlot(other_count, request)
            case JoinedNotice() as joined:
                return joined
            case BudgetWait() if not request.waits:
                return Reason.QUIET
            case BudgetWait(ends_at):
                return HeldBack(
                    key=notice.key,
                    stage=notice.stage,
                    person=notice.person,
                    outcome=NotificationOutcome.SUPPRESSED,
                    why=Reason.QUIET,
                    at=now,
                    until=ends_at,
                    says=f"{limit} notice{'s' if limit > 1 else ''} in {duration_words(per)}",
                )

    async def frees_at(self, person: str, now: datetime) -> datetime | None:
        """When somebody may be notified again who has had `most` notices; None if that is now."""
        limit = Limit(self._max_count, add_duration(now, self._per, UTC_ZONE))
        return await self._store.budgets.frees_at(person, limit, now) if self._max_count else None

    async def accepted(self, slot: BudgetSlot) -> None:
        """Record the delivery; until then the others do not count as notified."""
        if slot.other_count and slot.request:
            await self._store.budgets.accepted(slot.request)

    def _limit(self, delivery: Delivery, person: str) -> tuple[int, str]:
        quiet = delivery.quiet
        return (quiet.most, quiet.per) if quiet and person in quiet.people else (self._max_count, self._per)
