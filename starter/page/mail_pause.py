"""A pause between two mails that somebody asks for on their page: a double click is one mail.

It is remembered by this process alone, which keeps no store: a restart costs one mail more.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final

PAUSE: Final = timedelta(hours=1)


class MailPause:
    """Knows when the mail of a request was last asked for."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._asked: dict[str, datetime] = {}

    @contextmanager
    def asking(self, request: str) -> Iterator[bool]:
        """Whether the mail may be asked for now; when the block fails it was not, and may be at once."""
        now = self._clock()
        self._asked = {one: at for one, at in self._asked.items() if now - at < PAUSE}
        if request in self._asked:
            yield False
            return
        self._asked[request] = now
        try:
            yield True
        except BaseException:
            self._asked.pop(request, None)
            raise
