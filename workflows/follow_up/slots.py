"""Slots: who is asked, whose turn it is, and the instant from which their clock counts."""

from abc import abstractmethod
from collections.abc import Iterable
from datetime import datetime
from typing import Final, Generic, Self, TypeVar

from pydantic import AwareDatetime

from workflows.model.base import Model
from workflows.model.schedule import Turn

PEOPLE_AT_MOST: Final = 20
"""Ids in `CsWaitingFor`."""
PEOPLE_BYTES_AT_MOST: Final = 1_500
"""Its bytes as JSON: above 2,048 the server fails the start or the workflow task (measured)."""
_MORE: Final = "+more"


class Slot(Model):
    """A person who is asked; `state` is a word.

    `turn_at` is when their turn came; `clock_from` is that instant moved by every pause since: offsets count from it.
    """

    person: str
    state: str
    turn_at: AwareDatetime | None = None
    clock_from: AwareDatetime | None = None

    @property
    @abstractmethod
    def acted(self) -> bool:
        """Whether nothing more is expected of them."""

    @property
    @abstractmethod
    def replaced(self) -> bool: ...

    @property
    def pending(self) -> bool:
        """Whether it is their turn and they have not acted."""
        return self.turn_at is not None and not self.acted

    def shifted(self, since: datetime, now: datetime) -> Self:
        """With the clock moved by the time from `since`, or from its own start if later, until now."""
        if self.clock_from is None:
            return self
        return self.replace(clock_from=self.clock_from + (now - max(since, self.clock_from)))


AnyPlace_co = TypeVar("AnyPlace_co", bound=Slot, covariant=True)


class Slots(Model, Generic[AnyPlace_co]):
    """Each kind has its own slot type."""

    @property
    @abstractmethod
    def everyone(self) -> tuple[AnyPlace_co, ...]:
        """In the order in which they were named."""

    @property
    def pending(self) -> tuple[AnyPlace_co, ...]:
        return tuple(place for place in self.everyone if place.pending)

    @property
    def turns(self) -> tuple[Turn, ...]:
        """The pending slots as the planner's `Turn`s."""
        return tuple(Turn(person=p.person, since=p.clock_from, came_at=p.turn_at) for p in self.pending if p.clock_from)

    def of(self, person: str) -> AnyPlace_co | None:
        return next((place for place in self.everyone if place.person == person), None)


def listed_people(people: Iterable[str]) -> list[str]:
    """Distinct directory ids for `CsWaitingFor`, within its bounds, with `+more` for the rest."""
    listed: list[str] = []
    for person in dict.fromkeys(people):
        if len(listed) == PEOPLE_AT_MOST or _as_json((*listed, person, _MORE)) > PEOPLE_BYTES_AT_MOST:
            return [*listed, _MORE]
        listed.append(person)
    return listed


def _as_json(ids: Iterable[str]) -> int:
    """Bytes of a JSON list of these ids, in which nothing needs to be escaped."""
    return sum(len(f'"{id}", ') for id in ids)
