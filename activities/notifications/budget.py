"""The budget of an onboarding's notices: counted in the store by all its parts together, each notice once.

What somebody was told stands in one row, and whoever is first has the next place in it. So there are never more of them
in the time of the budget than it allows, whatever is delivered at the same moment.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeVar

from pydantic import AwareDatetime, ValidationError

from activities.calendar.wall_clock import after, in_words
from activities.documents.errors import StoreFailure
from activities.people.person import Person
from activities.records.rows import NumberedRow, StoragePrefix
from activities.records.store import Store
from workflows.follow_up.notification_types import is_by_hand, is_rationed
from workflows.model.base import Model
from workflows.model.notifications import Delivery, HeldBack, NotificationBudget, NotificationOrder, NotificationOutcome
from workflows.model.schedule import Reason
from workflows.model.subject import Subject

WAITING_AT_MOST: Final = 100
"""Parts that are looked at for what waits there as well."""
TRIES_AT_MOST: Final = 200
"""Places that are lost to others before what was told already is given up."""
SPEAKING_AT_MOST: Final = timedelta(minutes=15)
"""How long a notice has to be accepted before those that it speaks for ask for places of their own."""


class BudgetEntry(Model):
    """A place in the row: a notice that was told, those that it spoke for, and when."""

    notice: str
    at: AwareDatetime
    joined: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        """Everything that somebody knows by it."""
        return (self.notice, *self.joined)


class WaitingNotification(Model):
    """A notice that was held back: of what, and until when."""

    notice: str
    of: str
    until: AwareDatetime


AnyNote = TypeVar("AnyNote", BudgetEntry, WaitingNotification)


@dataclass(frozen=True)
class BudgetSlot:
    """A place in the budget: the notice is told, and speaks for so many `others`."""

    others: int = 0
    row: NumberedRow | None = None
    number: int = 0

    async def accepted(self) -> None:
        """Their recipient was told of the others with it; until this is kept they are not taken for told."""
        if self.others and self.row:
            await self.row.mark(self.number)


@dataclass(frozen=True)
class JoinedNotification:
    """Another notice has told them already."""


Answer = BudgetSlot | JoinedNotification | HeldBack | Reason
"""Tell it, or why not: `Reason` ends a reminder that somebody asked for, which is told now or never."""


class NotificationBudgets:
    """Asks the store, which raises `StoreFailure`: nobody is told, and nobody forgotten, while it is away."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def ask(
        self, delivery: Delivery, notice: NotificationOrder, person: Person, *, alone: bool, told: bool
    ) -> Answer:
        """A place for a notice, unless there is none left.

        One that is sent `alone` cannot speak for others; one that was `told` already is counted in any case.
        """
        quiet = delivery.quiet
        key = quiet.key_of(notice.person) if quiet and delivery.now else None
        spared = is_rationed(notice.stage) and not delivery.subject.urgent and delivery.devices is None
        if quiet is None or delivery.now is None or key is None or not spared:
            return BudgetSlot()
        row = self._store.quiet(quiet.of, key)
        return await _BudgetRequest(self._store, row, quiet, delivery.subject, notice, person, delivery.now).answer(
            alone, told
        )


@dataclass(frozen=True)
class _BudgetRequest:
    """One notice to one person, and the row it wants a place in."""

    store: Store
    row: NumberedRow
    quiet: NotificationBudget
    subject: Subject
    notice: NotificationOrder
    person: Person
    now: datetime

    async def answer(self, alone: bool, told: bool) -> Answer:
        # Each place that is lost to another notice uses up the budget, but for what was told already.
        for _ in range(TRIES_AT_MOST if told else self.quiet.most + 1):
            answer = await self._once(alone, told)
            if answer is not None:
                return answer
        raise StoreFailure("the store gives nobody a place: notices of an onboarding cannot be counted")

    async def _once(self, alone: bool, told: bool) -> Answer | None:
        """The answer, None when somebody else was first."""
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
        """What another notice has become that speaks for this one; None when it is to speak for itself.

        Whoever took the place may fail, or not be needed any more: only what was accepted has told anybody.
        """
        speaking = {number: one for number, one in entries.items() if self.notice.key in one.joined}
        for number in speaking:
            if await self.row.is_marked(number):
                return JoinedNotification()
        until = max((one.at for one in speaking.values()), default=self.now) + SPEAKING_AT_MOST
        return await self._held(until) if speaking and self.now < until else None

    def _frees(self, at: datetime) -> bool:
        """Whether what was told then counts still."""
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
        """The notices of other parts that wait, and that this one can speak for."""
        known = {key for one in before for key in one.all}
        waiting = _read(WaitingNotification, dict(enumerate(await self.row.notes(WAITING_AT_MOST))))
        return tuple([one.notice for one in waiting.values() if one.notice not in known and await self._waits(one)])

    async def _waits(self, one: WaitingNotification) -> bool:
        """Whether it waits still: what was told or given up is not taken off the notes."""
        if one.of == self.subject.workflow_id or not self._frees(one.until):
            return False
        return await self.store.read_record(StoragePrefix.of(one.of)) is None


def _name_of(subject: Subject) -> str:
    return f"{subject.type}-{subject.id}"


def _read(kind: type[AnyNote], contents: Mapping[int, bytes]) -> dict[int, AnyNote]:
    """What can be read of these: of damaged ones nobody is kept in the dark."""
    found = {}
    for number, content in contents.items():
        try:
            found[number] = kind.model_validate_json(content)
        except ValidationError:
            continue
    return found
