"""Absences that people enter: what a process knows of them, and why one is refused."""

import asyncio
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

import structlog

from activities.errors import StoreFailure
from activities.files.fields import begin, end
from activities.people.directory import UnknownPerson
from activities.people.person import EnteredAbsence, Person
from activities.records.absences import AbsenceRow, StoredAbsences
from workflows.follow_up.next_step import HORIZON
from workflows.model.absence import SEEN_WITHIN
from workflows.model.messages import Message
from workflows.model.rejections import Rejection

PATIENCE: Final = 1.0
"""Seconds that a look-up waits for the database, before it uses what is known."""
CHAIN_AT_MOST: Final = 50
"""People who act one for the other, as far as a circle is looked for."""
_ID_BYTES: Final = 6
_log = structlog.get_logger(__name__)
Lookup = Callable[[str], Person | None]
"""Somebody of the people file, with the absences that it has."""


class KnownAbsences:
    """What the database has, read again when a look-up finds it older than `SEEN_WITHIN`; while the database is away
    what was read last, with a `warning`.
    """

    def __init__(self, stored: StoredAbsences, monotonic_clock: Callable[[], float] = time.monotonic) -> None:
        self._stored = stored
        self._seconds = monotonic_clock
        self._by_person: Mapping[str, tuple[EnteredAbsence, ...]] = {}
        self._read_at: float | None = None
        self._began_at = 0.0
        self._reading: asyncio.Task[None] | None = None
        self.warning: str | None = None

    async def find_absences(self, person: str) -> tuple[EnteredAbsence, ...]:
        now = self._seconds()
        if self._reading is None and (self._read_at is None or now - self._read_at >= SEEN_WITHIN.total_seconds()):
            self._reading, self._began_at = asyncio.create_task(self._read(now)), now
        if (reading := self._reading) and (seconds_left := self._began_at + PATIENCE - now) > 0:
            # Not awaited directly: a cancelled look-up must not stop the reading.
            await asyncio.wait({reading}, timeout=seconds_left)
        return self._by_person.get(person, ())

    def mark_stale(self) -> None:
        """Read again at the next look-up: this process has changed something."""
        self._read_at = None

    async def _read(self, now: float) -> None:
        try:
            absences_by_person: dict[str, list[EnteredAbsence]] = {}
            for row in await self._stored.coming(datetime.now(UTC)):
                absences_by_person.setdefault(row.person, []).append(absence_of(row))
            self._by_person = {person: tuple(absences) for person, absences in absences_by_person.items()}
            self.warning = None
        except StoreFailure as failure:
            if self.warning is None:
                _log.warning("absences cannot be read, those known last stay in use", why=str(failure))
            self.warning = "absences that people entered cannot be read"
        finally:
            self._read_at, self._reading = now, None


def absence_of(row: AbsenceRow) -> EnteredAbsence:
    span = {"from": row.begins_at.isoformat(), "until": row.ends_at.isoformat()}
    return EnteredAbsence.model_validate({**span, "id": row.id, "acts": row.acts, "kinds": row.kinds})


@dataclass(frozen=True)
class WantedAbsence:
    """As somebody enters it: a bare date is the whole day in the person's zone."""

    begins: date | datetime
    ends: date | datetime
    substitute: str | None = None
    kinds: tuple[str, ...] = ()

    def row(self, person: Person, entered_by: str, now: datetime) -> AbsenceRow:
        begins, ends = begin(self.begins, person.tz), end(self.ends, person.tz)
        id, kinds = secrets.token_hex(_ID_BYTES), tuple(sorted(set(self.kinds)))
        return AbsenceRow(id, person.id, begins, ends, self.substitute, kinds, now, entered_by)


class AbsenceRefused(Exception):
    """With the name of the field that is wrong."""

    def __init__(self, refusal: Message, field: str) -> None:
        super().__init__(refusal.english)
        self.message = refusal
        self.field = field


def refuse_unfit(row: AbsenceRow, lookup: Lookup) -> None:
    """Raises `AbsenceRefused` for what is wrong with an absence by itself."""
    day = row.ends_at.date().isoformat()
    if row.begins_at >= row.ends_at:
        raise AbsenceRefused(Rejection.ENDS_BEFORE.to_message(), "until")
    if row.ends_at <= row.entered_at:
        raise AbsenceRefused(Rejection.PAST.to_message(day=day), "until")
    if row.ends_at > row.entered_at + HORIZON:
        raise AbsenceRefused(Rejection.TOO_FAR.to_message(day=day), "until")
    if row.acts is not None and lookup(row.acts) is None:
        raise AbsenceRefused(UnknownPerson(row.acts).message, "acts")


@dataclass(frozen=True)
class SubstituteCheck:
    """Whether the person who is to act can, beside the absences of others at the same time."""

    absence: AbsenceRow
    lookup: Lookup

    def __call__(self, other_absences: Sequence[AbsenceRow]) -> Message | None:
        acts = self.absence.acts
        if acts is None:
            return None
        overlapping = [absence for absence in other_absences if absence.overlaps(self.absence)]
        if circle := self._circle(acts, overlapping):
            return Rejection.DELEGATES_IN_A_CIRCLE.to_message(circle=" → ".join(circle))
        spans = [(absence.begins_at, absence.ends_at) for absence in overlapping if absence.person == acts]
        person = self.lookup(acts)
        spans += person.absences if person else ()
        is_away_throughout = any(
            begins <= self.absence.begins_at and self.absence.ends_at <= ends for begins, ends in spans
        )
        return Rejection.AWAY.to_message(person=acts) if is_away_throughout else None

    def _circle(self, first_substitute: str, overlapping: Sequence[AbsenceRow]) -> tuple[str, ...]:
        """From the person back to them, each acting for the one before; empty without a circle."""
        first = self.absence.person
        chains: list[tuple[str, ...]] = [(first, first_substitute)]
        chain_members = {first_substitute}
        for chain in chains:  # It grows meanwhile.
            if chain[-1] == first:
                return chain
            for substitute in self._substitutes(chain[-1], overlapping):
                if substitute == first or (substitute not in chain_members and len(chain_members) < CHAIN_AT_MOST):
                    chain_members.add(substitute)
                    chains.append((*chain, substitute))
        return ()

    def _substitutes(self, id: str, overlapping: Sequence[AbsenceRow]) -> Iterator[str]:
        """Who acts for somebody while the absence lasts."""
        person = self.lookup(id)
        delegate = person.delegate if person else None
        named = [row.acts or delegate for row in overlapping if row.person == id]
        if person and any(
            begins < self.absence.ends_at and self.absence.begins_at < ends for begins, ends in person.absences
        ):
            named.append(delegate)
        yield from (substitute for substitute in named if substitute)
