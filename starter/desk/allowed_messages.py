"""How many messages that open the desk somebody gets, whoever asks for them.

A stranger who names somebody takes none of what others may ask for: what one address may ask for is bounded apart, and
so is what browsers may in which that person came in before. The store counts the days, for all receivers.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from activities.store.store import Store
from starter.page.allowances import Buckets, Rate
from starter.peers import holder_of

MESSAGES_FROM_AN_ADDRESS: Final = Rate(burst=5, per_second=1 / 3600)
"""To one person, for browsers in which they never came in."""
MESSAGES_TO_A_PERSON: Final = Rate(burst=3, per_second=1 / 60)
"""For all browsers in which they never came in, and once more for all in which they did."""
MESSAGES_OF_A_DAY_AT_MOST: Final = 50
"""The same, for a day."""
_NO_PERSON: Final = "nobody"


@dataclass(frozen=True)
class Asking:
    """Where somebody asks from; `known` is who came in with this browser before, empty for nobody."""

    address: str = ""
    known: str = ""


class AllowedMessages:
    """What was asked for, by this process in memory, and by all of them in the store."""

    def __init__(self, store: Store, seconds: Callable[[], float]) -> None:
        self._store = store
        self._of_an_address = Buckets(MESSAGES_FROM_AN_ADDRESS, seconds)
        self._of_a_person = Buckets(MESSAGES_TO_A_PERSON, seconds)

    async def take(self, person: str, asking: Asking, now: datetime) -> bool:
        """Whether this person may be sent another one now; if so, it counts. Raises `StoreFailure`."""
        known = asking.known == person
        if not known and self._of_an_address.wait(_of(person, asking)):
            return await self.nobody(now)
        whose = f"{person}-{'known' if known else 'asked'}"
        if self._of_a_person.wait(whose):
            return await self.nobody(now)
        return await self._take_of_the_day(whose, now)

    async def nobody(self, now: datetime) -> bool:
        """The same for somebody who does not exist: False, and it asks the store as well and writes nothing."""
        return await self._store.was_used(now.date(), _NO_PERSON)

    def came_in(self, person: str, asking: Asking) -> None:
        """They are no stranger where they ask from."""
        self._of_an_address.give_back(_of(person, asking))

    async def _take_of_the_day(self, whose: str, now: datetime) -> bool:
        """One of those that are left, which are looked for from the middle: those that were taken come first."""
        day, first, end = now.date(), 1, MESSAGES_OF_A_DAY_AT_MOST + 1
        while first < end:
            middle = (first + end) // 2
            if await self._store.was_used(day, f"{whose}-{middle}"):
                first = middle + 1
            else:
                end = middle
        for number in range(first, MESSAGES_OF_A_DAY_AT_MOST + 1):
            if await self._store.use_once(day, f"{whose}-{number}"):
                return True
        return False


def _of(person: str, asking: Asking) -> str:
    return f"{person} {holder_of(asking.address)}"
