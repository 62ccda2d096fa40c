"""How often a number was tried, for as long as it may be: a wrong one writes nothing."""

from collections import OrderedDict
from datetime import datetime
from typing import Final

from starter.desk.sessions import Ask
from workflows.model.sign_in import VALID_FOR

TRIES_AT_MOST: Final = 5
"""Numbers that one browser may try before it must ask again, at each receiver."""
TRIED_AT_MOST: Final = 10_000
"""Asks without a message that are remembered. Those with one are as few as messages, and none is forgotten early."""


class Tries:
    """Remembered by this process alone, of asks with a message and without one alike, so that both are told the same.

    Asks without a message, which anybody can make, crowd out no other.
    """

    def __init__(self) -> None:
        self._sent: OrderedDict[str, tuple[int, datetime]] = OrderedDict()
        self._unsent: OrderedDict[str, tuple[int, datetime]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._sent) + len(self._unsent)

    def take(self, ask: Ask, now: datetime) -> int | None:
        """Try once more: how many tries are left behind it, None when there was none."""
        tried = self._sent if ask.person else self._unsent
        before, _ = tried.get(ask.nonce, (0, ask.at))
        if before >= TRIES_AT_MOST:
            return None
        tried[ask.nonce] = (before + 1, ask.at + VALID_FOR)
        _forget(self._sent, now)
        _forget(self._unsent, now, TRIED_AT_MOST)
        return TRIES_AT_MOST - before - 1


def _forget(tried: OrderedDict[str, tuple[int, datetime]], now: datetime, at_most: int | None = None) -> None:
    while tried:
        _, until = next(iter(tried.values()))
        if until > now and (at_most is None or len(tried) <= at_most):
            return
        tried.popitem(last=False)
