"""The notification budget of an onboarding: its parts share a limit of notices to one person, as a numbered row in the
store, in which the first writer takes the next slot.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeVar

from pydantic import AwareDatetime, ValidationError

from activities.calendar.calendar import after, in_words
from activities.errors import StoreFailure
from activities.people.person import Person
from activities.records.budgets import NumberedRow
from activities.records.store import Store
from workflows.follow_up.notification_types import is_by_hand, is_rationed
from workflows.model.base import Model
from workflows.model.notifications import Delivery, HeldBack, NotificationBudget, NotificationOrder, NotificationOutcome
from workflows.model.schedule import Reason
from workflows.model.subject import Subject

WAITING_AT_MOST: Final = 100
"""Parts searched for waiting notices."""
TRIES_AT_MOST: Final = 200
"""Slots lost to others before an already sent notice goes uncounted."""
SPEAKING_AT_MOST: Final = timedelta(minutes=15)
"""Time for a notice to be accepted, before those it speaks for request their own slots."""


class BudgetEntry(Model):
    """A slot: the notice sent, those it spoke for, and when."""

    notice: str
    at: AwareDatetime
    joined: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        return (self.notice, *self.joined)


class WaitingNotification(Model):
    """A notice held back, and until when."""

    notice: str
    of: str
    until: AwareDatetime


AnyNote = TypeVar("AnyNote", BudgetEntry, WaitingNotification)


@dataclass(frozen=True)
class BudgetSlot:
    """The notice may be sent, and speaks for `others`."""

    others: int = 0
    row: NumberedRow | None = None
    number: int = 0

    async def accepted(self) -> None:
        """Record the delivery; until then `others` do not count as notified."""
        if self.others and self.row:
            await self.row.mark(self.number)


@dataclass(frozen=True)
class JoinedNotification:
    """Another notice spoke for this one."""


Answer = BudgetSlot | JoinedNotification | HeldBack | Reason
"""A slot, or why not: `Reason` ends a requested reminder, which is sent now or never."""


class NotificationBudgets:
    """Raises `StoreFailure`, so that nothing is sent or lost while the store is unavailable."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def ask(
        self, delivery: Delivery, notice: NotificationOrder, person: Person, *, alone: bool, told: bool
    ) -> Answer:
        """Request a slot. A notice sent `alone` cannot speak for others; one already `told` always counts."""
        quiet = delivery.quiet
        key = quiet.key_of(notice.person) if quiet and delivery.now else None
        spared = is_rationed(notice.stage) and not delivery.subject.urgent and delivery.devices is None
        if quiet is None or delivery.now is None or key is None or not spared:
            return BudgetSlot()
        row = self._store.budgets.row(quiet.of, key)
        return await _BudgetRequest(self._store, row, quiet, delivery.subject, notice, person, delivery.now).answer(
            alone, told
        )


@dataclass(frozen=True)
class _BudgetRequest:
    """One notice to one person, and the row it needs a slot in."""

    store: Store
    row: NumberedRow
    quiet: NotificationBudget
    subject: Subject
    notice: NotificationOrder
    person: Person
    now: datetime

    async def answer(self, alone: bool, told: bool) -> Answer:
        # Each slot lost to another notice uses up the budget, except for notices already sent.
        for _ in range(TRIES_AT_MOST if told else self.quiet.most + 1):
            answer = await self._once(alone, told)
            if answer is not None:
                return answer
        raise StoreFailure("the store gives nobody a place: notices of an onboarding cannot be counted")

    async def _once(self, alone: bool, told: bool) -> Answer | None:
        """The answer, None if another writer took the slot first."""
        last = await self.row.last()
        entries = _read(BudgetEntry, await self.row.read(last - self.quiet.most + 1, last))
        for number, one in entries.items():
            if one.notice == self.notice.key and self._frees(one.at):
                return BudgetSlot(len(one.joined), self.row, number)
        if (spoken := await self._spoken_for(entries)) is not None:
            return spoken
        before = list(entries.values())
        counted = [one for one in before if self._frees(one.at)]
        if len(counted) >= self.quiet.most and not told:
            return await self._held(min(after(one.at, self.quiet.per, self.person.tz) for one in counted))
        others = () if alone or told else await self._others(before)
        place = BudgetEntry(notice=self.notice.key, at=self.now, joined=others)
        put = await self.row.append(last + 1, place.model_dump_json().encode())
        return BudgetSlot(len(others), self.row, last + 1) if put else None

    async def _spoken_for(self, entries: Mapping[int, BudgetEntry]) -> Answer | None:
        """The answer if another notice spoke for this one and was accepted; None if this one is to be sent."""
        speaking = {number: one for number, one in entries.items() if self.notice.key in one.joined}
        for number in speaking:
            if await self.row.is_marked(number):
                return JoinedNotification()
        until = max((one.at for one in speaking.values()), default=self.now) + SPEAKING_AT_MOST
        return await self._held(until) if speaking and self.now < until else None

    def _frees(self, at: datetime) -> bool:
        return after(at, self.quiet.per, self.person.tz) > self.now

    async def _held(self, until: datetime) -> Answer:
        if is_by_hand(self.notice.stage):
            return Reason.QUIET
        waiting = WaitingNotification(notice=self.notice.key, of=self.subject.workflow_id, until=until)
        await self.row.note(_name_of(self.subject), waiting.model_dump_json().encode())
        return HeldBack(
            key=self.notice.key,
            stage=self.notice.stage,
            person=self.notice.person,
            outcome=NotificationOutcome.SUPPRESSED,
            why=Reason.QUIET,
            at=self.now,
            until=until,
            says=f"{self.quiet.most} notice{'s' if self.quiet.most > 1 else ''} in {in_words(self.quiet.per)}",
        )

    async def _others(self, before: Iterable[BudgetEntry]) -> tuple[str, ...]:
        """Waiting notices of other parts that this one can speak for."""
        known = {key for one in before for key in one.all}
        waiting = _read(WaitingNotification, dict(enumerate(await self.row.notes(WAITING_AT_MOST))))
        return tuple([one.notice for one in waiting.values() if one.notice not in known and await self._waits(one)])

    async def _waits(self, one: WaitingNotification) -> bool:
        """Whether it still waits: notes of sent or dropped notices are not removed."""
        if one.of == self.subject.workflow_id or not self._frees(one.until):
            return False
        return await self.store.records.read(one.of) is None


def _name_of(subject: Subject) -> str:
    return f"{subject.type}-{subject.id}"


def _read(kind: type[AnyNote], contents: Mapping[int, bytes]) -> dict[int, AnyNote]:
    # Damaged entries are skipped, so that nobody goes without notices.
    found = {}
    for number, content in contents.items():
        try:
            found[number] = kind.model_validate_json(content)
        except ValidationError:
            continue
    return found
