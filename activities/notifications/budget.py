"""The budgets that a notice needs slots in: first that of its onboarding, then its recipient's across everything."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from activities.calendar.calendar import after, in_words
from activities.files.fields import UTC_ZONE
from activities.people.person import Person
from activities.records.budgets import Joined, Scope, Slot, SlotRequest, Wait
from activities.records.store import Store
from workflows.follow_up.notification_types import is_by_hand, is_rationed
from workflows.kinds import Kind
from workflows.model.notifications import Delivery, HeldBack, NotificationOrder, NotificationOutcome
from workflows.model.schedule import Reason

_OF_A_PERSON: Final = "person:"


@dataclass(frozen=True)
class BudgetSlot:
    """The notice may be sent, and speaks for `others`; `anywhere` if these are of everything that waits for its reader,
    not of one onboarding.
    """

    others: int = 0
    anywhere: bool = False
    request: SlotRequest | None = field(default=None, repr=False)
    scopes: tuple[str, ...] = ()


Answer = BudgetSlot | Joined | HeldBack | Reason
"""A slot, or why not: `Reason` ends a requested reminder, which is sent now or never."""


class NotificationBudgets:
    """At most `most` notices to one person `per` that time, of whatever; 0: no limit. Raises `StoreFailure`, so that
    nothing is sent or lost while the store is unavailable.
    """

    def __init__(self, store: Store, most: int = 0, per: str = "1h") -> None:
        self._store = store
        self._most = most
        self._per = per

    async def ask(
        self, delivery: Delivery, notice: NotificationOrder, person: Person, *, alone: bool, told: bool
    ) -> Answer:
        """Request slots. A notice sent `alone` cannot speak for others; one already `told` always counts."""
        now, counts = delivery.now, is_rationed(notice.stage) and not delivery.subject.urgent
        scopes = self._scopes(delivery, notice, person) if counts and delivery.devices is None else ()
        if now is None or not scopes:
            return BudgetSlot()
        by_hand = is_by_hand(notice.stage)
        asked = SlotRequest(delivery.subject.workflow_id, notice.key, now, alone=alone, told=told, waits=not by_hand)
        match await self._store.budgets.ask(asked, scopes):
            case Slot(others, joined):
                anywhere = any(scope.startswith(_OF_A_PERSON) for scope in joined)
                return BudgetSlot(others, anywhere, asked, tuple(scope.name for scope in scopes))
            case Joined() as joined:
                return joined
            case Wait() if by_hand:
                return Reason.QUIET
            case Wait(scope, until):
                return HeldBack(
                    key=notice.key,
                    stage=notice.stage,
                    person=notice.person,
                    outcome=NotificationOutcome.SUPPRESSED,
                    why=Reason.QUIET,
                    at=now,
                    until=until,
                    says=f"{scope.most} notice{'s' if scope.most > 1 else ''} in {in_words(scope.per)}",
                )

    async def frees_at(self, person: str, now: datetime) -> datetime | None:
        """When somebody may be notified again who has had `most` notices; None if that is now."""
        scope = Scope(f"{_OF_A_PERSON}{person}", self._most, self._per, after(now, self._per, UTC_ZONE))
        return await self._store.budgets.frees_at(scope, now) if self._most else None

    async def accepted(self, slot: BudgetSlot) -> None:
        """Record the delivery; until then the others do not count as notified."""
        if slot.others and slot.request:
            await self._store.budgets.accepted(slot.request, slot.scopes)

    def _scopes(self, delivery: Delivery, notice: NotificationOrder, person: Person) -> tuple[Scope, ...]:
        limits = []
        if (quiet := delivery.quiet) and (key := quiet.key_of(notice.person)):
            limits.append((f"{Kind.ONBOARDING.workflow_id(quiet.onboarding)}/{key}", quiet.most, quiet.per))
        if self._most:
            limits.append((f"{_OF_A_PERSON}{notice.person}", self._most, self._per))
        now = delivery.now
        return tuple(Scope(name, most, per, after(now, per, person.tz)) for name, most, per in limits) if now else ()
